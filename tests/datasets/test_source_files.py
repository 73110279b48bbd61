"""Sources of several files, files under another name, files behind a registration, and copies in a mirror of both."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from karyobench import files
from karyobench.datasets import mirrors, receipts
from karyobench.datasets.download import download
from karyobench.errors import KaryobenchError

OUTPUT = Path("resources/raw/d/source.json")
RAW = OUTPUT.parent
TRAIN, TEST, BOTH = b"the training archive", b"the test archive", b"parts of both archives"
FORM = {"page": "https://example.org/register", "how": "Sign in and ask for the archives."}
NOWHERE = "http://127.0.0.1:9/"


def run(source: dict[str, Any], mirror: str | Path = "") -> dict[str, Any]:
    """Download into the working directory and give the receipt."""
    OUTPUT.unlink(missing_ok=True)
    download("d", source, str(mirror), Path("resources/partial/d"), OUTPUT)
    return json.loads(OUTPUT.read_text())


def by_hand(**bodies: bytes) -> None:
    """Put archives into the folder of raw files, as a user does."""
    RAW.mkdir(parents=True, exist_ok=True)
    for stem, body in bodies.items():
        (RAW / f"{stem}.zip").write_bytes(body)


def mirror_of(folder: Path, held: dict[str, tuple[bytes, str]]) -> Path:
    """A mirror that holds bodies by name, each with what it says of its subset, filed under another dataset."""
    folder.mkdir()
    with open(folder / "MANIFEST.csv", "w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["dataset", "file", "sha256", "subset"])
        for name, (body, subset) in held.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(body)
            rows.writerow(["eyes", name, files.digest(body), subset])
    return folder


def registered(**told: Any) -> dict[str, Any]:
    """A source of two archives that are given out by registration, as DRIVE is."""
    return {"files": {f"{name}.zip": {"url": None, **told} for name in ("training", "test")}, "registration": FORM}


# ---------------------------------------------------------------------- several files


@pytest.fixture
def published(workdir: Path) -> dict[str, Any]:
    """A source of two archives with addresses."""
    (workdir / "server").mkdir()
    for name, body in (("training", TRAIN), ("test", TEST)):
        (workdir / f"server/{name}.zip").write_bytes(body)
    return {
        "files": {
            path.name: {"url": path.as_uri(), "sha256": files.sha256_file(path)}
            for path in sorted((workdir / "server").iterdir())
        }
    }


def test_each_file_is_fetched_and_checked(published: dict[str, Any]) -> None:
    told = run(published)
    assert (RAW / "training.zip").read_bytes() == TRAIN
    assert told == {
        "dataset": "d",
        "kind": "files",
        "source": published,
        "files": {
            "test.zip": {"sha256": files.digest(TEST), "bytes": len(TEST)},
            "training.zip": {"sha256": files.digest(TRAIN), "bytes": len(TRAIN)},
        },
        "origin": "official",
        "verified": True,
        "subset": None,
    }
    assert receipts.checked_folder(OUTPUT, told) == RAW


def test_equal_files_give_an_equal_receipt_and_are_not_fetched_again(published: dict[str, Any], workdir: Path) -> None:
    run(published)
    first = OUTPUT.read_bytes()
    for path in (workdir / "server").iterdir():
        path.unlink()
    run(published)
    assert OUTPUT.read_bytes() == first


def test_one_file_with_other_bytes_leaves_no_receipt(published: dict[str, Any], workdir: Path) -> None:
    (workdir / "server/training.zip").write_bytes(b"other")
    with pytest.raises(KaryobenchError, match=r"training\.zip has the sha256"):
        run(published)
    assert not OUTPUT.exists()
    assert not (RAW / "training.zip").exists()


def test_one_unverified_file_makes_the_whole_unverified(published: dict[str, Any]) -> None:
    published["files"]["test.zip"]["sha256"] = None
    assert run(published)["verified"] is False


def test_only_the_listed_slides_are_asked_for(serve: Callable, workdir: Path) -> None:
    slides = {f"/images/patient_00{n}_node_1.tif": bytes([n]) for n in range(4)}
    site = serve(slides)
    wanted = sorted(slides)[1:3]
    told = run({"files": {Path(path).name: {"url": site.address + path} for path in wanted}})
    assert sorted(told["files"]) == [Path(path).name for path in wanted]
    assert [path for path, _ in site.asked] == wanted


@pytest.mark.parametrize("name", ["../a.zip", "deep/a.zip", ".hidden", "a\\b.zip", "", ".."])
def test_names_are_plain(name: str, workdir: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"datasets\.d\.source: '.*' is no plain file name"):
        run({"files": {name: {"url": NOWHERE + "a.zip"}}})


def test_a_file_named_like_the_receipt(serve: Callable, workdir: Path) -> None:
    site = serve({"/source.json": b"{}"})
    with pytest.raises(KaryobenchError, match=r"no raw file can be named 'source\.json'"):
        run({"url": site.address + "/source.json"})


# ---------------------------------------------------------------------- names


def test_an_address_that_does_not_end_in_the_name(serve: Callable, workdir: Path) -> None:
    """The form of Google Drive's addresses: the file is told by the query, which must arrive as it is."""
    path = "/download?id=1ZgqFJomqQGNnsx7w7Q&export=download&confirm=t"
    site = serve({path: TRAIN}, stop_after=[7])
    told = run({"url": site.address + path, "name": "MoNuSeg 2018 Training Data.zip", "sha256": files.digest(TRAIN)})
    assert list(told["files"]) == ["MoNuSeg 2018 Training Data.zip"]
    assert site.asked == [(path, None), (path, "bytes=7-")]


