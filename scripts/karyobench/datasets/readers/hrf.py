"""HRF: 45 fundus photographs of high resolution, their fields of view, and the vessels that one observer drew.

`images/<nn>_<h|dr|g>.jpg`, `manual1/<image>.tif` and `mask/<image>_mask.tif`; the archives of the single classes hold
the same files without these folders.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import members, patterns, vessels
from karyobench.datasets.store import Field

_IMAGE = r"(?P<id>\d\d_(?:h|dr|g))"
_LABELS = {"h": "healthy", "dr": "diabetic_retinopathy", "g": "glaucoma"}


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per photograph, see `vessels.field`; attribute `label`. Every photograph is of another patient."""
    with members.collected(raw, receipt) as files:
        pictures = patterns.by_id(files.names, rf"{_IMAGE}\.(?i:jpg)", receipt["dataset"])
        first = patterns.by_id(files.names, rf"{_IMAGE}\.tif", receipt["dataset"])
        views = patterns.by_id(files.names, rf"{_IMAGE}_mask\.tif", receipt["dataset"])
        for name, member in pictures.items():
            truth = patterns.required(first, name, "manual1", receipt["dataset"])
            view = patterns.required(views, name, "mask", receipt["dataset"])
            field = vessels.field(files, name, vessels.Sources(member, truth, view=view), record)
            field.attributes["label"] = _LABELS[name.split("_")[1]]
            yield field
