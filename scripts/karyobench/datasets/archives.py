"""Zip archives read in place: nothing is extracted, nothing larger than the limit is read."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from karyobench.errors import KaryobenchError

LIMIT = 1 << 30
"""Most bytes that one member may unpack to."""

_ENCRYPTED = 0x1


@contextmanager
def opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading. Raises KaryobenchError naming a file that is missing or no whole archive."""
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise KaryobenchError(f"{path} is missing; run the download step again") from None
    except (zipfile.BadZipFile, OSError) as error:
        raise KaryobenchError(f"{path}: not a whole zip archive ({error}); delete it and download it again") from None
    with archive:
        yield archive


def members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in an archive, sorted. Raises KaryobenchError on an absolute name or one with '..'."""
    names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    for name in names:
        if ".." in PurePosixPath(name).parts or name.startswith("/") or "\\" in name:
            raise KaryobenchError(f"{archive.filename}: member '{name}' points outside the archive; do not trust it")
    return names


def read(archive: zipfile.ZipFile, name: str, limit: int = LIMIT) -> bytes:
    """Bytes of one member, whose checksum is tested.

    Raises KaryobenchError naming the archive and a member that is absent, encrypted, larger than `limit` or damaged.
    """
    where = f"{archive.filename}: member '{name}'"
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise KaryobenchError(f"{where} is absent; is this the archive that the configuration names?") from None
    if info.flag_bits & _ENCRYPTED:
        raise KaryobenchError(f"{where} is encrypted; provide an archive without a password")
    if info.file_size > limit:
        raise KaryobenchError(f"{where} unpacks to {info.file_size} bytes, more than the limit of {limit}; refused")
    try:
        return archive.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise KaryobenchError(f"{where} cannot be read ({error}); delete the archive and download it again") from None
