"""Assign every image of a dataset to train, val, test or unused, and keep what belongs together in one of them."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.datasets import store
from karyobench.datasets.splits import COLUMNS, SPLITS, UNUSED
from karyobench.errors import KaryobenchError, nearest

Attributes = dict[str, dict[str, Any]]
"""Attributes of each image id of a dataset."""


@dataclass(frozen=True)
class Group:
    """Images that belong together, and their stratum: the most frequent one among them."""

    name: str
    images: list[str]
    stratum: str


def split(record: dict[str, Any], dataset: Path, output: Path) -> None:
    """Split a dataset as `record` says and write the CSV `output`: image, split, group, stratum; sorted by image.

    record: {kind: regions}, where each image carries its split; {kind: listed, train: [...], val: [...], test: [...]},
    where images that no list names are unused; {kind: stratified, test, val, by, seed}, where a fraction of the
    images of each stratum (value of the attribute `by`) is drawn by group. Raises KaryobenchError on an unknown image
    or attribute, a split that comes out empty, or a group in two splits. Only regions of one parent may lie in
    different splits, in those that they were cut for: ingest keeps a guard band between them.
    """
    with store.reading(dataset) as images:
        attributes = {image_id: images.attributes(image_id) for image_id in images.ids}
    assign = {"regions": _by_region, "listed": _listed, "stratified": _stratified}
    if record["kind"] not in assign:
        raise KaryobenchError(f"split.kind '{record['kind']}' does not exist{nearest(record['kind'], assign)}")
    assigned = assign[record["kind"]](record, attributes)
    _check_leakage(assigned, attributes)
    files.write_text(output, _table(assigned, attributes, record.get("by")))


def _table(assigned: dict[str, str], attributes: Attributes, by: str | None) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image, part in sorted(assigned.items()):
        about = attributes[image]
        writer.writerow([image, part, about["group"], about[by] if by else ""])
    return text.getvalue()


def _check_leakage(assigned: dict[str, str], attributes: Attributes) -> None:
    parts, parents = defaultdict(set), defaultdict(set)
    for image, part in assigned.items():
        about = attributes[image]
        if part != UNUSED:
            parts[about["group"]].add(part)
            parents[about["group"]].add(about["parent"] if about.get("region_split") == part else image)
    for group in sorted(parts):
        if len(parts[group]) > 1 and len(parents[group]) > 1:
            raise KaryobenchError(
                f"split: group '{group}' is in {' and in '.join(sorted(parts[group]))}; keep its images in one split"
            )


# ---------------------------------------------------------------------- regions and lists


def _by_region(record: dict[str, Any], attributes: Attributes) -> dict[str, str]:
    whole = [image for image, about in attributes.items() if "region_split" not in about]
    if whole:
        raise KaryobenchError(f"split: kind 'regions' needs `regions` in the dataset's record; '{whole[0]}' is not cut")
    return {image: about["region_split"] for image, about in attributes.items()}


def _listed(record: dict[str, Any], attributes: Attributes) -> dict[str, str]:
    assigned = dict.fromkeys(attributes, UNUSED)
    for part in SPLITS:
        for image in record.get(part, []):
            if image not in attributes:
                raise KaryobenchError(f"split.{part}: there is no image '{image}'{nearest(image, attributes)}")
            if assigned[image] != UNUSED:
                raise KaryobenchError(f"split: image '{image}' is in {assigned[image]} and in {part}; list it once")
            assigned[image] = part
    return assigned


# ---------------------------------------------------------------------- strata


def _stratified(record: dict[str, Any], attributes: Attributes) -> dict[str, str]:
    """Within each stratum, whole groups in a pseudo-random order: first the test images, then val, the rest train."""
    fractions = {part: record.get(part, 0) for part in ("test", "val")}
    if min(fractions.values()) < 0 or sum(fractions.values()) >= 1:
        raise KaryobenchError(f"split: fractions {fractions} must not be negative and must leave some for train")
    by_stratum = defaultdict(list)
    for group in _groups(attributes, record.get("by"), record.get("seed", 0)):
        by_stratum[group.stratum].append(group)
    assigned = dict.fromkeys(attributes, "train")
    for groups in by_stratum.values():
        rest = groups
        for part, fraction in fractions.items():
            taken = _take(rest, fraction * sum(len(group.images) for group in groups), len(groups))
            names = {group.name for group in taken}
            rest = [group for group in rest if group.name not in names]
            assigned.update((image, part) for group in taken for image in group.images)
    for part, fraction in fractions.items():
        if fraction and part not in assigned.values():
            raise KaryobenchError(f"split.{part}: no image; the fraction {fraction} is too small for this dataset")
    return assigned


def _groups(attributes: Attributes, by: str | None, seed: int) -> list[Group]:
    """Groups in the order of a hash of seed and name, so that a new group moves no other one to another place."""
    members = defaultdict(list)
    for image, about in sorted(attributes.items()):
        if by is not None and by not in about:
            raise KaryobenchError(f"split.by: image '{image}' has no attribute '{by}'{nearest(by, about)}")
        members[str(about["group"])].append(image)
    ordered = sorted(members, key=lambda name: files.digest(f"{seed}:{name}"))
    return [Group(name, members[name], _stratum(attributes, members[name], by)) for name in ordered]


def _stratum(attributes: Attributes, images: Iterable[str], by: str | None) -> str:
    counts = Counter(str(attributes[image][by]) if by else "" for image in images)
    return min(counts, key=lambda value: (-counts[value], value))


def _take(groups: list[Group], target: float, of: int) -> list[Group]:
    """Groups taken in order while each brings the number of images nearer to `target`; always one left to train on.

    A stratum of three groups or more gives at least one: the smallest, where all are too large for the target.
    """
    taken, count = [], 0
    for group in groups:
        size = len(group.images)
        if abs(count + size - target) < abs(count - target) and len(taken) + 1 < len(groups):
            taken.append(group)
            count += size
    if not taken and target > 0 and of >= 3 and len(groups) > 1:
        taken = [min(groups, key=lambda group: len(group.images))]
    return taken
