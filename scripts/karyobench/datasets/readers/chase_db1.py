"""CHASE_DB1: fundus photographs of both eyes of 14 children; fields of view are not published.

`Image_<nn><L|R>.jpg` and the vessels of two observers, `_1stHO.png` and `_2ndHO.png`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import members, patterns, vessels
from karyobench.datasets.store import Field

_IMAGE = r"(?P<id>Image_\d\d[LR])"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per photograph, see `vessels.field`; the group is the child."""
    with members.collected(raw, receipt) as files:
        pictures = patterns.by_id(files.names, rf"{_IMAGE}\.jpg", receipt["dataset"])
        first = patterns.by_id(files.names, rf"{_IMAGE}_1stHO\.png", receipt["dataset"])
        second = patterns.by_id(files.names, rf"{_IMAGE}_2ndHO\.png", receipt["dataset"])
        for name, member in pictures.items():
            truth = patterns.required(first, name, "1stHO", receipt["dataset"])
            field = vessels.field(files, name, vessels.Sources(member, truth, second.get(name)), record)
            field.attributes["group"] = f"child-{name[6:8]}"
            yield field
