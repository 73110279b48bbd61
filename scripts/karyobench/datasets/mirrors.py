"""A mirror: a directory of files listed with their checksums in its MANIFEST.csv."""

import csv
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from karyobench.errors import KaryobenchError

_COLUMNS = ("dataset", "file", "sha256")


@dataclass(frozen=True)
class Copy:
    """A file of a mirror: where it lies, its stated SHA-256, and which part of the official file it holds, if told."""

    path: Path
    sha256: str
    subset: str | None


def copies(mirror: Path, dataset: str) -> list[Copy]:
    """What a mirror holds of a dataset.

    Raises KaryobenchError when the directory has no MANIFEST.csv with the columns dataset, file and sha256, or when
    a listed name leads outside the directory.
    """
    manifest = mirror / "MANIFEST.csv"
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream))
    except OSError as error:
        raise KaryobenchError(f"mirror: {manifest} cannot be read ({error.strerror}); correct `mirror`") from None
    for column in _COLUMNS:
        if rows and column not in rows[0]:
            raise KaryobenchError(f"mirror: {manifest} has no column '{column}'")
    return [_copy(mirror, row) for row in rows if row["dataset"] == dataset]


def _copy(mirror: Path, row: dict[str, str]) -> Copy:
    name = PurePosixPath(row["file"])
    if name.is_absolute() or ".." in name.parts:
        raise KaryobenchError(f"mirror: {mirror / 'MANIFEST.csv'} lists '{name}', which lies outside the mirror")
    return Copy(mirror / name, row["sha256"].strip().lower(), (row.get("subset") or "").strip() or None)
