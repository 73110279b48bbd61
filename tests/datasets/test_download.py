"""Every kind of source ends in checked raw files and an equal receipt, or in a message with the remedy."""

import csv
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from karyobench import files
from karyobench.datasets import packages, receipts
from karyobench.datasets.download import download
from karyobench.errors import KaryobenchError

BODY = b"the published archive"
PART = b"a part of it"
SHA = files.digest(BODY)
OUTPUT = Path("resources/raw/d/source.json")
RAW = OUTPUT.parent / "a.zip"


def run(source: dict[str, Any], mirror: str | Path = "") -> dict[str, Any]:
    """Download into the working directory and give the receipt."""
    download("d", source, str(mirror), Path("resources/partial/d"), OUTPUT)
    return json.loads(OUTPUT.read_text())


@pytest.fixture
def published(workdir: Path) -> str:
    """Address of the published archive."""
    (workdir / "server").mkdir()
    (workdir / "server/a.zip").write_bytes(BODY)
    return (workdir / "server/a.zip").as_uri()


def mirror_of(folder: Path, name: str, body: bytes, subset: str = "", sha256: str | None = None) -> Path:
    """A mirror that holds one file of dataset d."""
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_bytes(body)
    with open(folder / "MANIFEST.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["dataset", "file", "bytes", "sha256", "subset"])
        rows.writerow(["other", name, "1", "0" * 64, "of another dataset"])
        rows.writerow(["d", name, str(len(body)), sha256 or files.digest(body), subset])
    return folder


# ---------------------------------------------------------------------- address


def test_a_published_file_with_its_checksum(published: str) -> None:
    source = {"url": published, "sha256": SHA}
    told = run(source)
    assert RAW.read_bytes() == BODY
    assert told == {
        "dataset": "d",
        "kind": "url",
        "source": source,
        "files": {"a.zip": {"sha256": SHA, "bytes": len(BODY)}},
        "origin": "official",
        "verified": True,
        "subset": None,
    }


def test_without_a_checksum_the_hash_is_recorded_and_the_log_says_so(
    published: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = run({"url": published, "sha256": None})
    assert (told["verified"], told["files"]["a.zip"]["sha256"]) == (False, SHA)
    assert "recorded, not verified" in caplog.text


def test_equal_files_give_equal_receipts(published: str) -> None:
    source = {"url": published, "sha256": SHA}
    run(source)
    first = OUTPUT.read_bytes()
    RAW.unlink()
    run(source)
    assert OUTPUT.read_bytes() == first


@pytest.mark.parametrize("sha256", [SHA, None])
def test_a_file_put_by_hand_is_not_fetched(sha256: str | None, workdir: Path) -> None:
    RAW.parent.mkdir(parents=True)
    RAW.write_bytes(BODY)
    told = run({"url": (workdir / "gone/a.zip").as_uri(), "sha256": sha256})
    assert told["verified"] is (sha256 is not None)
    assert told["origin"] == ("official" if sha256 else "by hand")


def test_a_file_with_another_checksum_is_fetched_again(published: str) -> None:
    RAW.parent.mkdir(parents=True)
    RAW.write_bytes(b"half of it")
    run({"url": published, "sha256": SHA})
    assert RAW.read_bytes() == BODY


def test_wrong_bytes_are_told_and_deleted(published: str, workdir: Path) -> None:
    with pytest.raises(KaryobenchError) as told:
        run({"url": published, "sha256": "0" * 64})
    for text in ("a.zip", published, SHA, "0" * 64, "deleted", "new sha256"):
        assert text in str(told.value)
    assert not RAW.exists()
    assert list((workdir / "resources/partial/d").iterdir()) == []


def test_the_next_address_serves_when_one_fails(serve: Callable, workdir: Path) -> None:
    site = serve({"/wrong/a.zip": PART, "/right/a.zip": BODY})
    mirrors = [site.address + "/wrong/a.zip", site.address + "/right/a.zip"]
    told = run({"url": site.address + "/absent/a.zip", "mirrors": mirrors, "sha256": SHA})
    assert RAW.read_bytes() == BODY
    assert told["origin"] == "official"
    assert [path for path, _ in site.asked] == ["/absent/a.zip", "/wrong/a.zip", "/right/a.zip"]


def test_when_all_fail_each_cause_and_each_way_out_is_named(serve: Callable, workdir: Path) -> None:
    site = serve({})
    with pytest.raises(KaryobenchError) as told:
        run({"url": site.address + "/one/a.zip", "mirrors": [site.address + "/two/a.zip"], "sha256": SHA})
    for text in ("dataset 'd'", "/one/a.zip", "/two/a.zip", "HTTP 404", "network", "`mirror:`", str(RAW)):
        assert text in str(told.value)


@pytest.mark.parametrize("source", [{}, {"url": "file:///a.zip", "local": "x"}, {"sha256": SHA}])
def test_a_source_is_of_one_kind(source: dict[str, Any], workdir: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"datasets\.d\.source .*exactly one"):
        run(source)


def test_the_file_is_named_by_the_path_of_the_address(serve: Callable, workdir: Path) -> None:
    site = serve({"/deep/a%20b.zip?download=1": BODY})
    assert list(run({"url": site.address + "/deep/a%20b.zip?download=1"})["files"]) == ["a b.zip"]


def test_an_address_without_a_file_name(workdir: Path) -> None:
    with pytest.raises(KaryobenchError, match="does not end in a file name"):
        run({"url": "http://127.0.0.1/"})


def test_a_folder_that_cannot_be_written(published: str) -> None:
    OUTPUT.parent.parent.mkdir(parents=True)
    OUTPUT.parent.write_text("in the way")
    with pytest.raises(KaryobenchError, match=r"dataset 'd'.*resources/raw/d"):
        run({"url": published, "sha256": SHA})


# ---------------------------------------------------------------------- mirror


def test_a_mirror_goes_first_and_its_subset_is_told(workdir: Path) -> None:
    mirror = mirror_of(workdir / "mirror", "deep/a.zip", PART, "3 of 9 images")
    for sha256 in (SHA, None):
        told = run({"url": "http://127.0.0.1:9/x/a.zip", "sha256": sha256}, mirror)
        assert RAW.read_bytes() == PART
        assert (told["origin"], told["verified"], told["subset"]) == ("mirror", True, "3 of 9 images")


def test_the_same_bytes_from_a_mirror_are_the_official_ones(workdir: Path) -> None:
    told = run({"url": "http://127.0.0.1:9/a.zip", "sha256": SHA}, mirror_of(workdir / "mirror", "d/a.zip", BODY, "x"))
    assert (told["origin"], told["subset"]) == ("official", None)


def test_other_bytes_are_never_passed_for_the_official_ones(workdir: Path) -> None:
    told = run({"url": "http://127.0.0.1:9/a.zip", "sha256": SHA}, mirror_of(workdir / "mirror", "d/a.zip", PART))
    assert "differs from the official file" in told["subset"]


def test_a_subset_stays_one_when_the_mirror_is_taken_away(published: str, workdir: Path) -> None:
    """With no published checksum the file is kept as it is, and so must what is known of it."""
    source = {"url": published, "sha256": None}
    first = run(source, mirror_of(workdir / "mirror", "d/a.zip", PART, "3 of 9 images"))
    OUTPUT.unlink()
    assert run(source) == first


def test_a_subset_is_replaced_by_the_official_file_where_its_checksum_is_known(published: str, workdir: Path) -> None:
    source = {"url": published, "sha256": SHA}
    run(source, mirror_of(workdir / "mirror", "d/a.zip", PART, "3 of 9 images"))
    assert run(source)["subset"] is None
    assert RAW.read_bytes() == BODY


def test_a_mirror_that_lacks_the_file_leads_to_the_address(
    published: str, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mirror = mirror_of(workdir / "mirror", "d/a.zip", PART)
    (mirror / "d/a.zip").unlink()
    assert run({"url": published, "sha256": SHA}, mirror)["origin"] == "official"
    assert "listed but not there" in caplog.text


def test_a_damaged_file_of_a_mirror_is_refused(workdir: Path) -> None:
    mirror = mirror_of(workdir / "mirror", "d/a.zip", PART, sha256="1" * 64)
    with pytest.raises(KaryobenchError, match=f"{mirror / 'd/a.zip'} has the sha256 .*{'1' * 64}"):
        run({"url": "http://127.0.0.1:9/a.zip"}, mirror)
    assert not RAW.exists()


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (None, "cannot be read"),
        ("file,sha256\na,b\n", "no column 'dataset'"),
        ("dataset,file,sha256\nd,../a,b\n", "outside"),
    ],
)
def test_mirrors_that_are_none(manifest: str | None, told: str, workdir: Path) -> None:
    (workdir / "mirror").mkdir()
    if manifest:
        (workdir / "mirror/MANIFEST.csv").write_text(manifest)
    with pytest.raises(KaryobenchError, match=f"mirror: .*MANIFEST.csv.*{told}"):
        run({"url": "http://127.0.0.1:9/a.zip"}, workdir / "mirror")


# ---------------------------------------------------------------------- package

MEMBERS = {"cells/data/one.tif": files.digest(b"one"), "cells/data/two.tif": files.digest(b"two")}


@pytest.fixture
def index(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a wheel of a given platform into the folder that pip is configured to look in."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(workdir / "index"))
    (workdir / "index").mkdir()

    def add(tags: str = "py3-none-any") -> Path:
        path = workdir / f"index/some_cells-1.2-{tags}.whl"
        about = {"METADATA": "Metadata-Version: 2.1\nName: some-cells\nVersion: 1.2\n", "RECORD": ""}
        about["WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tags}\n"
        with zipfile.ZipFile(path, "w") as wheel:
            for name, text in about.items():
                wheel.writestr(f"some_cells-1.2.dist-info/{name}", text)
            for member in MEMBERS:
                wheel.writestr(member, Path(member).stem)
        return path

    return add


def test_members_of_a_package(index: Callable, workdir: Path) -> None:
    index()
    told = run({"package": "some-cells==1.2", "members": MEMBERS})
    assert (OUTPUT.parent / "one.tif").read_bytes() == b"one"
    assert (told["kind"], told["origin"], told["verified"]) == ("package", "package some-cells==1.2", True)
    assert {name: entry["sha256"] for name, entry in told["files"].items()} == {
        Path(member).name: sha256 for member, sha256 in MEMBERS.items()
    }
    assert list((workdir / "resources/partial/d").iterdir()) == []


def test_members_put_by_hand_need_no_index(index: Callable) -> None:
    OUTPUT.parent.mkdir(parents=True)
    for member in MEMBERS:
        (OUTPUT.parent / Path(member).name).write_text(Path(member).stem)
    assert run({"package": "some-cells==1.2", "members": MEMBERS})["verified"] is True


def test_a_wheel_of_a_mirror(index: Callable, workdir: Path) -> None:
    wheel = index()
    mirror = mirror_of(workdir / "mirror", f"wheels/{wheel.name}", wheel.read_bytes())
    wheel.unlink()
    run({"package": "Some.Cells==1.2", "members": MEMBERS}, mirror)
    assert (OUTPUT.parent / "two.tif").read_bytes() == b"two"


def test_a_platform_without_a_wheel_takes_that_for_linux(index: Callable, caplog: pytest.LogCaptureFixture) -> None:
    """The wheel's Python, 3.11, must not be the running one for this test to mean something; its ABI never is."""
    index("cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64")
    packages_before = packages._pip
    calls = []

    def pip(package: str, into: Path, platform: tuple[str, ...]) -> str | None:
        calls.append(platform)
        return "ERROR: No matching distribution found" if not platform else packages_before(package, into, platform)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packages, "_pip", pip)
        run({"package": "some-cells==1.2", "members": MEMBERS})
    assert len(calls) == 2
    assert "no wheel for this platform" in caplog.text


def test_a_package_that_pip_cannot_find(index: Callable) -> None:
    with pytest.raises(KaryobenchError) as told:
        run({"package": "some-cells==1.2", "members": MEMBERS})
    for text in (
        "dataset 'd'",
        "some-cells==1.2",
        "No matching distribution",
        "pip config",
        "`mirror:`",
        "resources/raw/d",
    ):
        assert text in str(told.value)


def test_a_member_with_another_checksum(index: Callable) -> None:
    index()
    with pytest.raises(KaryobenchError, match=r"member 'cells/data/one\.tif' has the sha256 .* expected 000"):
        run({"package": "some-cells==1.2", "members": {"cells/data/one.tif": "0" * 64}})
    assert not (OUTPUT.parent / "one.tif").exists()


def test_a_member_that_is_not_there(index: Callable) -> None:
    index()
    with pytest.raises(KaryobenchError, match=r"some_cells-1\.2.*'cells/none\.tif' is absent"):
        run({"package": "some-cells==1.2", "members": {"cells/none.tif": SHA}})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"package": "some-cells>=1", "members": MEMBERS}, "name==1.2.3"),
        ({"package": "--index-url=x==1", "members": MEMBERS}, "name==1.2.3"),
        ({"package": "some-cells==1.2", "members": {"a/x.tif": SHA, "b/x.tif": SHA}}, "same file name"),
    ],
)
def test_packages_that_are_none(source: dict[str, Any], told: str, workdir: Path) -> None:
    with pytest.raises(KaryobenchError, match=told):
        run(source)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("some_cells-1.2-py3-none-any.whl", True),
        ("Some.Cells-1.2-cp311-cp311-win_amd64.whl", True),
        ("some_cells-1.2.1-py3-none-any.whl", False),
        ("some_cells_more-1.2-py3-none-any.whl", False),
        ("some_cells-1.2.tar.gz", False),
    ],
)
def test_the_file_name_of_a_wheel(name: str, is_one: bool) -> None:
    assert packages.is_wheel_of("some-cells==1.2", name) is is_one


