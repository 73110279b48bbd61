"""Figures as SVG with text as text, in colours that the page's light and dark themes set."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK, _FAINT, _FIRST, _SECOND = "#010203", "#8b8f94", "#1f6f8b", "#d08a1d"
# Colours that the page may set: the figure keeps a readable default when it is opened on its own.
_THEMED = {_INK: "currentColor", **{c: f"var(--{n}, {c})" for n, c in (("first", _FIRST), ("second", _SECOND))}}
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "karyobench", "font.size": 9, "font.family": "DejaVu Sans"}
_STYLE |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"), _INK)
_STYLE |= {"axes.spines.top": False, "axes.spines.right": False, "grid.color": _FAINT, "grid.alpha": 0.35}
_WIDTH = 4.8


@dataclass(frozen=True)
class Bar:
    """One experiment of a bar chart: AJI and F1 in 0..1, with the interval (low, high) of each where there is one."""

    label: str
    aji: float
    f1: float
    aji_interval: tuple[float, float] | None = None
    f1_interval: tuple[float, float] | None = None
    fake: bool = False


@dataclass(frozen=True)
class Curve:
    """Losses of one training run: steps, loss and validation loss (NaN where it was not measured), equally long."""

    label: str
    steps: Sequence[float]
    loss: Sequence[float]
    val_loss: Sequence[float]


def score_bars(name: str, bars: Sequence[Bar]) -> str:
    """SVG of AJI and F1 per experiment, first on top; fakes are hollow. `name` prefixes the ids within the SVG."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.62 * len(bars) + 0.75), layout="constrained")
        axes = figure.add_subplot(xlim=(0, 1.08), ylim=(len(bars) - 0.2, -0.6), yticks=[], xlabel="score")
        axes.spines["left"].set_visible(False)
        axes.set_xticks(np.linspace(0, 1, 6))
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        for row, bar in enumerate(bars):
            axes.text(0, row - 0.26, bar.label, va="bottom", parse_math=False)
            _bar(axes, row - 0.1, bar.aji, bar.aji_interval, _FIRST, bar.fake, "AJI")
            _bar(axes, row + 0.18, bar.f1, bar.f1_interval, _SECOND, bar.fake, "F1")
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


def _bar(
    axes: Axes, y: float, score: float, interval: tuple[float, float] | None, colour: str, fake: bool, kind: str
) -> None:
    axes.barh(y, score, height=0.26, facecolor="none" if fake else colour, edgecolor=colour, linewidth=1)
    end = score
    if interval is not None:
        axes.plot(interval, (y, y), color=_INK, linewidth=1, solid_capstyle="butt")
        end = max(score, interval[1])
    shown = f"{kind} {score:.3f}" if np.isfinite(score) else f"{kind} undefined"
    axes.annotate(shown, (end if np.isfinite(end) else 0, y), (4, 0), textcoords="offset points", va="center", size=8)


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
