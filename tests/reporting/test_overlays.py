"""Outlines to the pixel, windows and gallery choices against brute force."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from karyobench.reporting.gallery import choose
from karyobench.reporting.overlays import densest_window, outlines, save_outlines

_PICTURE = """
    ........
    .ttbppp.
    .t.bp.p.
    .t.bp.p.
    .ttbppp.
    ........
"""
_KINDS = {".": 0, "t": 1, "p": 2, "b": 3}


def drawn(picture: str) -> np.ndarray:
    """The picture as an array of outline kinds."""
    return np.array([[_KINDS[letter] for letter in line.strip()] for line in picture.split()], np.uint8)


def rectangles(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (6, 8)) -> np.ndarray:
    """Instance map with one rectangle (r0, c0, r1, c1) per label."""
    labels = np.zeros(shape, np.int32)
    for label, (r0, c0, r1, c1) in enumerate(boxes, 1):
        labels[r0:r1, c0:c1] = label
    return labels


def test_outlines_are_the_inner_border_pixels() -> None:
    truth, prediction = rectangles((1, 1, 5, 4)), rectangles((1, 3, 5, 4), (1, 4, 5, 7))
    np.testing.assert_array_equal(outlines(truth, prediction), drawn(_PICTURE))


def test_touching_nuclei_keep_an_outline_each() -> None:
    lines = outlines(rectangles((0, 0, 6, 4), (0, 4, 6, 8)), None)
    assert np.flatnonzero(lines[3]).tolist() == [3, 4]


def test_a_missing_prediction_leaves_the_truth_alone() -> None:
    truth = rectangles((1, 1, 4, 4))
    assert set(np.unique(outlines(truth, None))) == {0, 1}
    assert outlines(np.zeros_like(truth), None).max() == 0


def test_outline_files_hold_the_colours_and_are_transparent_elsewhere(tmp_path: Path) -> None:
    save_outlines(tmp_path / "lines.png", drawn(_PICTURE))
    pixels = np.array(Image.open(tmp_path / "lines.png").convert("RGBA"))
    assert pixels[0, 0, 3] == 0
    assert pixels[1, 1].tolist() == [0x00, 0xD0, 0xFF, 255]
    assert pixels[1, 4].tolist() == [0xFF, 0x95, 0x00, 255]
    assert pixels[1, 3].tolist() == [255, 255, 255, 255]
    np.testing.assert_array_equal(pixels[..., 3] > 0, drawn(_PICTURE) > 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_the_densest_window_holds_the_most_nucleus_pixels(height: int, width: int, side: int, seed: int) -> None:
    labels = (np.random.default_rng(seed).random((height, width)) < 0.1).astype(np.int32)
    r0, c0, r1, c1 = densest_window(labels, side)
    high, wide = min(side, height), min(side, width)
    starts = [sorted({*range(0, n - m + 1, 16), n - m}) for n, m in ((height, high), (width, wide))]
    held = {(r, c): np.count_nonzero(labels[r : r + high, c : c + wide]) for r in starts[0] for c in starts[1]}
    assert (r1 - r0, c1 - c0) == (high, wide)
    assert (r0, c0) == min(held, key=lambda at: (-held[at], at))


def test_a_nucleus_far_from_the_corner_is_in_the_window() -> None:
    labels = rectangles((90, 70, 99, 79), shape=(100, 80))
    r0, c0, r1, c1 = densest_window(labels, 32)
    assert np.count_nonzero(labels[r0:r1, c0:c1]) == 81


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=9))
def test_best_median_and_worst_by_aji(scores: list[float]) -> None:
    names = [f"image{k}" for k in range(len(scores))]
    chosen = choose(pd.DataFrame({"image": names, "aji": scores}))
    image_of = {role: image for image, roles in chosen.items() for role in roles.split(" and ")}
    aji_of = dict(zip(names, scores, strict=True))
    assert set(image_of) == {"best", "median", "worst"}
    assert aji_of[image_of["best"]] == max(scores)
    assert aji_of[image_of["worst"]] == min(scores)
    assert aji_of[image_of["median"]] == sorted(scores)[(len(scores) - 1) // 2]
    assert image_of["best"] == min(n for n in names if aji_of[n] == max(scores))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"a": 0.3}, {"a": "best and median and worst"}),
        ({"a": 0.3, "b": 0.6}, {"b": "best", "a": "median and worst"}),
        ({"a": 0.3, "b": 0.6, "c": 0.5}, {"b": "best", "c": "median", "a": "worst"}),
    ],
)
def test_few_images_share_the_roles(scores: dict[str, float], expected: dict[str, str]) -> None:
    chosen = choose(pd.DataFrame({"image": list(scores), "aji": list(scores.values())}))
    assert chosen == expected
    assert list(chosen) == list(expected)
