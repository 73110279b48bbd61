"""Scatter plots of a leaderboard: one dot per image and experiment, its score against a property of the image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from karyobench.reporting.entries import Entry
from karyobench.reporting.gallery import spread
from karyobench.reporting.runs import Board

MOST_IMAGES = 150
WIDTH, HEIGHT = 480, 320
FRAME = {"left": 40, "right": WIDTH - 22, "top": 10, "bottom": HEIGHT - 44}
"""Sides of the rectangle that holds the dots, from the drawing's upper left corner."""

_MICRONS_PER_MM = 1000
_PIXELS_PER_MEGAPIXEL = 10**6


@dataclass(frozen=True)
class Dot:
    """One image of a series. x, y: place in the drawing; value: what lies on the horizontal axis."""

    image: str
    x: float
    y: float
    score: float
    value: float


@dataclass(frozen=True)
class Plot:
    """A drawing of WIDTH x HEIGHT. ticks: place and text; series: dots of each experiment from left to right."""

    title: str
    label: str
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    series: dict[str, list[Dot]]


def properties(board: Board) -> pd.DataFrame:
    """Per image: image, n_true, `density` of objects, and `size`, the mean area of an object (or NaN).

    Per square millimetre and in square microns where the size of a pixel is known, else per megapixel and in pixels.
    Points have no size.
    """
    counts, mpp = board.images, board.config["dataset_facts"].get("mpp")
    area = board.kind.pixels(counts)
    found = counts[["image", "n_true"]].copy()
    found["density"] = counts["n_true"] / area * ((_MICRONS_PER_MM / mpp) ** 2 if mpp else _PIXELS_PER_MEGAPIXEL)
    if board.kind.foreground:
        mean = board.kind.foreground(counts) / counts["n_true"].where(counts["n_true"] > 0)
        found["size"] = mean * (mpp**2 if mpp else 1)
    return found


def units(board: Board) -> dict[str, str]:
    """Unit of each numeric property."""
    known = board.config["dataset_facts"].get("mpp")
    size = {"size": "µm²" if known else "pixels"} if board.kind.foreground else {}
    return {"density": "per mm²" if known else "per megapixel"} | size


def plots(firsts: Sequence[Entry], score: str, label: str) -> list[Plot]:
    """The score of each image against the density and against the mean size of its objects.

    firsts: the first seed of each experiment. Of many images, MOST_IMAGES that are evenly spread over the property.
    """
    board = firsts[0].board
    names = {"density": "density of objects", "size": "mean size of an object"}
    found = properties(board)
    made = []
    for kind, unit in units(board).items():
        known = found.dropna(subset=[kind]).sort_values([kind, "image"])
        shown = known.set_index("image").loc[spread(known["image"].tolist(), MOST_IMAGES), kind]
        if shown.nunique() > 1:
            made.append(_plot(f"{label} and {names[kind]}", f"{names[kind]}, {unit}", shown, firsts, score))
    return made


def _plot(title: str, label: str, values: pd.Series, firsts: Sequence[Entry], score: str) -> Plot:
    ticks = MaxNLocator(6).tick_values(values.min(), values.max())
    x = _axis(ticks[0], ticks[-1], FRAME["left"], FRAME["right"])
    y = _axis(0, 1, FRAME["bottom"], FRAME["top"])
    series = {}
    for entry in firsts:
        scores = entry.images.set_index("image")[score]
        dots = ((image, value, scores[image]) for image, value in values.items() if np.isfinite(scores[image]))
        series[entry.run.experiment] = [Dot(i, x(value), y(score), score, value) for i, value, score in dots]
    y_ticks = [(y(tick), f"{tick:.1f}") for tick in np.linspace(0, 1, 6)]
    return Plot(title, label, [(x(tick), f"{tick:,.6g}") for tick in ticks], y_ticks, series)


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Function from a value to its place, rounded to a tenth; low and high differ."""
    return lambda value: round(float(start + (value - low) / (high - low) * (end - start)), 1)
