"""Readers of annotation formats: raw files to whole fields.

A reader is one module of this folder with `read(raw, receipt, record)`: `raw` is the folder of the raw files,
`receipt` what the download says of them, `record` the dataset's record in `config.yaml`. It yields a `store.Field` per
image, in a fixed order, with the attributes `source_file`, `group` where images share one (a patient, a slide),
`image_type` where it differs between images, and what it has to tell of the truth. Labels may be any non-negative
integers.
`members.collected` shows it the content of all archives and loose files as one collection.

Readers are found by name, so that a new one, or an edit of one, leaves the datasets of the others as they are.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from karyobench.errors import KaryobenchError, nearest

_ROOM = Path(__file__).parent


def path_of(name: str) -> Path:
    """File of a reader. Raises KaryobenchError naming the nearest one."""
    known = {path.stem: path for path in sorted(_ROOM.glob("*.py")) if path.stem != "__init__"}
    if name not in known:
        raise KaryobenchError(f"there is no reader '{name}'{nearest(name, known)}")
    return known[name]


def find(name: str) -> Callable[[Path, dict[str, Any], dict[str, Any]], Iterator[Any]]:
    """The function `read` of a reader. Raises KaryobenchError naming the nearest one."""
    return importlib.import_module(f"{__name__}.{path_of(name).stem}").read
