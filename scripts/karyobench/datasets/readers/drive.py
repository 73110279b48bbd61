"""DRIVE: 40 fundus photographs, their fields of view, and the vessels that one or two observers drew.

`<training|test>/images/<nn>_<part>.tif`, `1st_manual/<nn>_manual1.gif`, `2nd_manual/<nn>_manual2.gif` (test only) and
`mask/<nn>_<part>_mask.gif`. The publisher's present site withholds the vessels of the test images.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import members, patterns, vessels
from karyobench.datasets.store import Field

_PART = "(?:training|test)"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per photograph, see `vessels.field`; attribute `part` (train, test)."""
    with members.collected(raw, receipt) as files:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(files.names, rf"images/(?P<id>\d\d_{_PART})\.tif", dataset)
        views = patterns.by_id(files.names, rf"mask/(?P<id>\d\d_{_PART})_mask\.gif", dataset)
        first = patterns.by_id(files.names, r"1st_manual/(?P<id>\d\d)_manual1\.gif", dataset)
        second = patterns.by_id(files.names, r"2nd_manual/(?P<id>\d\d)_manual2\.gif", dataset)
        for name, member in pictures.items():
            number, part = name.split("_")
            if part == "training":
                patterns.required(first, number, "1st_manual", dataset)
            view = patterns.required(views, name, "mask", dataset)
            sources = vessels.Sources(member, first.get(number), second.get(number), view)
            field = vessels.field(files, name, sources, record)
            field.attributes["part"] = "test" if part == "test" else "train"
            yield field
