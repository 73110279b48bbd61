"""Data Science Bowl 2018: one mask per nucleus becomes an instance map, and the kind of an image is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.datasets import image_types
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

RNG = np.random.default_rng(0)
GREY = np.full((20, 30), 12, np.uint8)


def square(r0: int, r1: int) -> np.ndarray:
    mask = np.zeros((20, 30), np.uint8)
    mask[r0:r1, 5:9] = 255
    return mask


def stained(rgb: tuple[int, int, int]) -> np.ndarray:
    return np.broadcast_to(np.array(rgb, np.uint8), (20, 30, 3)).copy()


def write(raw: Path, images: dict[str, np.ndarray], masks: dict[str, np.ndarray], prefix: str = "") -> None:
    """An archive of the layout of stage1_train.zip; masks are keyed image/mask."""
    members = {f"{prefix}{name}/images/{name}.png": encoded(pixels, ".png") for name, pixels in images.items()}
    members |= {f"{prefix}{name.replace('/', '/masks/')}.png": encoded(mask, ".png") for name, mask in masks.items()}
    write_zip(raw / "stage1_train.zip", members | {f"{prefix}readme.txt": b"not an image"})


def make(raw: Path) -> dict[str, Any]:
    """The official archive with a stained and a fluorescence image."""
    noise = RNG.integers(0, 40, (20, 30), np.uint8)
    masks = {"a/m1": square(0, 4), "a/m2": square(6, 9), "b/m1": square(12, 14)}
    write(raw, {"a": np.dstack([noise] * 3 + [np.full_like(noise, 255)]), "b": stained((180, 130, 190))}, masks)
    return {"image_type": "kmeans", "intensity": {"percentiles": [1, 99.8]}}


@pytest.mark.parametrize("prefix", ["", "stage1_train/"])
def test_masks_become_instances_in_the_order_of_their_names(prefix: str, tmp_path: Path) -> None:
    masks = {"im/b": square(3, 9), "im/a": square(0, 5), "im/c": square(12, 14), "im/d": square(1, 5)}
    write(tmp_path, {"im": np.dstack([GREY, GREY, GREY, np.full_like(GREY, 255)]), "bare": GREY + 1}, masks, prefix)
    fields = read("dsb2018", tmp_path)
    assert list(fields) == ["bare", "im"]
    assert [(fields["im"].instances == k).sum() for k in (1, 2, 3, 4)] == [20, 16, 8, 0]
    assert fields["im"].attributes["overlapping_pixels"] == 2 * 4 + 4 * 4
    assert fields["im"].attributes["lost_objects"] == 1
    assert np.array_equal(fields["im"].image, np.stack([GREY] * 3, axis=2))
    assert not fields["bare"].instances.any()
    assert fields["bare"].attributes["lost_objects"] == 0


def test_image_types(tmp_path: Path) -> None:
    images = {"a": stained((180, 130, 190)), "b": stained((210, 210, 210)), "c": stained((15, 15, 15))}
    images["d"] = stained((0, 0, 0))
    write(tmp_path, images, {})
    types = [field.attributes["image_type"] for field in read("dsb2018", tmp_path).values()]
    assert types == ["he", "brightfield", "fluorescence", "fluorescence"]


def test_statistics_are_of_the_pixels_as_stored(tmp_path: Path) -> None:
    """A dim image stays dim for its type, though its intensities are stretched; 16 bits are read as 8."""
    dim = RNG.integers(0, 30, (20, 30), np.uint8)
    write(tmp_path, {"a": dim, "b": dim.astype(np.uint16) * 257}, {})
    fields = read("dsb2018", tmp_path, intensity={"percentiles": [0, 100]})
    for field in fields.values():
        assert field.image.max() == 255
        expected = image_types.statistics(np.stack([dim] * 3, axis=2))
        assert field.attributes["colour_statistics"] == pytest.approx(expected.tolist(), abs=1e-6)
        assert field.attributes["image_type"] == "fluorescence"


def test_archives_that_do_not_fit(tmp_path: Path) -> None:
    write(tmp_path, {"im": GREY}, {"im/a": square(0, 5), "gone/b": square(0, 5)})
    with pytest.raises(KaryobenchError, match=r"'gone/masks/b\.png' has no image 'gone'"):
        read("dsb2018", tmp_path)
    write(tmp_path, {"im": GREY}, {"im/a": square(0, 5)[:-1]})
    with pytest.raises(KaryobenchError, match=r"'im/masks/a\.png' has shape \(19, 30\), its image \(20, 30\)"):
        read("dsb2018", tmp_path)


def test_a_truncated_image_within_an_archive(tmp_path: Path) -> None:
    whole = encoded(RNG.integers(0, 255, (20, 30), np.uint8), ".png")
    write_zip(tmp_path / "stage1_train.zip", {"im/images/im.png": whole[:200]})
    with pytest.raises(KaryobenchError, match=r"stage1_train\.zip: member 'im/images/im\.png': damaged, truncated"):
        read("dsb2018", tmp_path)
