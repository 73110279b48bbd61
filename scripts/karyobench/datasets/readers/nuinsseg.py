"""NuInsSeg of Mahbod et al. (2024): H&E patches of 31 human and mouse organs.

The official archive has a folder per organ. Read are `<organ>/tissue images/<name>.png`; the label map
`<organ>/label masks modify/<name>.tif`, the one in which no pixel belongs to two nuclei and by which to score; and
`<organ>/vague areas/mask binary/<name>.png`, the mask of areas where experts could not tell. All images of an organ are
of one slide. A copy that kept only binary masks is read too: `data/images/<n>.png` and `data/masks/<n>.png`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images, masks, members, patterns
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field

_ID = r"(?P<id>[^/]+)"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted by name.

    Attributes of the official layout: `organ` and `group`, the organ's folder; layer `ignore`, 1 in vague areas.
    Attribute of the binary copy: `semantic_truth`, 1: objects are the 8-connected components of the mask, nuclei that
    touch are one. Raises KaryobenchError naming an image or a truth without the other.
    """
    with members.collected(raw, receipt) as found:
        yield from _official(found, receipt["dataset"], record)
        yield from _binary(found, receipt["dataset"], record)


def _official(found: Members, dataset: str, record: dict[str, Any]) -> Iterator[Field]:
    pictures = patterns.by_id(found.names, rf"[^/]+/tissue images/{_ID}\.png", dataset)
    truths = patterns.by_id(found.names, rf"label masks modify/{_ID}\.tif", dataset)
    vague = patterns.by_id(found.names, rf"vague areas/mask binary(?:_vague)?/{_ID}\.png", dataset)
    patterns.refuse_orphans(truths, pictures, dataset)
    for name, member in pictures.items():
        image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
        labels = _labels(found, patterns.required(truths, name, "label map", dataset))
        unknown = _labels(found, patterns.required(vague, name, "mask of vague areas", dataset)) > 0
        organ = member.split("/")[-3]
        notes |= {"source_file": member, "organ": organ, "group": organ}
        yield Field(name, image, labels, notes, {"ignore": unknown.astype(np.uint8)})


def _binary(found: Members, dataset: str, record: dict[str, Any]) -> Iterator[Field]:
    pictures = patterns.by_id(found.names, rf"data/images/{_ID}\.png", dataset)
    truths = patterns.by_id(found.names, rf"data/masks/{_ID}\.png", dataset)
    patterns.refuse_orphans(truths, pictures, dataset)
    for name, member in pictures.items():
        image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
        mask = _labels(found, patterns.required(truths, name, "mask", dataset)) > 0
        notes |= {"source_file": member, "semantic_truth": 1}
        yield Field(name, image, masks.components(mask), notes)


def _labels(found: Members, member: str) -> np.ndarray:
    return images.read_labels(found.read(member), found.where(member))
