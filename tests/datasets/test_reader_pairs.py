"""The reader `pairs`: image and label files that the record names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from karyobench.errors import KaryobenchError
from reader_files import read


def make(raw: Path) -> dict[str, Any]:
    """A 16-bit image and its label map."""
    tifffile.imwrite(raw / "a.tif", np.arange(0, 6000, 10, np.uint16).reshape(20, 30))
    (raw / "deep").mkdir()
    tifffile.imwrite(raw / "deep/a.tif", np.arange(600, dtype=np.uint16).reshape(20, 30))
    pair = {"id": "one", "image": "a.tif", "labels": "deep/a.tif"}
    return {"pairs": [pair], "intensity": {"percentiles": [0, 100]}}


def test_image_and_labels(tmp_path: Path) -> None:
    field = read("pairs", tmp_path, **make(tmp_path))["one"]
    assert np.array_equal(field.instances, np.arange(600).reshape(20, 30))
    assert (field.image.min(), field.image.max(), field.image.shape) == (0, 255, (20, 30, 3))
    assert field.attributes["source_file"] == "a.tif"
    assert field.attributes["intensity_range"] == [0, 5990]


def test_16_bits_need_a_rule(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"a\.tif: pixels are uint16.*`intensity:"):
        read("pairs", tmp_path, **make(tmp_path) | {"intensity": None})


@pytest.mark.parametrize("name", ["b.tif", "../a.tif", "/etc/hostname"])
def test_only_listed_files_are_read(name: str, tmp_path: Path) -> None:
    pair = make(tmp_path)["pairs"][0]
    with pytest.raises(KaryobenchError, match=f"dataset 'd': pair 'one': there is no labels file '{name}'"):
        read("pairs", tmp_path, pairs=[pair | {"labels": name}])
