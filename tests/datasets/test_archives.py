"""Archives are read in place, and refused when they are damaged or dangerous."""

import zipfile
from pathlib import Path

import pytest

from karyobench.datasets import archives
from karyobench.errors import KaryobenchError


def make(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip archive."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_members_are_sorted_files(tmp_path: Path) -> None:
    with archives.opened(make(tmp_path / "a.zip", {"b/2": b"2", "b/": b"", "a/1": b"1"})) as archive:
        assert archives.members(archive) == ["a/1", "b/2"]
        assert archives.read(archive, "b/2") == b"2"


def test_an_archive_cut_short(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"a": bytes(5000)}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(KaryobenchError, match=r"a\.zip: not a whole archive .* download"), archives.opened(path):
        pass


def test_an_archive_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"a\.zip is missing"), archives.opened(tmp_path / "a.zip"):
        pass


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_is_named(compression: int, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"good": b"good", "bad": bytes(range(256)) * 20}, compression)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as whole:
        data[whole.getinfo("bad").header_offset + 60] ^= 0xFF
    path.write_bytes(data)
    with archives.opened(path) as archive:
        assert archives.read(archive, "good") == b"good"
        with pytest.raises(KaryobenchError, match=r"a\.zip: member 'bad' cannot be read"):
            archives.read(archive, "bad")


def test_an_absent_member_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"a": b""})
    with archives.opened(path) as archive, pytest.raises(KaryobenchError, match="member 'b' is absent"):
        archives.read(archive, "b")


def test_a_member_above_the_limit_is_not_unpacked(tmp_path: Path) -> None:
    with archives.opened(make(tmp_path / "a.zip", {"bomb": bytes(100_000)})) as archive:
        assert len(archives.read(archive, "bomb", limit=100_000)) == 100_000
        with pytest.raises(KaryobenchError, match="'bomb' unpacks to 100000 bytes, more than the limit of 99999"):
            archives.read(archive, "bomb", limit=99_999)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {"secret": b"text"})
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with archives.opened(path) as archive, pytest.raises(KaryobenchError, match="'secret' is encrypted"):
        archives.read(archive, "secret")


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/etc/a.png"])
def test_names_that_lead_outside_are_refused(name: str, tmp_path: Path) -> None:
    path = make(tmp_path / "a.zip", {name: b""})
    with archives.opened(path) as archive, pytest.raises(KaryobenchError, match="points outside"):
        archives.members(archive)
