"""Otsu and watershed on drawn images: worked thresholds, channels, cleaning, and touching discs."""

import numpy as np
import pytest
from skimage.color import hed2rgb

from karyobench.errors import KaryobenchError
from karyobench.systems import otsu, watershed
from karyobench.systems.base import Tile
from karyobench.systems.common import cleaned, foreground, nuclear
from karyobench.systems.labels import without_small

CLEANING = {"median": 3, "max_hole": 20, "min_area": 30}
H = {"instances": {**CLEANING, "h": 2}}


def discs(centres, radius, shape=(80, 100)):
    rows, columns = np.indices(shape)
    return np.any([(rows - r) ** 2 + (columns - c) ** 2 <= radius**2 for r, c in centres], axis=0)


def grey(mask, inside, outside):
    return np.repeat(np.where(mask, inside, outside).astype(np.uint8)[..., None], 3, axis=2)


def stained(mask):
    """H&E: hematoxylin where the mask is, eosin all over."""
    hed = np.stack([np.where(mask, 0.12, 0.01), np.full(mask.shape, 0.03), np.zeros(mask.shape)], axis=2)
    return (255 * hed2rgb(hed)).round().astype(np.uint8)


MASK = discs([(20, 20), (50, 70)], 10)
IMAGES = {"fluorescence": grey(MASK, 120, 15), "brightfield": grey(MASK, 60, 220), "he": stained(MASK)}


def tile_of(image, image_type="fluorescence"):
    box = (0, 0, *image.shape[:2])
    return Tile(image, "a", box, "a", box, image_type)


@pytest.mark.parametrize("image_type", sorted(IMAGES))
@pytest.mark.parametrize("system", [otsu, watershed])
def test_the_nuclear_channel_of_each_image_type_separates_the_nuclei(system, image_type):
    maps = system.predict(None, tile_of(IMAGES[image_type], image_type), {})
    assert np.array_equal(maps[0], MASK)


def test_an_unknown_image_type_is_refused():
    with pytest.raises(KaryobenchError, match=r"'fluorescense'.*did you mean 'fluorescence'"):
        nuclear(IMAGES["fluorescence"], "fluorescense")


def test_the_threshold_maximises_the_variance_between_classes():
    image = np.random.default_rng(0).choice([10, 20, 30, 90, 100, 130], size=(40, 50)).astype(np.uint8)
    values = image.ravel().astype(float)

    def between(level):
        low, high = values[values <= level], values[values > level]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max([10, 20, 30, 90, 100], key=between)
    assert np.array_equal(foreground(np.repeat(image[..., None], 3, axis=2), "fluorescence"), image > best)


@pytest.mark.parametrize("system", [otsu, watershed])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_blank_image_has_no_nuclei(system, value):
    image = np.full((40, 50, 3), value, np.uint8)
    maps = system.predict(None, tile_of(image), {})
    assert maps.dtype == np.float32
    assert maps.shape == (1, 40, 50)
    assert not system.instances(maps, H).any()


def test_cleaning_drops_specks_and_fills_small_holes_alone():
    mask = np.zeros((60, 60), bool)
    mask[5:55, 5:55] = True
    mask[10:14, 10:14] = False  # 16 px, filled
    mask[30:36, 30:36] = False  # 36 px, kept
    mask[2, 2] = True
    mask[50, 50] = False
    clean = cleaned(mask, 3, 20)
    assert clean[10:14, 10:14].all()
    assert clean[50, 50]
    assert not clean[2, 2]
    assert not clean[32, 32]


def test_small_objects_go_and_the_others_keep_their_labels():
    labels = np.array([[1, 1, 0], [1, 4, 4], [9, 9, 9]])
    assert without_small(labels, 3).tolist() == [[1, 1, 0], [1, 0, 0], [9, 9, 9]]


def test_otsu_counts_touching_discs_as_one_and_diagonal_neighbours_too():
    maps = discs([(30, 30), (30, 48)], 10)[None].astype(np.float32)
    assert otsu.instances(maps, {"instances": CLEANING}).max() == 1
    corner = np.zeros((1, 30, 30), np.float32)
    corner[0, 5:15, 5:15] = corner[0, 15:25, 15:25] = 1
    labels = otsu.instances(corner, {"instances": {"median": 1, "max_hole": 0, "min_area": 1}})
    assert labels[7, 7] == labels[20, 20] > 0


def test_watershed_cuts_touching_discs_at_the_waist():
    mask = discs([(30, 30), (30, 48)], 10)
    labels = watershed.instances(mask[None].astype(np.float32), H)
    assert sorted(np.unique(labels).tolist()) == [0, 1, 2]
    left, right = np.where(np.arange(100) < 38, labels, 0), np.where(np.arange(100) > 40, labels, 0)
    assert np.unique(left[left > 0]).tolist() == [labels[30, 30]]
    assert np.unique(right[right > 0]).tolist() == [labels[30, 48]]
    assert labels[30, 30] != labels[30, 48]


def test_watershed_ignores_a_waist_shallower_than_h():
    mask = discs([(30, 30), (30, 48)], 10)[None].astype(np.float32)
    # discs of radius 10, 18 apart: half the waist is sqrt(100 - 81) = 4.4 px, about 5 below the tops
    for h, nuclei in ((1, 2), (3, 2), (7, 1)):
        assert watershed.instances(mask, {"instances": {**CLEANING, "h": h}}).max() == nuclei


def test_a_component_thinner_than_h_is_kept():
    mask = np.zeros((20, 60), bool)
    mask[4:7, 4:54] = True
    mask[10:18, 10:18] = True
    labels = watershed.instances(mask[None].astype(np.float32), H)
    assert len(np.unique(labels[4:7, 6:52])) == 1
    assert labels[5, 30] > 0
    assert labels[14, 14] not in (0, labels[5, 30])


@pytest.mark.parametrize("system", [otsu, watershed])
def test_objects_below_min_area_are_dropped(system):
    mask = discs([(20, 20)], 10) | discs([(60, 60)], 3)
    kept = system.instances(mask[None].astype(np.float32), {"instances": {**CLEANING, "h": 1}})
    assert (kept[20, 20] > 0, kept[60, 60]) == (True, 0)
