"""Image types from colours: statistics against the standard library's HSV, and clusters that are named rightly."""

import colorsys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.datasets import image_types, images
from karyobench.datasets.image_types import named, statistics

KNOWN = {"fluorescence": 487, "he": 97, "brightfield": 14}
"""DSB 2018 in the mirror: known from saturation and brightness, which part its three kinds without any in between."""

_IMAGES = hnp.arrays(np.uint8, (4, 5, 3))


@given(_IMAGES)
def test_saturation_and_value_are_those_of_hsv(image: np.ndarray) -> None:
    hsv = np.array([colorsys.rgb_to_hsv(*pixel) for pixel in image.reshape(-1, 3) / 255])
    expected = [hsv[:, 1].mean(), hsv[:, 1].std(), hsv[:, 2].mean(), hsv[:, 2].std()]
    np.testing.assert_allclose(statistics(image)[2:], expected, atol=1e-6)


@given(st.tuples(*[st.integers(0, 255)] * 3).filter(lambda colour: len(set(colour)) > 1))
def test_the_hue_of_one_colour_is_that_of_hsv(colour: tuple[int, int, int]) -> None:
    mean, deviation = statistics(np.full((3, 2, 3), colour, np.uint8))[:2]
    apart = mean / (2 * np.pi) - colorsys.rgb_to_hsv(*colour)[0]
    assert abs((apart + 0.5) % 1 - 0.5) * 360 < 1.2
    assert deviation < 1e-3


@given(_IMAGES)
def test_turning_the_channels_turns_the_hue_by_a_third(image: np.ndarray) -> None:
    before, after = statistics(image), statistics(np.roll(image, 1, axis=2))
    np.testing.assert_allclose(after[2:], before[2:], atol=1e-6)
    if 1e-3 < before[1] < 3:
        assert np.cos(after[0] - before[0]) == pytest.approx(-0.5, abs=1e-3)
        assert after[1] == pytest.approx(before[1], rel=1e-3)


def test_hue_is_circular() -> None:
    """Two reds of hues 10 degrees to either side of 0 have the mean 0, where an arithmetic mean would say 180."""
    image = np.array([[[255, 43, 0], [255, 0, 43]]], np.uint8)
    mean, deviation = statistics(image)[:2]
    assert np.cos(mean) == pytest.approx(1, abs=1e-6)
    assert 9 < np.degrees(deviation) < 11


def test_opposite_hues_have_no_concentration() -> None:
    assert np.exp(-(statistics(np.array([[[200, 0, 0], [0, 200, 200]]], np.uint8))[1] ** 2) / 2) < 1e-6


@given(hnp.arrays(np.uint8, (4, 5)))
def test_grey_has_neither_hue_nor_saturation(grey: np.ndarray) -> None:
    expected = [0, 0, 0, 0, grey.mean() / 255, grey.std() / 255]
    np.testing.assert_allclose(statistics(np.repeat(grey[..., None], 3, axis=2)), expected, atol=1e-12)


def drawn(he: int, fluorescence: int, brightfield: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Statistics like those of DSB 2018, by names that begin with the kind."""
    rng = np.random.default_rng(seed)
    kinds = {
        "he": lambda: [
            rng.uniform(4, 5.8),
            rng.uniform(0.05, 0.9),
            *rng.uniform([0.1, 0.05, 0.5, 0.03], [0.55, 0.3, 0.9, 0.2]),
        ],
        "fluorescence": lambda: [0, 0, 0, 0, *rng.uniform([0.01, 0.01], [0.25, 0.15])],
        "brightfield": lambda: [0, 0, 0, 0, *rng.uniform([0.8, 0.1], [0.86, 0.15])],
    }
    counts = {"he": he, "fluorescence": fluorescence, "brightfield": brightfield}
    return {f"{kind}-{k}": np.array(kinds[kind]()) for kind, count in counts.items() for k in range(count)}


def wrong(found: dict[str, str]) -> list[tuple[str, str]]:
    return [(image_id, kind) for image_id, kind in found.items() if not image_id.startswith(kind)]


@pytest.mark.parametrize("seed", range(5))
def test_three_kinds_in_the_published_proportion(seed: int) -> None:
    assert wrong(named(drawn(107, 541, 16, seed), seed)) == []


@pytest.mark.parametrize(
    "counts", [(0, 30, 0), (30, 0, 0), (0, 0, 30), (30, 200, 0), (0, 200, 20), (30, 0, 8), (1, 1, 1)]
)
def test_where_kinds_are_absent_clusters_share_a_name(counts: tuple[int, int, int]) -> None:
    found = named(drawn(*counts))
    assert len(found) == sum(counts)
    assert wrong(found) == []


def test_fewer_images_than_clusters_and_none() -> None:
    assert named({}) == {}
    assert named(drawn(1, 0, 0)) == {"he-0": "he"}
    same = drawn(0, 1, 0)["fluorescence-0"]
    assert named({"a": same, "b": same, "c": same, "d": same}) == dict.fromkeys("abcd", "fluorescence")


def test_a_faint_tint_does_not_make_tissue() -> None:
    """Grey images under a lamp of one hue: saturation 0.02 throughout, so the hue is as concentrated as can be."""
    tinted = {f"brightfield-{k}": np.array([0.5, 0, 0.02, 0.005, 0.8 + k / 300, 0.1]) for k in range(12)}
    assert wrong(named(drawn(60, 200, 0) | tinted)) == []


def test_the_order_of_images_is_of_no_matter() -> None:
    found = drawn(20, 60, 5)
    assert named(dict(reversed(found.items())), 3) == named(found, 3)


@pytest.fixture(scope="module")
def dsb2018(mirror: Path) -> tuple[list[str], np.ndarray]:
    """Known kind and statistics of each image of the mirror's DSB 2018."""
    path = mirror / "dsb2018/stage1_train.zip"
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    with zipfile.ZipFile(path) as archive:
        members = sorted(name for name in archive.namelist() if "/images/" in name and name.endswith(".png"))
        found = np.array([statistics(images.read_image(archive.read(m), m)[0]) for m in members])
    coloured, bright = found[:, 2] > 0.02, found[:, 4] > 0.4
    return np.where(coloured, "he", np.where(bright, "brightfield", "fluorescence")).tolist(), found


def test_dsb2018_is_typed_without_an_error_whatever_the_seed(dsb2018: tuple[list[str], np.ndarray]) -> None:
    known, found = dsb2018
    assert Counter(known) == KNOWN
    for seed in range(10):
        kinds = named({f"{k:03}": row for k, row in enumerate(found)}, seed)
        assert Counter(zip(known, kinds.values(), strict=True)) == {(kind, kind): n for kind, n in KNOWN.items()}


def test_the_full_set_as_drawn_from_the_images_at_hand(dsb2018: tuple[list[str], np.ndarray]) -> None:
    """107 H&E, 541 fluorescence and 16 bright-field images, drawn with replacement."""
    known, found = np.array(dsb2018[0]), dsb2018[1]
    full = {image_types.HE: 107, image_types.FLUORESCENCE: 541, image_types.BRIGHTFIELD: 16}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        drawn = {kind: rng.choice(np.flatnonzero(known == kind), count) for kind, count in full.items()}
        rows = {f"{kind}-{k}": found[index] for kind, indices in drawn.items() for k, index in enumerate(indices)}
        assert wrong(named(rows, seed)) == []
