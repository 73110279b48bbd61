"""Fields cut into regions that belong to different splits, with a guard band between them."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError, nearest

Box = tuple[int, int, int, int]
Named = tuple[str, str, Box]
"""Id of a region, its split, and its box [first row, first column, row after the last, column after the last]."""


def cut(fields: Iterable[Field], record: dict[str, Any]) -> Iterator[Field]:
    """Regions of the fields: image `<field>-<split><k>`, k from 1, with attributes parent, box and region_split.

    record: {guard, boxes: {field: {split: [box, ...]}}}. Raises KaryobenchError on a field without boxes, boxes
    without a field, a box that leaves its field, two that overlap, or two of different splits less than guard apart.
    """
    waiting = dict(record["boxes"])
    for field in fields:
        if field.id not in waiting:
            raise KaryobenchError(f"regions.boxes: field '{field.id}' has none{nearest(field.id, waiting)}")
        named = [
            (f"{field.id}-{split}{k}", split, tuple(box))
            for split, boxes in waiting.pop(field.id).items()
            for k, box in enumerate(boxes, start=1)
        ]
        _check(named, field.image.shape[:2], record["guard"])
        yield from (_region(field, *region) for region in named)
    if waiting:
        raise KaryobenchError(f"regions.boxes: the dataset has no field {', '.join(map(repr, sorted(waiting)))}")


def gap(a: Box, b: Box) -> int:
    """Pixels between two boxes, along the axis that separates them more; 0 if they touch, negative if they overlap."""
    return max(max(a[0], b[0]) - min(a[2], b[2]), max(a[1], b[1]) - min(a[3], b[3]))


def _check(named: list[Named], shape: tuple[int, int], guard: int) -> None:
    for name, _, (r0, c0, r1, c1) in named:
        if not (0 <= r0 < r1 <= shape[0] and 0 <= c0 < c1 <= shape[1]):
            raise KaryobenchError(f"regions: box {[r0, c0, r1, c1]} of '{name}' is not within its field of {shape}")
    for (name, split, box), (other, other_split, other_box) in combinations(named, 2):
        apart = gap(box, other_box)
        if apart < (guard if split != other_split else 0):
            need = f"a guard of {guard}" if split != other_split else "no overlap"
            raise KaryobenchError(
                f"regions: '{name}' {list(box)} and '{other}' {list(other_box)} are {apart} px apart, need {need}"
            )


def _region(field: Field, name: str, split: str, box: Box) -> Field:
    r0, c0, r1, c1 = box
    about = {**field.attributes, "parent": field.id, "box": list(box), "region_split": split}
    if field.layers or field.instances is None:
        raise KaryobenchError(f"regions: '{field.id}' has other truth than an instance map; it cannot be cut")
    return replace(
        field, id=name, image=field.image[r0:r1, c0:c1], instances=field.instances[r0:r1, c0:c1], attributes=about
    )
