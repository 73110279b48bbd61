"""What a dataset holds, in a few numbers: images, objects, sizes, findings of the checks, beside published counts."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import Any

from karyobench.datasets import verify
from karyobench.datasets.image_types import KMEANS

Attributes = dict[str, Any]

BY = ("image_type", "collection", "organ", "label", "magnification", "magnification+label", "part")
"""Attributes by whose values a dataset is counted, where its images have them; `a+b` is both together."""


def summarise(
    record: dict[str, Any], subset: str, images: Mapping[str, Attributes], checks: list[dict[str, Any]]
) -> dict[str, Any]:
    """The summary of a dataset, plain values for a JSON file.

    record: the dataset's record with its name under "dataset". subset: which part of the dataset this is, "" for all.
    images: the attributes of each image as ingest writes them. checks: see `verify.Checks.report`.
    Keys: dataset, objects, truth, subset; `rows`, one for all images and one per value of the attributes BY, each with
    images, objects in all and per image, images without any (null where objects are not counted), and sizes in
    pixels; `checks`; `published`, each stated count beside the one found and why they differ; `typing`, the confusion
    of the image types that k-means named with those that the reader knew (null where k-means names none).
    """
    objects = record.get("objects", "nuclei")
    rows = [_row("all", "all", list(images.values()), objects)]
    for key in BY:
        groups = defaultdict(list)
        names = key.split("+")
        for about in images.values():
            if all(name in about for name in names):
                groups[" ".join(str(about[name]) for name in names)].append(about)
        rows += [_row(key, value, groups[value], objects) for value in sorted(groups)]
    return {
        "dataset": record["dataset"],
        "objects": objects,
        "truth": record["truth"],
        "subset": subset,
        "rows": rows,
        "checks": checks,
        "published": _published(record.get("counts", {}), subset, rows[0]),
        "typing": _typing(images.values()) if record.get("image_type") == KMEANS else None,
    }


def _row(by: str, value: str, images: list[Attributes], objects: str) -> dict[str, Any]:
    counted = objects not in verify.UNCOUNTED
    counts = [about["n_instances"] for about in images if "n_instances" in about]
    boxes = [about["box"] for about in images]
    return {
        "by": by,
        "value": value,
        "images": len(images),
        "objects": sum(counts) if counted and counts else None,
        "empty": sum(count == 0 for count in counts) if counts else None,
        **_spread("objects", counts if counted else []),
        **_spread("height", [bottom - top for top, _, bottom, _ in boxes]),
        **_spread("width", [right - left for _, left, _, right in boxes]),
    }


def _spread(name: str, values: list[int]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys((f"{name}_min", f"{name}_mean", f"{name}_max"))
    return {f"{name}_min": min(values), f"{name}_mean": fmean(values), f"{name}_max": max(values)}


def _published(counts: dict[str, Any], subset: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    reasons = [f"subset: {subset}"] if subset else []
    reasons += [counts["why"]] if counts.get("why") else []
    return [
        {
            "what": what,
            "stated": counts[what],
            "found": found[what],
            "why": "" if counts[what] == found[what] else "; ".join(reasons) or "no reason is known",
        }
        for what in ("images", "objects")
        if what in counts
    ]


def _typing(images: Any) -> dict[str, Any]:
    pairs = Counter((about["image_type_known"], about["image_type"]) for about in images if "image_type_known" in about)
    confusion: dict[str, dict[str, int]] = defaultdict(dict)
    for (known, named), count in sorted(pairs.items()):
        confusion[known][named] = count
    return {"known": {known: sum(named.values()) for known, named in confusion.items()}, "confusion": dict(confusion)}
