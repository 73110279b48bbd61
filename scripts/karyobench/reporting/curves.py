"""Figures as SVG with text as text, in colours that the page's light and dark themes set."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

_INK, _PAPER, _FAINT, _FIRST, _SECOND = "#010203", "#fdfefd", "#8b8f94", "#1f6f8b", "#d08a1d"
# Colours that the page may set: the figure keeps a readable default when it is opened on its own.
_NAMES = {_PAPER: "paper", _FIRST: "first", _SECOND: "second"}
_THEMED = {_INK: "currentColor", **{colour: f"var(--{name}, {colour})" for colour, name in _NAMES.items()}}
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "karyobench", "font.size": 9, "font.family": "DejaVu Sans"}
_STYLE |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), _INK)
_STYLE |= {"axes.spines.top": False, "axes.spines.right": False, "grid.color": _FAINT, "grid.alpha": 0.35}
_WIDTH = 4.8
_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
_POINTS, _MARKED = 400, 60


@dataclass(frozen=True)
class Interval:
    """A score with its interval (low, high) where there is one; level: it cannot be told from the best."""

    label: str
    score: float
    ends: tuple[float, float] | None
    level: bool


@dataclass(frozen=True)
class Curve:
    """One training run: steps, loss, validation loss and the system's measures by name, equally long.

    measures: of validation. training: of each step's own batch. NaN where a step has no such value.
    """

    label: str
    steps: Sequence[float]
    loss: Sequence[float]
    val_loss: Sequence[float]
    measures: Mapping[str, Sequence[float]] = field(default_factory=dict)
    training: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Timed:
    """Loss of one training run at seconds from its start, and when it first was as low as a level."""

    label: str
    seconds: Sequence[float]
    loss: Sequence[float]
    reached: float


@dataclass(frozen=True)
class Roc:
    """A ROC curve: false and true positive rates from (0, 0) to (1, 1), NaN where there are no such images."""

    label: str
    false_rates: Sequence[float]
    true_rates: Sequence[float]


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
    """SVG with panels for each experiment, its seeds drawn together: the losses, then each measure.

    Losses of different systems do not compare, so experiments share no panel.
    """
    panels = [(curves, what) for curves in runs for what in (None, *_measures(curves[0]))]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 1.75 * len(panels) + 0.2), layout="constrained")
        for axes, (curves, what) in zip(figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
            _panel(axes, curves, what)
        axes.set_xlabel("training step")
        return _svg(figure, name)


def _measures(curve: Curve) -> list[str]:
    """Measures that were taken in validation, in training, or in both."""
    return list(dict.fromkeys([*curve.measures, *curve.training]))


def _panel(axes: Axes, curves: Sequence[Curve], measure: str | None) -> None:
    """One measure, or the losses, of some runs."""
    axes.grid(axis="y")
    axes.set_ylabel(measure or "loss")
    for curve in curves:
        training = curve.loss if measure is None else curve.training.get(measure)
        validation = curve.val_loss if measure is None else curve.measures.get(measure)
        if training is not None:
            _line(axes, curve.steps, training, _FIRST, "training")
        if validation is not None:
            _line(axes, curve.steps, validation, _SECOND, "validation", "o")
    if measure is None:
        axes.set_title(curves[0].label, loc="left", fontsize=9, parse_math=False)
        _label_ends(axes)


def loss_against_time(name: str, runs: Sequence[Timed], level: float) -> str:
    """SVG of losses against time; a mark on each where it first is as low as `level`."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
        axes = figure.add_subplot(xlabel="seconds of training", ylabel="training loss, smoothed")
        axes.grid(axis="y")
        axes.axhline(level, color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
        for number, run in enumerate(runs):
            colour, style = (_FIRST, _SECOND, _INK)[number % 3], _DASHES[number // 3 % len(_DASHES)]
            axes.plot(run.seconds, run.loss, color=colour, linestyle=style, linewidth=1.4, label=run.label)
            axes.plot([run.reached], [level], "o", color=colour, markersize=5)
        axes.legend(frameon=False, fontsize=8, loc="upper right")
        return _svg(figure, name)


def roc_curves(name: str, drawn: Sequence[Roc]) -> str:
    """SVG of ROC curves in one square, with the diagonal of a system that guesses; areas stand in the legend."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _WIDTH), layout="constrained")
        axes = figure.add_subplot(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.set(xlabel="false positive rate", ylabel="true positive rate")
        axes.grid()
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1, linestyle=(0, (4, 3)))
        for number, one in enumerate(drawn):
            area = np.trapezoid(one.true_rates, one.false_rates)
            colour, style = (_FIRST, _SECOND, _INK)[number % 3], _DASHES[number // 3 % len(_DASHES)]
            label = f"{one.label}: {area:.3f}"
            axes.plot(one.false_rates, one.true_rates, color=colour, linestyle=style, linewidth=1.6, label=label)
        axes.legend(frameon=False, fontsize=8, loc="lower right", title="area under the curve", title_fontsize=8)
        return _svg(figure, name)


def confusion_matrix(name: str, table: pd.DataFrame) -> str:
    """SVG of a table of counts by true (rows) and told class, each cell as dark as its share of its row."""
    counts = table.to_numpy(float)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.55 * len(table) + 1.0), layout="constrained")
        axes = figure.add_subplot(xlim=(-0.5, counts.shape[1] - 0.5), ylim=(len(table) - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        axes.tick_params(length=0)
        axes.set_xticks(range(counts.shape[1]), table.columns, parse_math=False)
        axes.set_yticks(range(len(table)), table.index, parse_math=False)
        axes.set(xlabel="told class", ylabel="true class")
        for (row, column), share in np.ndenumerate(shares):
            colour = _FIRST if table.columns[column] == table.index[row] else _SECOND
            axes.add_patch(Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, color=colour, alpha=0.08 + 0.5 * share))
            told = f"{counts[row, column]:.0f} ({100 * share:.1f} %)"
            axes.text(column, row, told, ha="center", va="center")
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


def _line(
    axes: Axes, steps: Sequence[float], values: Sequence[float], colour: str, label: str, marker: str | None = None
) -> None:
    """A line through the finite values, as means of neighbours where there are more than an eye can tell apart."""
    known = np.flatnonzero(np.isfinite(values))
    parts = np.array_split(known, min(len(known), _POINTS)) if len(known) else []
    points = [[np.mean(np.asarray(of)[part]) for part in parts] for of in (steps, values)]
    marker = marker if len(parts) <= _MARKED else None
    axes.plot(*points, marker=marker, color=colour, label=label, linewidth=1.4, markersize=3)


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
