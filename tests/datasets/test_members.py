"""Members of all archives and loose files of a dataset are one collection."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from karyobench.datasets import members
from karyobench.errors import KaryobenchError


def write_zip(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.fixture
def receipt(tmp_path: Path) -> dict[str, Any]:
    write_zip(tmp_path / "one.zip", {"top/a.png": b"a", "readme": b"first", "__MACOSX/._a.png": b"x", "top/.DS": b"x"})
    write_zip(tmp_path / "two.zip", {"top/b.png": b"b", "readme": b"second"})
    write_zip(tmp_path / "labels.npz", {"arr": b"not to be opened"})
    (tmp_path / "grades.csv").write_text("x")
    files = {p.name: {} for p in tmp_path.iterdir()}
    return {"dataset": "d", "files": files}


def test_one_collection(receipt: dict[str, Any], tmp_path: Path) -> None:
    with members.collected(tmp_path, receipt) as found:
        assert found.names == ["grades.csv", "labels.npz", "readme", "top/a.png", "top/b.png"]
        assert [found.read(name) for name in ("top/b.png", "top/a.png", "grades.csv")] == [b"b", b"a", b"x"]
        assert found.where("top/b.png") == f"{tmp_path}/two.zip: member 'top/b.png'"
        assert found.path("grades.csv") == tmp_path / "grades.csv"


def test_what_cannot_be_had(receipt: dict[str, Any], tmp_path: Path) -> None:
    with members.collected(tmp_path, receipt) as found:
        with pytest.raises(KaryobenchError, match=r"'d': its files hold no 'top/c\.png'"):
            found.read("top/c.png")
        with pytest.raises(KaryobenchError, match=r"'readme' occurs twice, as .*one\.zip.* and .*two\.zip"):
            found.read("readme")
        with pytest.raises(KaryobenchError, match="must lie as a file of its own"):
            found.path("top/a.png")