# ---------------------------------------------------------------------- web pages

PAGES = [
    b"<!DOCTYPE html><html><head><title>Quota exceeded</title></head></html>",
    b"\xef\xbb\xbf\n <HTML><body>Sign in</body></HTML>",
]


@pytest.mark.parametrize("body", PAGES)
@pytest.mark.parametrize("sha256", [None, files.digest(TRAIN)])
def test_a_web_page_is_no_archive(body: bytes, sha256: str | None, serve: Callable, workdir: Path) -> None:
    site = serve({"/a.zip": body})
    with pytest.raises(KaryobenchError, match=r"(?s)/a\.zip: a web page came instead of a\.zip.*by hand at"):
        run({"url": site.address + "/a.zip", "sha256": sha256})
    assert not (RAW / "a.zip").exists()
    assert list(Path("resources/partial/d").iterdir()) == []


def test_what_claims_to_be_a_web_page_is_believed_unless_its_checksum_is_right(serve: Callable, workdir: Path) -> None:
    site = serve({"/a.zip": b"Too many requests, come back later"}, media="text/html; charset=utf-8")
    with pytest.raises(KaryobenchError, match="a web page came instead"):
        run({"url": site.address + "/a.zip"})
    site.content["/a.zip"] = TRAIN
    assert run({"url": site.address + "/a.zip", "sha256": files.digest(TRAIN)})["verified"] is True


def test_a_web_page_may_be_asked_for(serve: Callable, workdir: Path) -> None:
    site = serve({"/a.html": PAGES[0]})
    assert list(run({"url": site.address + "/a.html"})["files"]) == ["a.html"]


# ---------------------------------------------------------------------- registration


def test_where_to_register_and_where_to_put_the_files(workdir: Path) -> None:
    source = registered(sha256="ab" * 32, bytes=29_000_000, in_mirror=["retina/DRIVE.zip"])
    with pytest.raises(KaryobenchError) as told:
        run(source)
    for text in (
        "dataset 'd'",
        FORM["page"],
        FORM["how"],
        str(RAW / "training.zip"),
        str(RAW / "test.zip"),
        "29000000",
        "ab" * 32,
        "`mirror:`",
        "retina/DRIVE.zip",
    ):
        assert text in str(told.value)


def test_only_the_missing_file_is_asked_for_and_before_anything_is_fetched(serve: Callable, workdir: Path) -> None:
    site = serve({"/more.zip": b"more"})
    source = registered()
    source["files"]["more.zip"] = {"url": site.address + "/more.zip"}
    by_hand(training=TRAIN)
    with pytest.raises(KaryobenchError, match=r"'d': test\.zip must be asked for") as told:
        run(source)
    assert "training.zip" not in str(told.value)
    assert site.asked == []


def test_files_put_by_hand_are_recorded(workdir: Path, caplog: pytest.LogCaptureFixture) -> None:
    by_hand(training=TRAIN, test=TEST)
    told = run(registered())
    assert (told["origin"], told["verified"], told["subset"]) == ("by hand", False, None)
    assert told["files"]["test.zip"]["sha256"] == files.digest(TEST)
    assert run(registered() | {"registration": FORM | {"how": "Another wording."}}) == told
    assert "recorded, not verified" in caplog.text


