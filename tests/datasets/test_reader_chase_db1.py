"""CHASE_DB1: both eyes of a child are one group."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import fundus
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

NAMES = ("Image_01L", "Image_01R", "Image_14L")


def members() -> dict[str, bytes]:
    found = {f"{name}.jpg": encoded(fundus.photograph(k), ".jpg") for k, name in enumerate(NAMES)}
    found |= {f"{name}_1stHO.png": encoded(fundus.FIRST, ".png") for name in NAMES}
    return found | {f"{name}_2ndHO.png": encoded(fundus.SECOND, ".png") for name in NAMES}


def make(raw: Path) -> dict[str, Any]:
    """The official archive with three photographs."""
    write_zip(raw / "CHASEDB1.zip", members())
    return {}


def test_two_observers_and_the_child(tmp_path: Path) -> None:
    fields = read("chase_db1", tmp_path, **make(tmp_path))
    assert list(fields) == list(NAMES)
    assert [field.attributes["group"] for field in fields.values()] == ["child-01", "child-01", "child-14"]
    for field in fields.values():
        assert np.array_equal(field.instances, fundus.FIRST)
        assert np.array_equal(field.layers["second"], fundus.SECOND)


def test_the_field_of_view_survives_jpeg(tmp_path: Path) -> None:
    """But for the pixels along the border of the disc, which compression blurs."""
    for field in read("chase_db1", tmp_path, **make(tmp_path)).values():
        wrong = field.layers["ignore"] == fundus.VIEW
        assert not wrong[ndimage.binary_erosion(fundus.VIEW, iterations=2)].any()
        assert not wrong[~ndimage.binary_dilation(fundus.VIEW, iterations=2)].any()


def test_the_first_observer_is_needed(tmp_path: Path) -> None:
    found = members()
    del found["Image_14L_1stHO.png"]
    write_zip(tmp_path / "a.zip", found)
    with pytest.raises(KaryobenchError, match="image 'Image_14L' has no 1stHO"):
        read("chase_db1", tmp_path)
