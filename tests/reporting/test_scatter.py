"""Scatter plots: properties of images by hand, places of dots, spread of many images."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from karyobench.metrics.kinds import OBJECTS
from karyobench.reporting import scatter
from karyobench.reporting.scatter import FRAME


def board(mpp: float | None, objects: list[int], pixels: list[int]) -> Any:
    """What the plots read of a leaderboard: images of 1000 pixels, of which so many are of objects."""
    counts = pd.DataFrame({"image": [f"i{k:03}" for k in range(len(objects))], "n_true": objects})
    # Of the objects' pixels one is found, if there is any; one pixel outside is found as well.
    counts["pixel_tp"] = np.minimum(pixels, 1)
    counts["pixel_fn"] = np.array(pixels) - counts["pixel_tp"]
    counts["pixel_fp"] = 1
    counts["pixel_tn"] = 999 - np.array(pixels)
    return SimpleNamespace(images=counts, config={"dataset_facts": {"mpp": mpp}}, kind=OBJECTS)


def entry(of: Any, name: str, scores: list[float]) -> Any:
    """The first seed of an experiment."""
    images = pd.DataFrame({"image": of.images["image"], "aji": scores})
    return SimpleNamespace(board=of, run=SimpleNamespace(experiment=name), images=images)


def test_density_and_size_by_hand() -> None:
    # 4 objects of 50 pixels in 1000; half a micron per pixel: 250 square microns, and 12.5 each.
    found = scatter.properties(board(0.5, [4, 0], [200, 0])).set_index("image")
    assert found.loc["i000", "density"] == pytest.approx(4 / 250e-6)
    assert found.loc["i000", "size"] == pytest.approx(12.5)
    assert found.loc["i001", "density"] == 0
    assert np.isnan(found.loc["i001", "size"])
    assert scatter.units(board(0.5, [1], [1])) == {"density": "per mm²", "size": "µm²"}


def test_without_the_size_of_a_pixel_pixels_are_the_unit() -> None:
    found = scatter.properties(board(None, [4], [200])).iloc[0]
    assert (found["density"], found["size"]) == (4000, 50)
    assert scatter.units(board(None, [1], [1])) == {"density": "per megapixel", "size": "pixels"}


def test_dots_lie_where_their_values_say_from_left_to_right() -> None:
    of = board(None, [9, 1, 5, 0], [90, 20, 25, 0])
    density, size = scatter.plots([entry(of, "a", [1.0, 0.0, 0.5, 0.25]), entry(of, "b", [0.0] * 4)], "aji", "AJI")
    dots = density.series["a"]
    assert [dot.image for dot in dots] == ["i003", "i001", "i002", "i000"]
    assert [dot.value for dot in dots] == [0, 1000, 5000, 9000]
    assert dots[-1].y == FRAME["top"]
    assert dots[1].y == FRAME["bottom"]
    assert dots[2].y == (FRAME["top"] + FRAME["bottom"]) / 2
    between = [(dot.x - FRAME["left"]) / (FRAME["right"] - FRAME["left"]) for dot in dots]
    ticks = {text: x for x, text in density.x_ticks}
    assert ticks["0"] == dots[0].x
    assert np.allclose(np.diff(between) / np.diff([0, 1, 5, 9]), between[1] - between[0], atol=1e-3)
    assert [dot.image for dot in size.series["b"]] == ["i002", "i000", "i001"]


def test_an_undefined_score_has_no_dot_and_too_few_images_no_plot() -> None:
    of = board(None, [1, 0], [10, 0])
    (density,) = scatter.plots([entry(of, "a", [float("nan"), 0.5])], "aji", "AJI")
    assert [dot.image for dot in density.series["a"]] == ["i001"]


def test_of_many_images_a_spread_over_the_property_is_drawn() -> None:
    count = 3 * scatter.MOST_IMAGES
    of = board(None, list(range(count)), [500] * count)
    density, _ = scatter.plots([entry(of, "a", [0.5] * count)], "aji", "AJI")
    drawn = [dot.value for dot in density.series["a"]]
    assert len(drawn) == scatter.MOST_IMAGES
    assert drawn[0] == 0
    assert drawn[-1] == (count - 1) * 1000
    assert max(np.diff(drawn)) <= 4000
