"""DRIVE: two parts, two observers on one of them, whose truth may be withheld."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fundus
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip


def members() -> dict[str, bytes]:
    """Photograph 21 of the training set and 01 of the test set."""
    found = {}
    for number, part in (("21", "training"), ("01", "test")):
        found[f"{part}/images/{number}_{part}.tif"] = encoded(fundus.photograph(int(number)), ".tif")
        found[f"{part}/mask/{number}_{part}_mask.gif"] = encoded(fundus.mask(fundus.VIEW), ".gif")
        found[f"{part}/1st_manual/{number}_manual1.gif"] = encoded(fundus.mask(fundus.FIRST), ".gif")
    found["test/2nd_manual/01_manual2.gif"] = encoded(fundus.mask(fundus.SECOND), ".gif")
    return found


def make(raw: Path) -> dict[str, Any]:
    """The two official archives."""
    for part in ("training", "test"):
        write_zip(raw / f"{part}.zip", {name: data for name, data in members().items() if name.startswith(part)})
    return {}


def test_truth_layers_and_parts(tmp_path: Path) -> None:
    fields = read("drive", tmp_path, **make(tmp_path))
    assert list(fields) == ["01_test", "21_training"]
    for name, field in fields.items():
        assert np.array_equal(field.image, fundus.photograph(int(name[:2])))
        assert np.array_equal(field.instances, fundus.FIRST)
        assert np.array_equal(field.layers["ignore"], ~fundus.VIEW)
        assert field.attributes["field_of_view"] == "given"
    test, train = fields["01_test"], fields["21_training"]
    assert (test.attributes["part"], train.attributes["part"]) == ("test", "train")
    assert np.array_equal(test.layers["second"], fundus.SECOND)
    assert "second" not in train.layers


def test_one_archive_with_a_top_folder(tmp_path: Path) -> None:
    write_zip(tmp_path / "DRIVE.zip", {f"DRIVE/{name}": data for name, data in members().items()})
    assert list(read("drive", tmp_path)) == ["01_test", "21_training"]


def test_withheld_vessels_of_a_test_image(tmp_path: Path) -> None:
    found = {name: data for name, data in members().items() if not name.startswith(("test/1st", "test/2nd"))}
    write_zip(tmp_path / "a.zip", found)
    field = read("drive", tmp_path)["01_test"]
    assert field.instances is None
    assert set(field.layers) == {"ignore"}


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("training/1st_manual/21_manual1.gif", "image '21' has no 1st_manual"),
        ("test/mask/01_test_mask.gif", "image '01_test' has no mask"),
    ],
)
def test_files_that_are_missing(gone: str, message: str, tmp_path: Path) -> None:
    found = members()
    del found[gone]
    write_zip(tmp_path / "a.zip", found)
    with pytest.raises(KaryobenchError, match=message):
        read("drive", tmp_path)
