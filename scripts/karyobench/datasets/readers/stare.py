"""STARE: 20 fundus photographs and the vessels that two observers drew; fields of view are not published.

`im<nnnn>.ppm.gz`, `im<nnnn>.ah.ppm.gz` (A. Hoover) and `im<nnnn>.vk.ppm.gz` (V. Kouznetsova), unpacked or not.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import members, patterns, vessels
from karyobench.datasets.store import Field

_IMAGE = r"(?P<id>im\d{4})"
_PPM = r"\.ppm(?:\.gz)?"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per photograph, see `vessels.field`; A. Hoover is the first observer."""
    with members.collected(raw, receipt) as files:
        pictures = patterns.by_id(files.names, _IMAGE + _PPM, receipt["dataset"])
        first = patterns.by_id(files.names, rf"{_IMAGE}\.ah{_PPM}", receipt["dataset"])
        second = patterns.by_id(files.names, rf"{_IMAGE}\.vk{_PPM}", receipt["dataset"])
        for name, member in pictures.items():
            truth = patterns.required(first, name, "labels-ah", receipt["dataset"])
            yield vessels.field(files, name, vessels.Sources(member, truth, second.get(name)), record)
