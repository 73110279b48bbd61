"""Archives read in place: nothing is extracted, nothing larger than the limits is read."""

import gzip
import io
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from karyobench.errors import KaryobenchError

LIMIT = 1 << 30
"""Most bytes that one member may unpack to."""

TAR_LIMIT = 1 << 36
"""Most bytes that a compressed tar archive may unpack to."""

_ENCRYPTED = 0x1
_GZIP = b"\x1f\x8b"
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, OSError, ValueError)


@dataclass(frozen=True)
class Archive:
    """An open archive of any kind: its path, the sorted names of its files, and the bytes of one of them."""

    path: str
    names: list[str]
    read: Callable[[str], bytes]

    def where(self, name: str) -> str:
        """What messages call a member."""
        return f"{self.path}: member '{name}'"


@contextmanager
def any_opened(path: str | Path) -> Iterator[Archive]:
    """Open a zip or a tar archive, compressed by gzip or not; its content decides which, not its name.

    Raises KaryobenchError naming a file that is missing, no whole archive, or holds a name that points outside it.
    """
    with ExitStack() as stack:
        if not Path(path).is_file() or zipfile.is_zipfile(path):
            archive = stack.enter_context(opened(path))
            yield Archive(str(path), members(archive), lambda name: read(archive, name))
        else:
            tar = stack.enter_context(_opened_tar(Path(path)))
            files = _tar_files(tar, str(path))
            yield Archive(str(path), sorted(files), lambda name: _read_tar(tar, files, name, str(path)))


@contextmanager
def opened(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading. Raises KaryobenchError naming a file that is missing or no whole archive."""
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise KaryobenchError(f"{path} is missing; run the download step again") from None
    except _DAMAGED as error:
        raise KaryobenchError(f"{path}: not a whole archive ({error}); delete it and download it again") from None
    with archive:
        yield archive


def members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in a zip archive, sorted. Raises KaryobenchError on an absolute name or one with '..'."""
    names = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    _refuse_unsafe(names, str(archive.filename))
    return names


def read(archive: zipfile.ZipFile, name: str, limit: int = LIMIT) -> bytes:
    """Bytes of one member of a zip archive, whose checksum is tested.

    Raises KaryobenchError naming the archive and a member that is absent, encrypted, larger than `limit` or damaged.
    """
    where = f"{archive.filename}: member '{name}'"
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise KaryobenchError(f"{where} is absent; is this the archive that the configuration names?") from None
    if info.flag_bits & _ENCRYPTED:
        raise KaryobenchError(f"{where} is encrypted; provide an archive without a password")
    _refuse_large(where, info.file_size, limit)
    try:
        return archive.read(info)
    except _DAMAGED as error:
        raise KaryobenchError(f"{where} cannot be read ({error}); delete the archive and download it again") from None


def gunzip(data: bytes, where: str, limit: int = LIMIT) -> bytes:
    """Content of a gzip file. Raises KaryobenchError naming it when it is damaged or unpacks to more than `limit`."""
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(limit + 1)
    except _DAMAGED as error:
        raise KaryobenchError(f"{where}: no whole gzip file ({error}); download it again") from None
    _refuse_large(where, len(content), limit)
    return content


def _refuse_unsafe(names: Iterable[str], path: str) -> None:
    for name in names:
        if ".." in PurePosixPath(name).parts or name.startswith("/") or "\\" in name:
            raise KaryobenchError(f"{path}: member '{name}' points outside the archive; do not trust it")


def _refuse_large(where: str, size: int, limit: int) -> None:
    if size > limit:
        raise KaryobenchError(f"{where} unpacks to {size} bytes, more than the limit of {limit}; refused")


# ---------------------------------------------------------------------- tar


@contextmanager
def _opened_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """A tar archive that can be read in any order: a compressed one is unpacked to a nameless file beside it."""
    with ExitStack() as stack:
        try:
            stream: BinaryIO = stack.enter_context(open(path, "rb"))
            if stream.read(2) == _GZIP:
                stream = stack.enter_context(_spooled(path))
            stream.seek(0)
            tar = stack.enter_context(tarfile.open(fileobj=stream, mode="r:"))
            tar.getmembers()
        except _DAMAGED as error:
            raise KaryobenchError(f"{path}: not a whole archive ({error}); delete it and download it again") from None
        yield tar


@contextmanager
def _spooled(path: Path) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        with gzip.open(path) as stream:
            shutil.copyfileobj(_Limited(stream, path), spool, 1 << 20)
        yield spool


class _Limited:
    """A stream that refuses to go on beyond TAR_LIMIT bytes."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self._stream, self._path, self._size = stream, path, 0

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._size += len(data)
        _refuse_large(str(self._path), self._size, TAR_LIMIT)
        return data


def _tar_files(tar: tarfile.TarFile, path: str) -> dict[str, tarfile.TarInfo]:
    """Files of a tar archive by name; a hard link is the file it links to. Other links and devices are left out."""
    infos = {info.name.removeprefix("./"): info for info in tar.getmembers() if info.isreg() or info.islnk()}
    _refuse_unsafe(infos, path)
    files = {}
    for name, info in infos.items():
        target = infos.get(info.linkname.removeprefix("./")) if info.islnk() else info
        if target is None or not target.isreg():
            raise KaryobenchError(f"{path}: member '{name}' links to '{info.linkname}', which is not in the archive")
        files[name] = target
    return files


def _read_tar(tar: tarfile.TarFile, infos: dict[str, tarfile.TarInfo], name: str, path: str) -> bytes:
    where = f"{path}: member '{name}'"
    info = infos[name]
    _refuse_large(where, info.size, LIMIT)
    try:
        data = tar.extractfile(info).read()
    except _DAMAGED as error:
        raise KaryobenchError(f"{where} cannot be read ({error}); delete the archive and download it again") from None
    if len(data) != info.size:
        raise KaryobenchError(f"{where} is cut short; delete the archive and download it again")
    return data
