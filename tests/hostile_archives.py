"""Archives that are taken apart, put together again, and made to lie."""

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator

Variant = tuple[str, bytes]
"""What was done, and the bytes that came of it."""

BOMB = 21_000_000
"""Zeros that a bomb unpacks to, which take some kilobytes until then."""

_Pack = Callable[[dict[str, bytes]], bytes]


def unpacked(data: bytes) -> tuple[dict[str, bytes], _Pack] | None:
    """Members of an archive, and how to pack others in its place; None for other files."""
    stream = io.BytesIO(data)
    if data.startswith(b"PK"):
        with zipfile.ZipFile(stream) as archive:
            return {name: archive.read(name) for name in archive.namelist()}, zipped
    packed = data.startswith(b"\x1f\x8b")
    if _is_tar(gzip.decompress(data) if packed else data):
        with tarfile.open(fileobj=stream) as archive:
            members = {info.name: archive.extractfile(info).read() for info in archive if info.isreg()}
        return members, lambda members: tarred(members, packed)
    if packed:
        return {"content.ppm": gzip.decompress(data)}, lambda members: _gzipped(b"".join(members.values()))
    return None


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _is_tar(data: bytes) -> bool:
    return data[257:262] == b"ustar"


def zipped(members: dict[str, bytes], *more: tuple[zipfile.ZipInfo, bytes]) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for info, body in (*((zipfile.ZipInfo(name), body) for name, body in members.items()), *more):
            archive.writestr(info, body, zipfile.ZIP_DEFLATED, 1)
    return stream.getvalue()


def tarred(members: dict[str, bytes], packed: bool, *more: tarfile.TarInfo) -> bytes:
    """A tar archive, `more` being members without content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        for info in more:
            tar.addfile(info)
    return _gzipped(stream.getvalue()) if packed else stream.getvalue()


def variants(data: bytes, members: dict[str, bytes], pack: _Pack) -> Iterator[Variant]:
    """Archives that lie about their members, or name places outside."""
    if not members:
        return
    first = next(iter(members))
    yield "no members", pack({})
    if pack is not zipped and not _is_tar(data) and first == "content.ppm":
        yield "a bomb", _gzipped(bytes(BOMB))
        return
    for name in (f"../{first}", f"/{first}", f"a/../../{first}", f"..\\{first}", f"C:\\{first}"):
        yield f"member {name}", pack({name: members[first]} | members)
    yield "members in other folders", pack({f"other/{name}": body for name, body in members.items()})
    yield from _hostile_zip(data, members) if pack is zipped else _hostile_tar(members, not _is_tar(data))


def _hostile_zip(data: bytes, members: dict[str, bytes]) -> Iterator[Variant]:
    first = next(iter(members))
    entry = data.index(b"PK\x01\x02")
    yield "a member of 4 GB", _patched(data, entry + 24, struct.pack("<I", 0xFFFFFFF0))
    yield "an encrypted member", _patched(data, entry + 8, struct.pack("<H", 1))
    for method in (12, 14, 93, 99):
        yield f"compression method {method}", _patched(data, entry + 10, struct.pack("<H", method))
    yield "a member beyond the end", _patched(data, entry + 42, struct.pack("<I", 0x7FFFFFFF))
    link = zipfile.ZipInfo(first)
    link.external_attr = 0o120777 << 16
    yield "a link", zipped({name: body for name, body in members.items() if name != first}, (link, b"/etc/hostname"))
    yield "a bomb", zipped(members | {first: bytes(BOMB)})
    twice = zipfile.ZipInfo("/".join(reversed(first[::-1].split("/"))))
    twice.filename = first
    yield "a member twice", zipped(members, (twice, members[first]))


def _patched(data: bytes, place: int, value: bytes) -> bytes:
    return data[:place] + value + data[place + len(value) :]


def _hostile_tar(members: dict[str, bytes], packed: bool) -> Iterator[Variant]:
    first = next(iter(members))
    others = {name: body for name, body in members.items() if name != first}
    kinds = {"symbolic link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
    kinds |= {"pipe": tarfile.FIFOTYPE, "folder": tarfile.DIRTYPE}
    for told, kind in kinds.items():
        for target in ("/etc/hostname", "../../etc/hostname", first):
            info = tarfile.TarInfo(first)
            info.type, info.linkname = kind, target
            yield f"a {told} to {target}", tarred(others, packed, info)
    if packed:
        yield "a bomb", _gzipped(bytes(BOMB))
        yield "a bomb of one member", tarred(members | {first: bytes(BOMB)}, packed)
