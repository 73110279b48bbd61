"""HRF: the class is the suffix of the name, in either case of letters."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fundus
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

NAMES = {"01_dr": "JPG", "01_g": "jpg", "01_h": "jpg"}


def members(folders: bool = True) -> dict[str, bytes]:
    """Fields of view are stored in three channels, as published."""
    view = np.dstack([fundus.mask(fundus.VIEW)] * 3)
    found = {}
    for k, (name, suffix) in enumerate(NAMES.items()):
        found[f"images/{name}.{suffix}"] = encoded(fundus.photograph(k), ".jpg")
        found[f"manual1/{name}.tif"] = encoded(fundus.mask(fundus.FIRST), ".tif")
        found[f"mask/{name}_mask.tif"] = encoded(view, ".tif")
    return found if folders else {name.split("/")[1]: data for name, data in found.items()}


def make(raw: Path) -> dict[str, Any]:
    """The official archive with one photograph of each class."""
    write_zip(raw / "all.zip", members())
    return {}


@pytest.mark.parametrize("folders", [True, False])
def test_classes_truth_and_field_of_view(folders: bool, tmp_path: Path) -> None:
    write_zip(tmp_path / "a.zip", members(folders))
    fields = read("hrf", tmp_path)
    labels = {name: field.attributes["label"] for name, field in fields.items()}
    assert labels == {"01_dr": "diabetic_retinopathy", "01_g": "glaucoma", "01_h": "healthy"}
    for field in fields.values():
        assert np.array_equal(field.instances, fundus.FIRST)
        assert np.array_equal(field.layers["ignore"], ~fundus.VIEW)
        assert "group" not in field.attributes


@pytest.mark.parametrize(
    ("gone", "message"),
    [("manual1/01_g.tif", "image '01_g' has no manual1"), ("mask/01_dr_mask.tif", "image '01_dr' has no mask")],
)
def test_files_that_are_missing(gone: str, message: str, tmp_path: Path) -> None:
    found = members()
    del found[gone]
    write_zip(tmp_path / "a.zip", found)
    with pytest.raises(KaryobenchError, match=message):
        read("hrf", tmp_path)
