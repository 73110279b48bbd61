"""Nuclei of Janowczyk and Madabhushi's tutorial (2016): `<name>_original.tif` and `<name>_mask.png`, sparsely marked.

The first part of a name, up to its first underscore, is the patient.

Only some nuclei of an image are marked, so a pixel that is not marked need not be background. What is known: the marked
nuclei and a ring of 3 pixels around them, the width from which the tutorial draws the negatives near a nucleus. All
else is unknown, and the layer `ignore` says so.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images, masks, members, patterns
from karyobench.datasets.store import Field

_RING = 3


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted; its objects are the 8-connected components of the mask.

    Attributes: `patient`, which is also the group; `sparse`, 1: there are more nuclei than objects. Layer `ignore`,
    see above. Raises KaryobenchError naming an image or a mask without the other.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, r"(?P<id>[^/]+)_original\.tif", dataset)
        truths = patterns.by_id(found.names, r"(?P<id>[^/]+)_mask\.png", dataset)
        patterns.refuse_orphans(truths, pictures, dataset)
        for name, member in pictures.items():
            truth = patterns.required(truths, name, "mask", dataset)
            image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
            mask = images.read_labels(found.read(truth), found.where(truth)) > 0
            patient = name.split("_")[0]
            notes |= {"source_file": member, "patient": patient, "group": patient, "sparse": 1}
            yield Field(name, image, masks.components(mask), notes, {"ignore": _unknown(mask)})


def _unknown(mask: np.ndarray) -> np.ndarray:
    """uint8 (H, W): 1 where a pixel is more than 3 pixels away from all that is marked."""
    import cv2

    rows, columns = np.ogrid[-_RING : _RING + 1, -_RING : _RING + 1]
    disc = (rows**2 + columns**2 <= _RING**2).astype(np.uint8)
    return 1 - cv2.dilate(mask.astype(np.uint8), disc)
