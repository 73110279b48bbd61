"""What a threshold of each patch does to likely stroma, against the whole image's threshold of the tutorial."""

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_objects

from karyobench.datasets import readers
from karyobench.systems.windows.sampling import likely_stroma

WINDOW, BLOB, SIDE, IMAGES = 50, 100, 160, 6


def test_a_patch_of_stroma_alone_is_split_at_its_darker_half() -> None:
    image = np.full((SIDE, SIDE, 3), 200, np.uint8)
    image[:, 80:] = 205
    found = likely_stroma(image, WINDOW, BLOB)
    # The window of a pixel reaches 25 pixels back and 24 ahead.
    assert not found[:, :105].any()
    assert found[:, 105:].all()


def test_patches_find_most_of_what_whole_images_do_and_hardly_a_nucleus(mirror: Path) -> None:
    archive = mirror / "monuseg" / "MoNuSeg 2018 Training Data.zip"
    if not archive.is_file():
        pytest.skip(f"the mirror has no {archive}")
    fields = readers.find("monuseg")(archive.parent, {"dataset": "monuseg", "files": {archive.name: {}}}, {})
    found, whole, wrong, nuclei, pixels = np.zeros(5)
    for _, field in zip(range(IMAGES), fields, strict=False):
        threshold = threshold_otsu(field.image[..., 0])
        for row in range(0, 960, SIDE):
            for column in range(0, 960, SIDE):
                place = np.s_[row : row + SIDE, column : column + SIDE]
                stroma, nucleus = likely_stroma(field.image[place], WINDOW, BLOB), field.instances[place] > 0
                found, wrong = found + stroma.sum(), wrong + (stroma & nucleus).sum()
                whole += by_threshold(field.image[place], threshold).sum()
                nuclei, pixels = nuclei + nucleus.sum(), pixels + nucleus.size
    assert 0.7 < found / whole < 0.85
    assert wrong / found < 0.02
    assert nuclei / pixels == pytest.approx(0.25, abs=0.02)


def by_threshold(image: np.ndarray, threshold: float) -> np.ndarray:
    """The same recipe with a threshold from elsewhere."""
    blobs = remove_small_objects(image[..., 0] <= threshold, max_size=BLOB)
    return ~ndimage.maximum_filter(blobs, size=WINDOW, mode="constant")
