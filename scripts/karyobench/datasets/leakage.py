"""Groups of images that lie in several splits."""

import logging
from collections import defaultdict
from typing import Any

from karyobench.datasets.splits import UNUSED
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

Attributes = dict[str, dict[str, Any]]
"""Attributes of each image id of a dataset."""

_NAMED = 5


def refuse(assigned: dict[str, str], groups: dict[str, str], attributes: Attributes) -> None:
    """Raise KaryobenchError naming a group that lies in two splits. groups: of each image."""
    for group, parts in _parted(assigned, groups, attributes)[:1]:
        raise KaryobenchError(f"split: group '{group}' is in {' and in '.join(parts)}; keep its images in one split")


def tell(assigned: dict[str, str], groups: dict[str, str], attributes: Attributes) -> None:
    """Log a warning that names groups which lie in two splits, if any do."""
    parted = _parted(assigned, groups, attributes)
    if parted:
        named = [f"'{group}' is in {' and in '.join(parts)}" for group, parts in parted[:_NAMED]]
        more = [f"and {len(parted) - _NAMED} more"] if len(parted) > _NAMED else []
        log.warning(
            "split: images that belong together are in several splits, so scores may be too high. Groups: %d: %s",
            len(parted),
            ", ".join([*named, *more]),
        )


def _parted(assigned: dict[str, str], groups: dict[str, str], attributes: Attributes) -> list[tuple[str, list[str]]]:
    """Groups that lie in several splits, sorted, with these splits.

    Regions of one parent may lie in those that they were cut for: ingest keeps a guard band between them.
    """
    parts, parents = defaultdict(set), defaultdict(set)
    for image, part in assigned.items():
        about, group = attributes[image], groups[image]
        if part != UNUSED:
            parts[group].add(part)
            parents[group].add(about["parent"] if about.get("region_split") == part else image)
    return [(group, sorted(parts[group])) for group in sorted(parts) if len(parts[group]) > 1 < len(parents[group])]
