"""The figure of a stain on a dataset: images before and after, their colours in optical density, and stain vectors."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from karyobench import files
from karyobench.stain import density
from karyobench.stain.figure import Example, examples
from karyobench.stain.normalize import NORMALISED

_BEFORE, _AFTER, _REFERENCE = "#d08a1d", "#1f6f8b", "#101214"
_STYLE = {"svg.fonttype": "none", "svg.hashsalt": "karyobench", "font.size": 8, "font.family": "DejaVu Sans"}
_STYLE |= {"axes.spines.top": False, "axes.spines.right": False, "xtick.labelsize": 7, "ytick.labelsize": 7}
_WIDTH, _ROW, _HEAD, _FOOT = 8.6, 2.72, 0.35, 0.28
_PICTURE = 2.2
# Left edge and width in inches of before, after, plane and chips.
_COLUMNS = ((0.1, _PICTURE), (2.38, _PICTURE), (5.1, 1.85), (7.15, 1.35))
_NAME = 44
_DENSEST = 2.2
_QUALITY = 88


def write(before: str | Path, after: str | Path, output: str | Path, config: dict[str, Any]) -> None:
    """Write the figure of one dataset under one stain as SVG.

    before, after: the dataset as ingested and as normalised. config: {"name", "stain", "dataset"}. Equal inputs give
    equal bytes. Raises KaryobenchError when a file cannot be read.
    """
    shown, reference = examples(before, after, config["stain"])
    whose = " (stain vectors by Macenko's method)" if reference is None else ""
    files.write_text(output, draw(shown, reference, f"{config['name']} on {config['dataset']}{whose}"))


def draw(shown: list[Example], reference: np.ndarray | None, title: str) -> str:
    """SVG with one row per image. reference: float64 (3, 2), stain vectors, or None where the method has none."""
    height = _HEAD + _ROW * len(shown) + _FOOT
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, height), facecolor="white")
        head = title if shown else f"{title}: no image of H&E"
        figure.text(0.1 / _WIDTH, 1 - 0.2 / height, head, fontsize=10, va="center", parse_math=False)
        for row, example in enumerate(shown):
            bottom = height - _HEAD - (row + 1) * _ROW
            _title(figure, example, (bottom + _PICTURE + 0.3) / height)
            boxes = [(x / _WIDTH, bottom / height, w / _WIDTH, _PICTURE / height) for x, w in _COLUMNS]
            _row([figure.add_axes(box) for box in boxes], example, reference)
        return _svg(figure)


def _title(figure: Figure, example: Example, height: float) -> None:
    name = example.id if len(example.id) <= _NAME else f"{example.id[: _NAME - 1]}…"
    told = ", ".join(filter(None, [name, example.group, "" if example.note == NORMALISED else example.note]))
    figure.text(0.1 / _WIDTH, height, told, va="center", parse_math=False)


def _row(columns: list[Axes], example: Example, reference: np.ndarray | None) -> None:
    for axes, look, name, colour in zip(
        columns, (example.before, example.after), ("before", "after"), (_BEFORE, _AFTER), strict=False
    ):
        axes.imshow(look.crop, interpolation="none")
        axes.set(xticks=[], yticks=[], anchor="N")
        axes.spines[:].set(visible=True, color=colour, linewidth=1.5)
        axes.set_title(name, loc="left", fontsize=8, pad=3, color=colour)
    _plane(columns[2], example, reference)
    looks = {"before": example.before.vectors, "after": example.after.vectors}
    _chips(columns[3], looks if reference is None else looks | {"reference": reference})


def _plane(axes: Axes, example: Example, reference: np.ndarray | None) -> None:
    """Colours and stain vectors by their densities in red and green, which tell hematoxylin from eosin."""
    axes.set(xlim=(-0.1, _DENSEST), ylim=(-0.1, _DENSEST), aspect="equal", xticks=[0, 1, 2], yticks=[0, 1, 2])
    axes.set_xlabel("optical density in red", labelpad=1)
    axes.set_ylabel("in green", labelpad=3)
    for look, colour in ((example.before, _BEFORE), (example.after, _AFTER)):
        axes.scatter(*look.colours[:, :2].T, s=2, color=colour, alpha=0.3, linewidths=0, rasterized=True)
    for vectors, colour, style in _vectors(example, reference):
        for x, y in 0.88 * _DENSEST * vectors[:2].T:
            axes.plot((0, x), (0, y), style, color=colour, linewidth=1.6, solid_capstyle="round")


def _vectors(example: Example, reference: np.ndarray | None) -> list[tuple[np.ndarray, str, str]]:
    """Stain vectors that there are, with the colour and the style of their lines."""
    known = ((example.before.vectors, _BEFORE, "-"), (example.after.vectors, _AFTER, "-"), (reference, _REFERENCE, ":"))
    return [(vectors, colour, style) for vectors, colour, style in known if vectors is not None]


def _chips(axes: Axes, stains: dict[str, np.ndarray | None]) -> None:
    """A patch of each stain's colour at a density of one."""
    axes.set(xlim=(0, 2), ylim=(3, 0))
    axes.set_axis_off()
    for row, (name, vectors) in enumerate(stains.items()):
        colour = {"before": _BEFORE, "after": _AFTER, "reference": _REFERENCE}[name]
        axes.text(0.04, row + 0.12, name if vectors is not None else f"{name}: no stains", color=colour, va="center")
        for stain, label in enumerate(("hematoxylin", "eosin") if vectors is not None else ()):
            light = np.clip(density.TRANSMITTED * np.exp(-vectors[:, stain]) / 255, 0, 1)
            axes.add_patch(Rectangle((stain + 0.04, row + 0.24), 0.92, 0.6, facecolor=light))
            axes.text(stain + 0.5, row + 0.54, label, color="white", fontsize=6.5, ha="center", va="center")


def _svg(figure: Figure) -> str:
    """The figure with its photographs as JPEG, a tenth of their size as PNG."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return re.sub(r"data:image/png;base64,\s*([A-Za-z0-9+/=\s]+)", lambda found: _compact(found[1]), stream.getvalue())


def _compact(png: str) -> str:
    """Address of an image's bytes: JPEG where it is opaque."""
    raw = base64.b64decode(png)
    image, kind = Image.open(io.BytesIO(raw)).convert("RGBA"), "png"
    if image.getextrema()[3][0] == 255:
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "JPEG", quality=_QUALITY)
        raw, kind = stream.getvalue(), "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(raw).decode()}"
