"""The training curves as a small SVG, drawn by hand: the environment of the networks has no plotting library."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 480, 200, 56, 34, 24
_POINTS = 200
_TRAINING, _VALIDATION = "#1f6f8b", "#d08a1d"
Points = list[tuple[float, float]]


def drawn(losses: Sequence[float], measures: Mapping[str, Sequence[float]], history: Sequence[dict[str, Any]]) -> str:
    """SVG of the loss against steps and, below it, of each measure, in training and in validation.

    losses, measures: of each step, drawn as means of at most 200 parts of the run. history: a row per validation, with
    `step`, `val_loss` and the measures.
    """
    panels = [_panel("loss", losses, [(row["step"], row["val_loss"]) for row in history])]
    for name in sorted(measures):
        panels.append(_panel(name, measures[name], [(row["step"], row[name]) for row in history]))
    places = (f'<g transform="translate(0,{_HEIGHT * number})">' for number in range(len(panels)))
    parts = [line for place, panel in zip(places, panels, strict=True) for line in (place, *panel, "</g>")]
    return "\n".join([_head(_HEIGHT * len(panels)), *parts, "</svg>", ""])


def _head(height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        'font-family="sans-serif" font-size="11" fill="#444">\n<rect width="100%" height="100%" fill="#fff"/>'
    )


def _panel(name: str, values: Sequence[float], validated: Points) -> list[str]:
    """Elements of one panel; what is not finite is left out."""
    training, validation = _finite(_thinned(values)), _finite(validated)
    known = [value for _, value in training + validation]
    low, high = min(known, default=0.0), max(known, default=1.0)
    span = high - low or 1.0

    def place(point: tuple[float, float]) -> str:
        x = _LEFT + (_WIDTH - _LEFT - 10) * point[0] / len(values)
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - point[1]) / span
        return f"{x:.1f},{y:.1f}"

    lines = [_line(map(place, training), _TRAINING), _line(map(place, validation), _VALIDATION)]
    dots = [f'<circle cx="{x}" cy="{y}" r="2" fill="{_VALIDATION}"/>' for x, y in map(_split, map(place, validation))]
    return [*_axes(name, low, high, len(values)), *lines, *dots]


def _finite(points: Points) -> Points:
    return [point for point in points if math.isfinite(point[1])]


def _thinned(values: Sequence[float]) -> Points:
    """Step and mean value of each of at most 200 parts."""
    parts = np.array_split(np.arange(len(values)), min(len(values), _POINTS))
    return [(float(part.mean()) + 1, float(np.take(values, part).mean())) for part in parts]


def _axes(name: str, low: float, high: float, steps: int) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - 10
    return [
        f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="#888"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 4}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{_LEFT - 6}" y="{bottom}" text-anchor="end">{low:.3g}</text>',
        f'<text x="{_LEFT}" y="{bottom + 15}">0</text>',
        f'<text x="{right}" y="{bottom + 15}" text-anchor="end">{steps}</text>',
        f'<text x="{(_LEFT + right) / 2}" y="{bottom + 28}" text-anchor="middle">training step</text>',
        f'<text x="{_LEFT}" y="14">{escape(name)}: <tspan fill="{_TRAINING}">training</tspan>, '
        f'<tspan fill="{_VALIDATION}">validation</tspan></text>',
    ]


def _line(places: Iterable[str], colour: str) -> str:
    return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _split(place: str) -> list[str]:
    return place.split(",")
