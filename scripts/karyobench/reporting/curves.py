"""Figures as SVG with text as text, in colours that the page's light and dark themes set."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK, _PAPER, _FAINT, _FIRST, _SECOND = "#010203", "#fdfefd", "#8b8f94", "#1f6f8b", "#d08a1d"
# Colours that the page may set: the figure keeps a readable default when it is opened on its own.
_NAMES = {_PAPER: "paper", _FIRST: "first", _SECOND: "second"}
_THEMED = {_INK: "currentColor", **{colour: f"var(--{name}, {colour})" for colour, name in _NAMES.items()}}
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "karyobench", "font.size": 9, "font.family": "DejaVu Sans"}
_STYLE |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), _INK)
_STYLE |= {"axes.spines.top": False, "axes.spines.right": False, "grid.color": _FAINT, "grid.alpha": 0.35}
_WIDTH = 4.8


@dataclass(frozen=True)
class Interval:
    """A score with its interval (low, high) where there is one; level: it cannot be told from the best."""

    label: str
    score: float
    ends: tuple[float, float] | None
    level: bool


@dataclass(frozen=True)
class Curve:
    """Losses of one training run: steps, loss and validation loss (NaN where it was not measured), equally long."""

    label: str
    steps: Sequence[float]
    loss: Sequence[float]
    val_loss: Sequence[float]


def score_intervals(name: str, label: str, intervals: Sequence[Interval]) -> str:
    """SVG of a score per experiment, first on top; `name` prefixes the ids within the SVG.

    Filled marks are the best and what is level with it; a line leads down from the best.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.46 * len(intervals) + 0.6), layout="constrained")
        axes = figure.add_subplot(ylim=(len(intervals) - 0.6, -0.8), yticks=[], xlabel=label)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.axvline(intervals[0].score, color=_FIRST, linewidth=1, linestyle=(0, (4, 3)))
        for row, one in enumerate(intervals):
            _interval(axes, row, one)
        return _svg(figure, name)


def training_curves(name: str, runs: Sequence[Sequence[Curve]]) -> str:
    """SVG with one panel per experiment (losses of different systems do not compare), its seeds drawn together."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 1.75 * len(runs) + 0.2), layout="constrained")
        for axes, curves in zip(figure.subplots(len(runs), squeeze=False)[:, 0], runs, strict=True):
            axes.set_title(curves[0].label, loc="left", fontsize=9, parse_math=False)
            axes.grid(axis="y")
            for curve in curves:
                _curve(axes, curve)
            axes.set_ylabel("loss")
            _label_ends(axes)
        axes.set_xlabel("training step")
        return _svg(figure, name)


def _interval(axes: Axes, row: int, one: Interval) -> None:
    colour = _FIRST if one.level else _SECOND
    told = f"{one.label}: {one.score:.3f}"
    if one.ends is not None:
        axes.plot(one.ends, (row, row), color=colour, linewidth=2, solid_capstyle="butt")
        told += f" ({one.ends[0]:.3f}–{one.ends[1]:.3f})"
    axes.plot([one.score], [row], "o", color=colour, markerfacecolor=colour if one.level else _PAPER, markersize=7)
    # Above the mark, from the left edge: a long name costs no width, and meets no mark.
    axes.text(0, row - 0.22, told, transform=axes.get_yaxis_transform(), va="bottom", parse_math=False)


def _curve(axes: Axes, curve: Curve) -> None:
    for values, colour, style, label in (
        (curve.loss, _FIRST, "-", "training"),
        (curve.val_loss, _SECOND, "o-", "validation"),
    ):
        known = np.isfinite(values)
        axes.plot(
            np.asarray(curve.steps)[known],
            np.asarray(values)[known],
            style,
            color=colour,
            label=label,
            linewidth=1.4,
            markersize=3,
        )


def _label_ends(axes: Axes) -> None:
    """A legend that names each kind of line once, however many seeds are drawn."""
    lines = {line.get_label(): line for line in axes.get_lines()}
    axes.legend(lines.values(), lines, frameon=False, fontsize=8, loc="upper right")


def _svg(figure: Figure, name: str) -> str:
    """The figure's <svg> element: ids prefixed, so that many figures fit on a page, and colours left to the page."""
    stream = io.StringIO()
    bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=bare)
    svg = stream.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(<\w+ id="| xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    for drawn, themed in _THEMED.items():
        svg = svg.replace(drawn, themed)
    return svg
