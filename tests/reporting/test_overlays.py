"""Outlines and errors to the pixel, windows against brute force."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from karyobench.metrics.contingency import contingency
from karyobench.reporting.overlays import COLOURS, ERRORS, densest_window, errors, outlines, save_image, save_layer

_PICTURE = """
    ........
    .xxxx...
    .x..x...
    .x..x...
    .xxxx...
    ........
"""


def rectangles(*boxes: tuple[int, int, int, int], shape: tuple[int, int] = (6, 8)) -> np.ndarray:
    """Instance map with one rectangle (r0, c0, r1, c1) per label."""
    labels = np.zeros(shape, np.int32)
    for label, (r0, c0, r1, c1) in enumerate(boxes, 1):
        labels[r0:r1, c0:c1] = label
    return labels


def colours(path: Path, drawn: np.ndarray, line: str = "right") -> np.ndarray:
    """RGBA of a saved layer."""
    save_layer(path, drawn, line)
    return np.array(Image.open(path).convert("RGBA"))


def rgb(name: str) -> list[int]:
    """Red, green and blue of a colour."""
    return list(bytes.fromhex(COLOURS[name][1:]))


def judged(folder: Path, truth: np.ndarray, predicted: np.ndarray, window: tuple[int, int, int, int] | None = None):
    """RGBA of the layer of errors."""
    table = contingency(truth, predicted)
    return colours(folder / "errors.png", errors(truth, predicted, table, window or (0, 0, *truth.shape)))


def test_outlines_are_the_inner_border_pixels() -> None:
    drawn = np.array([[letter == "x" for letter in line.strip()] for line in _PICTURE.split()])
    np.testing.assert_array_equal(outlines(rectangles((1, 1, 5, 5))) > 0, drawn)
    assert outlines(np.zeros((4, 4), np.int32)).max() == 0


def test_touching_nuclei_keep_an_outline_each() -> None:
    lines = outlines(rectangles((0, 0, 6, 4), (0, 4, 6, 8)))
    assert np.flatnonzero(lines[3]).tolist() == [3, 4]


def test_layers_have_their_colour_and_are_transparent_elsewhere(tmp_path: Path) -> None:
    labels = rectangles((1, 1, 5, 5))
    for name in ("truth", "prediction"):
        pixels = colours(tmp_path / f"{name}.png", outlines(labels), name)
        np.testing.assert_array_equal(pixels[..., 3] == 255, outlines(labels) > 0)
        np.testing.assert_array_equal(pixels[..., 3] == 0, outlines(labels) == 0)
        assert pixels[1, 1, :3].tolist() == rgb(name)


def test_right_objects_are_outlined_and_wrong_ones_filled_in_their_colour(tmp_path: Path) -> None:
    shape = (40, 40)
    truth = rectangles(
        *((1, 1, 9, 9), (1, 21, 9, 29)),  # right; missed
        *((21, 1, 29, 5), (21, 5, 29, 9)),  # merged
        (21, 21, 29, 29),  # split
        shape=shape,
    )
    predicted = rectangles(
        *((1, 1, 9, 9), (1, 31, 9, 39)),  # right; false
        (21, 1, 29, 9),  # merged
        *((21, 21, 25, 29), (25, 21, 29, 29)),  # split
        shape=shape,
    )
    pixels = judged(tmp_path, truth, predicted)
    inside = {"missed": (5, 25), "false": (5, 35), "merged": (25, 6), "split": (23, 25)}
    for kind, (row, column) in inside.items():
        assert pixels[row, column, :3].tolist() == rgb(kind), kind
        assert 0 < pixels[row, column, 3] < 255, kind
    for kind, at in {
        "missed": (1, 21),
        "false": (1, 31),
        "merged": (21, 1),
        "split": (21, 21),
        "right": (1, 1),
    }.items():
        assert pixels[at].tolist() == [*rgb(kind), 255], kind
    # Within a merge the truth's border is drawn, within a split nucleus that of its parts.
    assert pixels[24, 4].tolist() == [*rgb("merged"), 255]
    assert pixels[24, 25].tolist() == [*rgb("split"), 255]
    assert pixels[5, 5, 3] == 0
    assert pixels[35, 35, 3] == 0


def test_kinds_of_errors_differ_without_colour(tmp_path: Path) -> None:
    fills = {}
    for kind, (truth, predicted) in {
        "missed": (rectangles((0, 0, 30, 30), shape=(30, 30)), np.zeros((30, 30), np.int32)),
        "false": (np.zeros((30, 30), np.int32), rectangles((0, 0, 30, 30), shape=(30, 30))),
        "merged": (
            rectangles((0, 0, 30, 14), (0, 14, 30, 30), shape=(30, 30)),
            rectangles((0, 0, 30, 30), shape=(30, 30)),
        ),
        "split": (
            rectangles((0, 0, 30, 30), shape=(30, 30)),
            rectangles((0, 0, 30, 14), (0, 14, 30, 30), shape=(30, 30)),
        ),
    }.items():
        fills[kind] = judged(tmp_path, truth, predicted)[2:12, 2:12, 3].tobytes()
    assert set(fills) == set(ERRORS)
    assert len(set(fills.values())) == 4


def test_an_object_that_the_window_cuts_is_judged_whole(tmp_path: Path) -> None:
    truth, predicted = rectangles((0, 0, 6, 8)), rectangles((0, 2, 6, 8))
    assert judged(tmp_path, truth, predicted, (0, 0, 6, 2))[..., 3].max() == 0
    assert judged(tmp_path, truth[:, :2], predicted[:, :2])[..., 3].min() > 0


def test_an_image_is_kept_nearly_as_it_is(tmp_path: Path) -> None:
    rows, columns = np.indices((40, 30))
    image = np.stack([100 + 2 * rows, 200 - 3 * columns, 60 + rows + columns], axis=-1).astype(np.uint8)
    save_image(tmp_path / "image.jpg", image)
    kept = np.array(Image.open(tmp_path / "image.jpg"))
    assert kept.shape == image.shape
    assert np.abs(kept.astype(int) - image).max() < 12


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
