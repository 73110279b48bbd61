"""NuInsSeg: a folder per organ with label maps and vague areas, or a copy with masks only."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

RNG = np.random.default_rng(0)


def labels() -> np.ndarray:
    """Two nuclei that touch, and a third."""
    found = np.zeros((12, 16), np.uint16)
    found[1:4, 1:4], found[1:4, 4:8], found[8:10, 9:13] = 1, 2, 300
    return found


def vague() -> np.ndarray:
    found = np.zeros((12, 16), np.uint8)
    found[6:, :5] = 255
    return found


def official(organ: str, name: str) -> dict[str, bytes]:
    """Members of one image of the official archive."""
    pixels = RNG.integers(0, 256, (12, 16, 3), np.uint8)
    return {
        f"{organ}/tissue images/{name}.png": encoded(pixels, ".png"),
        f"{organ}/label masks modify/{name}.tif": encoded(labels(), ".tif"),
        f"{organ}/label masks/{name}.tif": encoded(labels() * 2, ".tif"),
        f"{organ}/mask binary/{name}.png": encoded((labels() > 0).astype(np.uint8) * 255, ".png"),
        f"{organ}/overlay/{name}.png": b"a rendering",
        f"{organ}/vague areas/mask binary/{name}.png": encoded(vague(), ".png"),
    }


def make(raw: Path) -> dict[str, Any]:
    """The official archive with three images of two organs."""
    names = {"human bladder": ("human_bladder_01", "human_bladder_02"), "mouse liver": ("mouse_liver_01",)}
    members = {k: v for organ, found in names.items() for name in found for k, v in official(organ, name).items()}
    write_zip(raw / "NuInsSeg.zip", members)
    return {"image_type": "he"}


def test_the_official_layout(tmp_path: Path) -> None:
    make(tmp_path)
    fields = read("nuinsseg", tmp_path)
    assert list(fields) == ["human_bladder_01", "human_bladder_02", "mouse_liver_01"]
    assert [field.attributes["organ"] for field in fields.values()] == ["human bladder"] * 2 + ["mouse liver"]
    assert fields["human_bladder_02"].attributes["group"] == "human bladder"
    for field in fields.values():
        assert np.array_equal(field.instances, labels())
        assert np.array_equal(field.layers["ignore"], vague() > 0)
        assert "semantic_truth" not in field.attributes


def test_a_copy_with_masks_only(tmp_path: Path) -> None:
    """Nuclei that touch are one."""
    pixels = encoded(RNG.integers(0, 256, (12, 16, 3), np.uint8), ".png")
    truth = encoded((labels() > 0).astype(np.uint8) * 255, ".png")
    write_zip(tmp_path / "copy.zip", {"data/images/7.png": pixels, "data/masks/7.png": truth})
    field = read("nuinsseg", tmp_path)["7"]
    assert [(field.instances == k).sum() for k in (1, 2, 3)] == [21, 8, 0]
    assert field.attributes["semantic_truth"] == 1
    assert field.layers == {}


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        ("label masks modify", "image 'human_lung_01' has no label map"),
        ("vague areas", "image 'human_lung_01' has no mask of vague areas"),
        ("tissue images", "has no image 'human_lung_01'"),
    ],
)
def test_files_of_an_image_go_together(missing: str, told: str, tmp_path: Path) -> None:
    members = {k: v for k, v in official("human lung", "human_lung_01").items() if missing not in k}
    write_zip(tmp_path / "NuInsSeg.zip", members)
    with pytest.raises(KaryobenchError, match=told):
        read("nuinsseg", tmp_path)