# ---------------------------------------------------------------------- local


def test_a_local_folder_is_listed_and_left_in_place(workdir: Path) -> None:
    (workdir / "mine/deep").mkdir(parents=True)
    (workdir / "mine/b.tif").write_bytes(b"b")
    (workdir / "mine/deep/a.tif").write_bytes(b"a")
    (workdir / "mine/.hidden").write_bytes(b"x")
    told = run({"local": "mine"})
    assert told["files"] == {
        "b.tif": {"sha256": files.digest(b"b"), "bytes": 1},
        "deep/a.tif": {"sha256": files.digest(b"a"), "bytes": 1},
    }
    assert [p.name for p in OUTPUT.parent.iterdir()] == ["source.json"]
    assert receipts.checked_folder(OUTPUT, told) == Path("mine")


def test_a_local_file(workdir: Path) -> None:
    (workdir / "mine").mkdir()
    (workdir / "mine/a.zip").write_bytes(BODY)
    (workdir / "mine/other.zip").write_bytes(PART)
    told = run({"local": "mine/a.zip"})
    assert list(told["files"]) == ["a.zip"]
    assert receipts.checked_folder(OUTPUT, told) == Path("mine")


@pytest.mark.parametrize(("make", "told"), [(False, "does not exist"), (True, "holds no files")])
def test_a_local_path_with_nothing(make: bool, told: str, workdir: Path) -> None:
    if make:
        (workdir / "mine").mkdir()
    with pytest.raises(KaryobenchError, match=rf"datasets\.d\.source\.local is mine, which {told}"):
        run({"local": "mine"})


# ---------------------------------------------------------------------- receipt


def test_a_raw_file_that_is_gone_or_changed_is_named(published: str) -> None:
    told = run({"url": published, "sha256": SHA})
    assert receipts.checked_folder(OUTPUT, told) == OUTPUT.parent
    RAW.write_bytes(BODY[:-1] + b"?")
    with pytest.raises(KaryobenchError, match=r"a\.zip is not the file of its receipt; delete .*source\.json"):
        receipts.checked_folder(OUTPUT, told)
    RAW.unlink()
    with pytest.raises(KaryobenchError, match=r"a\.zip is missing; delete .*source\.json"):
        receipts.checked_folder(OUTPUT, told)


def test_a_file_that_is_no_receipt(workdir: Path) -> None:
    Path("source.json").write_text("not JSON")
    for name in ("source.json", "absent.json"):
        with pytest.raises(KaryobenchError, match=f"{name}: no receipt"):
            receipts.read(name)
