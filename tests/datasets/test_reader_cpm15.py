"""CPM-15: label maps as text, two of which are swapped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

RNG = np.random.default_rng(0)


def labels(height: int, width: int) -> np.ndarray:
    found = np.zeros((height, width), int)
    found[1:3, 1:4], found[3, 1:3] = 1, 12
    return found


def text(found: np.ndarray) -> bytes:
    height, width = found.shape
    return "\n".join([f"{width} {height}", *map(str, found.ravel())]).encode() + b"\n"


def write(raw: Path, images: dict[str, tuple[int, int]], masks: dict[str, bytes]) -> None:
    """The archive with images of given sizes."""
    members = {f"image{k}_mask.txt": mask for k, mask in masks.items()}
    for k, (height, width) in images.items():
        members[f"image{k}.png"] = encoded(RNG.integers(0, 256, (height, width, 3), np.uint8), ".png")
        members[f"image{k}_poly.png"] = b"a rendering"
    write_zip(raw / "MICCAI_competition_dataset.zip", members | {"README_training.txt": b"text"})


def make(raw: Path) -> dict[str, Any]:
    """The distributed archive with three images, the masks of two of them swapped."""
    sizes = {"04": (5, 6), "05": (7, 5), "08": (6, 8)}
    masks = {"04": text(labels(7, 5)), "05": text(labels(5, 6)), "08": text(labels(6, 8))}
    write(raw, sizes, masks)
    return {"image_type": "he"}


def test_labels_are_read_row_by_row(tmp_path: Path) -> None:
    """The example of the dataset's README: 5 x 4 pixels, two nuclei."""
    found = np.array([[0, 0, 0, 0, 0], [0, 1, 1, 0, 0], [1, 1, 2, 0, 0], [0, 2, 2, 2, 0]])
    write(tmp_path, {"01": (4, 5)}, {"01": text(found)})
    field = read("cpm15", tmp_path)["image01"]
    assert np.array_equal(field.instances, found)
    assert "mask_file" not in field.attributes


def test_swapped_masks_go_to_the_images_they_fit(tmp_path: Path) -> None:
    make(tmp_path)
    fields = read("cpm15", tmp_path)
    assert list(fields) == ["image04", "image05", "image08"]
    assert {name: field.attributes.get("mask_file") for name, field in fields.items()} == {
        "image04": "image05_mask.txt", "image05": "image04_mask.txt", "image08": None,
    }  # fmt: skip
    for field in fields.values():
        assert np.array_equal(field.instances, labels(*field.image.shape[:2]))
    assert [field.attributes["magnification"] for field in fields.values()] == [20, 20, 40]


def test_only_the_mask_of_an_image_to_swap_with_fits(tmp_path: Path) -> None:
    """Masks 02 and 03 fit image 01, but their own images have those sizes or none that mask 01 fits."""
    sizes = {"01": (5, 6), "02": (5, 6), "03": (9, 9)}
    write(tmp_path, sizes, {"01": text(labels(7, 5)), "02": text(labels(5, 6)), "03": text(labels(5, 6))})
    with pytest.raises(KaryobenchError, match=r"image01_mask\.txt': has shape \(7, 5\), its image \(5, 6\).*none fits"):
        read("cpm15", tmp_path)


def test_two_images_to_swap_with_are_one_too_many(tmp_path: Path) -> None:
    sizes = {"01": (5, 6), "02": (7, 5), "03": (7, 5)}
    write(tmp_path, sizes, {"01": text(labels(7, 5)), "02": text(labels(5, 6)), "03": text(labels(5, 6))})
    with pytest.raises(KaryobenchError, match=r"not one image to swap masks with \(image02, image03\)"):
        read("cpm15", tmp_path)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (b"6 5\n" + b"0\n" * 29, "has 29 labels, not 6 x 5"),
        (b"6 5\n" + b"0\n" * 31, "has 31 labels, not 6 x 5"),
        (b"-6 -5\n" + b"0\n" * 30, "has 30 labels, not -6 x -5"),
        (b"6 5\n" + b"0\n" * 29 + b"x", "damaged or no label map"),
        (b"6 5\n" + b"0\n" * 29 + b"1.5", "damaged or no label map"),
        (b"6 5\n" + b"0\n" * 29 + b"99999999999", "damaged or no label map"),
        (b"6\n" + b"0\n" * 30, "damaged or no label map"),
        (b"", "damaged or no label map"),
        (b"\x00\xff\n", "damaged or no label map"),
    ],
)
def test_masks_that_are_none(mask: bytes, told: str, tmp_path: Path) -> None:
    write(tmp_path, {"01": (5, 6)}, {"01": mask})
    with pytest.raises(KaryobenchError, match=rf"member 'image01_mask\.txt': {told}"):
        read("cpm15", tmp_path)


def test_an_image_and_its_mask_go_together(tmp_path: Path) -> None:
    write(tmp_path, {"01": (5, 6), "02": (5, 6)}, {"01": text(labels(5, 6))})
    with pytest.raises(KaryobenchError, match="image 'image02' has no mask"):
        read("cpm15", tmp_path)
    write(tmp_path, {"01": (5, 6)}, {"01": text(labels(5, 6)), "03": text(labels(5, 6))})
    with pytest.raises(KaryobenchError, match="has no image 'image03'"):
        read("cpm15", tmp_path)
