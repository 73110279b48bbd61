"""What a figure of a stain shows of a dataset: some of its images before and after, and their stain vectors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import store
from karyobench.stain import PARAMETERS, density, macenko
from karyobench.stain.normalize import HE, method_of

EXAMPLES = 4
_CROP = 256
_PIXELS = 1500


@dataclass(frozen=True)
class Look:
    """An image before or after normalisation.

    crop: uint8 (h, w, 3), its middle, at most 256 pixels a side. colours: float64 (n, 3), the optical densities of some
    of its pixels. vectors: float64 (3, 2), the densities of hematoxylin and eosin in red, green, blue, or None.
    """

    crop: np.ndarray
    colours: np.ndarray
    vectors: np.ndarray | None


@dataclass(frozen=True)
class Example:
    """One image: its id, its organ or collection (empty where it has none), its stain note, and both looks."""

    id: str
    group: str
    note: str
    before: Look
    after: Look


def examples(before: str | Path, after: str | Path, record: dict[str, Any]) -> tuple[list[Example], np.ndarray | None]:
    """Up to four H&E images of a dataset, and the reference's stain vectors, float64 (3, 2).

    before, after: the dataset as ingested and as normalised. record: the stain's. A method without stain vectors has
    None for the reference's, and Macenko's for the images.
    """
    with store.reading(before) as source, store.reading(after) as done:
        reference = done.about.get("stain_matrix")
        vectors_of = method_of(record)[1] if reference is not None else partial(macenko.fit, **PARAMETERS["macenko"])
        chosen = choose({i: source.attributes(i) for i in source.ids})
        shown = [_example(source.field(i), done.field(i), vectors_of) for i in chosen]
    return shown, None if reference is None else np.asarray(reference, float)


def choose(images: dict[str, dict[str, Any]]) -> list[str]:
    """Ids of the images to show: of each organ or collection the first, then others at even distances.

    images: attributes by id.
    """
    eligible = sorted(image_id for image_id in images if images[image_id]["image_type"] == HE)
    firsts = {_group(images[image_id]): image_id for image_id in reversed(eligible)}
    chosen = [firsts[group] for group in sorted(firsts)][:EXAMPLES]
    others = [image_id for image_id in eligible if image_id not in chosen]
    wanted = min(EXAMPLES - len(chosen), len(others))
    return chosen + [others[(2 * n + 1) * len(others) // (2 * wanted)] for n in range(wanted)]


def _group(attributes: dict[str, Any]) -> str:
    return str(attributes.get("organ") or attributes.get("collection") or "")


def _example(before: store.Field, after: store.Field, vectors_of: Callable) -> Example:
    looks = (_look(item.image, vectors_of) for item in (before, after))
    return Example(before.id, _group(before.attributes), after.attributes["stain_note"], *looks)


def _look(image: np.ndarray, vectors_of: Callable) -> Look:
    try:
        vectors = vectors_of(image).matrix
    except density.Unfit:
        vectors = None
    height, width = (min(_CROP, side) for side in image.shape[:2])
    row, column = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    flat = image.reshape(-1, 3)
    spread = np.linspace(0, len(flat) - 1, min(_PIXELS, len(flat))).astype(int)
    colours = density.GREY_DENSITY[flat[spread]]
    return Look(image[row : row + height, column : column + width], colours, vectors)