def test_files_put_by_hand_meet_the_same_checks(workdir: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = registered()
    for name, body in (("training", TRAIN), ("test", TEST)):
        source["files"][f"{name}.zip"]["sha256"] = files.digest(body)
    by_hand(training=TRAIN, test=b"half of it")
    with pytest.raises(KaryobenchError, match=r"test\.zip must be asked for"):
        run(source)
    assert f"expected {files.digest(TEST)}" in caplog.text
    by_hand(test=TEST)
    told = run(source)
    assert (told["origin"], told["verified"]) == ("official", True)


@pytest.mark.parametrize("source", [{"files": {"a.zip": {"url": None}}}, {"url": None, "name": "a.zip"}])
def test_a_file_without_an_address_needs_a_registration(source: dict[str, Any], workdir: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"datasets\.d\.source: 'a\.zip' has no url.*registration"):
        run(source)


def test_many_files_to_ask_for_are_each_named_once(workdir: Path) -> None:
    slides = [f"A{n:02}.tar.gz" for n in range(22)]
    with pytest.raises(KaryobenchError, match=r"A00\.tar\.gz and 21 more files must be asked for") as told:
        run({"files": {name: {"url": None} for name in slides}, "registration": FORM})
    assert all(str(told.value).count(str(RAW / name)) == 1 for name in slides)


# ---------------------------------------------------------------------- mirror


@pytest.fixture
def drive(workdir: Path) -> Path:
    """A mirror whose one archive holds parts of two official ones."""
    return mirror_of(workdir / "mirror", {"retina/DRIVE.zip": (BOTH, "6 of 40 images")})


ONE_FOR_TWO = {"in_mirror": ["retina/DRIVE.zip"]}


def test_one_copy_serves_two_files_and_is_taken_once(drive: Path) -> None:
    told = run(registered(**ONE_FOR_TWO), drive)
    assert told["files"] == {"DRIVE.zip": {"sha256": files.digest(BOTH), "bytes": len(BOTH)}}
    assert (told["origin"], told["verified"], told["subset"]) == ("mirror", True, "6 of 40 images")
    assert receipts.checked_folder(OUTPUT, told) == RAW
    assert sorted(path.name for path in RAW.iterdir()) == [".origins.json", "DRIVE.zip", "source.json"]


def test_the_copy_taken_before_is_not_the_official_file(drive: Path) -> None:
    """Mirror first, then without it: the subset is no answer; with the official files in place, it is left out."""
    run(registered(**ONE_FOR_TWO), drive)
    with pytest.raises(KaryobenchError, match=r"test\.zip, training\.zip must be asked for"):
        run(registered(**ONE_FOR_TWO))
    by_hand(training=TRAIN, test=TEST)
    told = run(registered(**ONE_FOR_TWO))
    assert sorted(told["files"]) == ["test.zip", "training.zip"]
    assert told["subset"] is None


def test_official_files_in_place_go_before_a_mirror(drive: Path) -> None:
    by_hand(training=TRAIN, test=TEST)
    told = run(registered(**ONE_FOR_TWO), drive)
    assert sorted(told["files"]) == ["test.zip", "training.zip"]
    assert (told["origin"], told["subset"]) == ("by hand", None)
    assert not (RAW / "DRIVE.zip").exists()


def test_a_copy_of_two_files_is_never_mixed_with_one_of_them(drive: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The same image would come from both."""
    by_hand(training=TRAIN)
    assert list(run(registered(**ONE_FOR_TWO), drive)["files"]) == ["DRIVE.zip"]
    assert "training.zip is left aside" in caplog.text


def test_mirror_and_official_file_under_names_of_their_own(serve: Callable, workdir: Path) -> None:
    """The mirror's copy of a tar.gz is a zip; either may come first."""
    site = serve({"/all.tar.gz": TRAIN})
    source = {"url": site.address + "/all.tar.gz", "sha256": None, "in_mirror": ["x/none.zip", "x/some.zip"]}
    mirror = mirror_of(workdir / "mirror", {"x/some.zip": (BOTH, "8 of 7909 images")})
    taken = run(source, mirror)
    assert (list(taken["files"]), taken["subset"]) == (["some.zip"], "8 of 7909 images")
    assert site.asked == []
    fetched = run(source)
    assert (list(fetched["files"]), fetched["subset"], fetched["origin"]) == (["all.tar.gz"], None, "official")
    assert run(source, mirror) == fetched


def test_a_copy_taken_before_is_not_taken_again(drive: Path) -> None:
    run(registered(**ONE_FOR_TWO), drive)
    before = (RAW / "DRIVE.zip").stat().st_mtime_ns
    run(registered(**ONE_FOR_TWO), drive)
    assert (RAW / "DRIVE.zip").stat().st_mtime_ns == before
    (RAW / "DRIVE.zip").write_bytes(b"changed since")
    run(registered(**ONE_FOR_TWO), drive)
    assert (RAW / "DRIVE.zip").read_bytes() == BOTH


def test_what_a_mirror_lacks_is_fetched(published: dict[str, Any], workdir: Path) -> None:
    published["files"]["training.zip"]["in_mirror"] = ["eyes/training.zip"]
    told = run(published, mirror_of(workdir / "mirror", {"eyes/training.zip": (BOTH, "3 of 9")}))
    assert sorted(told["files"]) == ["test.zip", "training.zip"]
    assert (RAW / "test.zip").read_bytes() == TEST
    assert (told["origin"], told["verified"], told["subset"]) == ("mirror and official", True, "training.zip: 3 of 9")


def test_subsets_of_all_files_are_told(workdir: Path) -> None:
    source = {"files": {f"{n}.zip": {"url": NOWHERE + n, "in_mirror": [f"x/{n}.zip"]} for n in "ab"}}
    told = run(source, mirror_of(workdir / "mirror", {"x/a.zip": (TRAIN, "10 of 30"), "x/b.zip": (TEST, "11 of 14")}))
    assert told["subset"] == "a.zip: 10 of 30; b.zip: 11 of 14"


def test_a_subset_is_remembered_though_the_next_file_failed(workdir: Path, serve: Callable) -> None:
    """What was taken before the fault is not taken for the official file by the next run, without the mirror."""
    site = serve({})
    source = {"files": {"a.zip": {"url": NOWHERE, "in_mirror": ["x/a.zip"]}, "b.zip": {"url": site.address + "/b"}}}
    with pytest.raises(KaryobenchError, match=r"b\.zip could not be fetched"):
        run(source, mirror_of(workdir / "mirror", {"x/a.zip": (TRAIN, "10 of 30")}))
    site.content["/b"] = TEST
    assert run(source)["subset"] == "a.zip: 10 of 30"


@pytest.mark.parametrize("text", ["complete", "Complete (28 images, two observers)"])
def test_a_copy_that_is_called_complete_is_no_subset(text: str, workdir: Path) -> None:
    source = {"url": NOWHERE + "a.zip", "sha256": None, "in_mirror": ["x/a.zip"]}
    told = run(source, mirror_of(workdir / "mirror", {"x/a.zip": (TRAIN, text)}))
    assert (told["origin"], told["subset"]) == ("mirror", None)


def test_without_in_mirror_the_dataset_is_compared(workdir: Path) -> None:
    mirror = mirror_of(workdir / "mirror", {"x/training.zip": (TRAIN, ""), "x/test.zip": (TEST, "")})
    with pytest.raises(KaryobenchError, match="the mirror holds none of them"):
        run(registered(), mirror)


@pytest.mark.parametrize(
    "held",
    [{"x/test.zip": (TRAIN, "")}, {"x/some.zip": (TRAIN, ""), "y/some.zip": (TEST, "")}],
)
def test_two_files_never_come_to_lie_under_one_name(held: dict, workdir: Path) -> None:
    """A copy named like another file, and two copies of one name."""
    source = registered()
    for name, copy in zip(("training.zip", "test.zip"), held, strict=False):
        source["files"][name]["in_mirror"] = [copy]
    with pytest.raises(KaryobenchError, match=r"two files would be saved as '(test|some)\.zip'"):
        run(source, mirror_of(workdir / "mirror", held))


@pytest.mark.parametrize("manifest", [b"dataset,file,sha256\nd,\xff.zip,0\n", b"dataset,file,sha256\nd\n"])
def test_manifests_that_are_damaged(manifest: bytes, workdir: Path) -> None:
    (workdir / "mirror").mkdir()
    (workdir / "mirror/MANIFEST.csv").write_bytes(manifest)
    with pytest.raises(KaryobenchError, match=r"mirror: .*MANIFEST\.csv"):
        run(registered(), workdir / "mirror")


# ---------------------------------------------------------------------- real mirror


def test_the_real_mirror_serves_drive(mirror: Path, workdir: Path) -> None:
    listed = {copy.file: copy for copy in mirrors.copies(mirror)}
    if "retina/DRIVE.zip" not in listed:
        pytest.skip("the mirror holds no DRIVE")
    told = run(registered(**ONE_FOR_TWO), mirror)
    assert told["files"]["DRIVE.zip"]["sha256"] == listed["retina/DRIVE.zip"].sha256
    assert "of 40" in told["subset"]
