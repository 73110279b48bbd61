"""Readers of annotation formats: raw files to whole fields.

A reader is one module with `read(raw, receipt, record)`: `raw` is the folder of the raw files, `receipt` what the
download says of them, `record` the dataset's record in `config.yaml`. It yields a Field per image, in a fixed order,
with the attributes `source_file`, `group` where images share one, `image_type` where it differs between images, and
what it has to tell of the truth. Labels may be any non-negative integers. Readers import heavy libraries in functions.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets.readers import dsb2018, hgsc, pairs
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError, nearest

Reader = Callable[[Path, dict[str, Any], dict[str, Any]], Iterator[Field]]

READERS: dict[str, Reader] = {"dsb2018": dsb2018.read, "hgsc": hgsc.read, "pairs": pairs.read}


def find(name: str) -> Reader:
    """Reader of a name. Raises KaryobenchError naming the nearest one."""
    if name not in READERS:
        raise KaryobenchError(f"reader '{name}' does not exist{nearest(name, READERS)}")
    return READERS[name]
