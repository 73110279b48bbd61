"""A mirror: a directory of files listed with their checksums in its MANIFEST.csv."""

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from karyobench.datasets.sources import Declared, Owner
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_COLUMNS = ("dataset", "file", "sha256")


@dataclass(frozen=True)
class Copy:
    """A file of a mirror: the dataset and the name it is listed under, where it lies, and its stated SHA-256.

    subset: which part of the official file it holds, in the mirror's words. A text that begins with "complete" says
    that it is no part.
    """

    dataset: str
    file: str
    path: Path
    sha256: str
    subset: str | None

    @property
    def complete(self) -> bool:
        """Whether the mirror says that nothing is left out."""
        return self.subset is not None and self.subset.lower().startswith("complete")


@dataclass(frozen=True)
class Share:
    """The declared files that one copy serves; or, with no copy, one declared file that a mirror does not serve."""

    copy: Copy | None
    served: tuple[Declared, ...]


def copies(mirror: Path) -> list[Copy]:
    """What a mirror holds.

    Raises KaryobenchError when the directory has no MANIFEST.csv with the columns dataset, file and sha256, or when
    a listed name leads outside the directory.
    """
    manifest = mirror / "MANIFEST.csv"
    try:
        with open(manifest, newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise KaryobenchError(f"mirror: {manifest} cannot be read ({error}); correct `mirror`") from None
    for column in _COLUMNS:
        if rows and column not in rows[0]:
            raise KaryobenchError(f"mirror: {manifest} has no column '{column}'")
    return [_copy(mirror, row) for row in rows]


def _copy(mirror: Path, row: dict[str, str]) -> Copy:
    name = PurePosixPath(row["file"])
    if not name.name or name.is_absolute() or ".." in name.parts:
        raise KaryobenchError(f"mirror: {mirror / 'MANIFEST.csv'} lists '{name}', which lies outside the mirror")
    subset = (row.get("subset") or "").strip() or None
    return Copy(row["dataset"], name.as_posix(), mirror / name, row["sha256"].strip().lower(), subset)


def shares(copies: Iterable[Copy], owner: Owner, wanted: list[Declared]) -> list[Share]:
    """Which copy serves which declared files: each file once, in the order of `wanted`.

    A copy that is listed but not there is passed over with a warning. Raises KaryobenchError where two files would
    come to lie under one name.
    """
    chosen = {file: _serving(copies, owner, file) for file in wanted}
    found: list[Share] = []
    for file, copy in chosen.items():
        if copy is None:
            found.append(Share(None, (file,)))
        elif copy not in (share.copy for share in found):
            found.append(Share(copy, tuple(other for other in wanted if chosen[other] == copy)))
    _refuse_one_name(owner, found)
    return found


def _serving(copies: Iterable[Copy], owner: Owner, file: Declared) -> Copy | None:
    if file.in_mirror is None:
        listed = [copy for copy in copies if copy.dataset == owner.name and copy.path.name == file.name]
    else:
        listed = [copy for name in file.in_mirror for copy in copies if copy.file == name]
    for copy in listed:
        if copy.path.is_file():
            return copy
        log.warning("mirror: %s is listed but not there", copy.path)
    return None


def _refuse_one_name(owner: Owner, found: list[Share]) -> None:
    owners: dict[str, Share] = {}
    for share in found:
        for name in {file.name for file in share.served} | ({share.copy.path.name} if share.copy else set()):
            if owners.setdefault(name, share) != share:
                raise KaryobenchError(
                    f"{owner.source}: two files would be saved as '{name}'; give one another `name` or "
                    "rename it in the mirror"
                )
