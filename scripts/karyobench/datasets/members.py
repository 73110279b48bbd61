"""The raw files of a dataset as one collection of members: those inside its archives, and its loose files."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from karyobench.datasets import archives
from karyobench.errors import KaryobenchError, nearest

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
_Read = Callable[[], bytes]


class Members:
    """Read access by name, whichever archive holds a member: readers need not know how a dataset was packed."""

    def __init__(self, dataset: str) -> None:
        self._dataset = dataset
        self._found: dict[str, list[tuple[str, _Read, Path | None]]] = defaultdict(list)

    def add(self, name: str, where: str, read: _Read, path: Path | None = None) -> None:
        """Add a member. where: what messages call it. path: its file, if it is one. Litter of systems is left out."""
        parts = PurePosixPath(name).parts
        if "__MACOSX" not in parts and not parts[-1].startswith("."):
            self._found[name].append((where, read, path))

    @property
    def names(self) -> list[str]:
        """Names of all members with '/' between their parts, sorted."""
        return sorted(self._found)

    def where(self, name: str) -> str:
        """What messages call a member."""
        return self._one(name)[0]

    def read(self, name: str) -> bytes:
        """Bytes of a member. Raises KaryobenchError naming one that is absent, damaged, or in two archives at once."""
        return self._one(name)[1]()

    def path(self, name: str) -> Path:
        """File of a member that lies loose, for files too large to be read whole. Raises KaryobenchError otherwise."""
        where, _, path = self._one(name)
        if path is None:
            raise KaryobenchError(f"{where}: must lie as a file of its own; unpack the archive that holds it")
        return path

    def _one(self, name: str) -> tuple[str, _Read, Path | None]:
        found = self._found.get(name, [])
        if not found:
            raise KaryobenchError(
                f"dataset '{self._dataset}': its files hold no '{name}'{nearest(name, self._found)}; download it again"
            )
        if len(found) > 1:
            places = " and ".join(where for where, _, _ in found)
            raise KaryobenchError(f"dataset '{self._dataset}': '{name}' occurs twice, as {places}; remove one")
        return found[0]


@contextmanager
def collected(raw: Path, receipt: dict[str, Any]) -> Iterator[Members]:
    """Members of all files that a receipt lists. raw: the folder of these files.

    Zip archives are read in place. Raises KaryobenchError naming an archive that is missing, damaged or unsafe.
    """
    members = Members(receipt["dataset"])
    with ExitStack() as stack:
        for file in sorted(receipt["files"]):
            path = raw / file
            if not file.lower().endswith(_ARCHIVES):
                members.add(file, str(path), path.read_bytes, path)
                continue
            archive = stack.enter_context(archives.any_opened(path))
            for name in archive.names:
                members.add(name, archive.where(name), lambda archive=archive, name=name: archive.read(name))
        yield members
