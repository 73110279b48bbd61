"""Tar archives are read in place and in any order, whatever their name and compression; traps are refused."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from karyobench.datasets import archives
from karyobench.errors import KaryobenchError


def write_tar(path: Path, files: dict[str, bytes], links: dict[str, tuple[bytes, str]] | None = None) -> Path:
    """A tar archive, compressed where its name ends in gz; links: name to (type, target)."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, (kind, target) in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)
    return path


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.tgz"])
def test_members_in_any_order(name: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / name, {"./b/two": b"22", "a": b"1" * 5000})
    with archives.any_opened(path) as archive:
        assert archive.names == ["a", "b/two"]
        assert [archive.read(member) for member in ("b/two", "a", "b/two")] == [b"22", b"1" * 5000, b"22"]
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_the_content_and_not_the_name_decides(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "really.tar.gz", "w") as archive:
        archive.writestr("a", b"1")
    with archives.any_opened(tmp_path / "really.tar.gz") as archive:
        assert (archive.names, archive.read("a")) == (["a"], b"1")


def test_hard_links_are_the_files_that_they_link_to(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {"a": b"one"}, {"b": (tarfile.LNKTYPE, "a"), "c": (tarfile.SYMTYPE, "/etc")})
    with archives.any_opened(path) as archive:
        assert archive.names == ["a", "b"]
        assert archive.read("b") == b"one"
    path = write_tar(tmp_path / "b.tar", {"a": b"one"}, {"b": (tarfile.LNKTYPE, "/etc/hostname")})
    with pytest.raises(KaryobenchError, match="'b' links to '/etc/hostname'"), archives.any_opened(path):
        pass


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "a\\..\\out"])
def test_names_that_lead_outside(name: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {name: b""})
    with pytest.raises(KaryobenchError, match="points outside the archive"), archives.any_opened(path):
        pass


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz"])
def test_an_archive_cut_short(name: str, tmp_path: Path) -> None:
    path = write_tar(tmp_path / name, {"a": bytes(range(256)) * 100})
    whole = path.read_bytes()
    for length in (0, 1, 300, len(whole) // 2):
        path.write_bytes(whole[:length])
        refused = pytest.raises(KaryobenchError, match=r"not a whole archive|cut short|cannot be read")
        with refused, archives.any_opened(path) as archive:
            archive.read("a")


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "a.tar.gz", {"a": bytes(100_000)})
    monkeypatch.setattr(archives, "LIMIT", 99_999)
    with (
        pytest.raises(KaryobenchError, match="member 'a' unpacks to 100000 bytes"),
        archives.any_opened(path) as archive,
    ):
        archive.read("a")
    monkeypatch.setattr(archives, "TAR_LIMIT", 50_000)
    with pytest.raises(KaryobenchError, match=r"a\.tar\.gz unpacks to"), archives.any_opened(path):
        pass


def test_gunzip() -> None:
    packed = gzip.compress(b"x" * 1000)
    assert archives.gunzip(packed, "a.gz") == b"x" * 1000
    with pytest.raises(KaryobenchError, match=r"a\.gz: no whole gzip file"):
        archives.gunzip(packed[:-9], "a.gz")
    with pytest.raises(KaryobenchError, match=r"a\.gz unpacks to"):
        archives.gunzip(packed, "a.gz", limit=999)
