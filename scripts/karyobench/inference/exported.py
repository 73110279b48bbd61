"""The file of an exported network: OpenVINO's two files of each graph, and a record of what they were made of."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karyobench import files
from karyobench.errors import KaryobenchError

_RECORD = "record.json"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # so that the file's bytes do not tell the time of day


@dataclass(frozen=True)
class Exported:
    """An exported network. graphs: name -> the bytes of its xml and its bin. record: facts, as JSON has them."""

    graphs: dict[str, tuple[bytes, bytes]]
    record: dict[str, Any]


def write(path: str | Path, exported: Exported) -> None:
    """Write a zip archive, uncompressed, with `record.json` and `{graph}.xml` and `{graph}.bin` of each graph.

    The record gains the sha256 of each of these files.
    """
    content = {}
    for name, (xml, weights) in exported.graphs.items():
        content |= {f"{name}.xml": xml, f"{name}.bin": weights}
    record = {**exported.record, "files": {name: files.digest(data) for name, data in content.items()}}
    content[_RECORD] = (json.dumps(record, indent=2, sort_keys=True) + "\n").encode()
    with files.atomic(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _EARLIEST), data)


def read(path: str | Path) -> Exported:
    """Read what `write` wrote. Raises KaryobenchError when it is missing, damaged or not as it was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        record = json.loads(content.pop(_RECORD))
        expected, names = dict(record.pop("files")), list(record["graphs"])
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as an exported network ({error}); export it again") from None
    changed = sorted(name for name in expected.keys() | content.keys() if _digest(content, name) != expected.get(name))
    if changed:
        raise KaryobenchError(f"{path}: {', '.join(changed)} is not what was exported; export it again")
    graphs = {name: (content[f"{name}.xml"], content[f"{name}.bin"]) for name in names}
    return Exported(graphs, record)


def _digest(content: dict[str, bytes], name: str) -> str | None:
    return files.digest(content[name]) if name in content else None
