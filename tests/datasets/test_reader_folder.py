"""A user's own images in each of the four formats, and what is said of files that do not belong together."""

import zipfile
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest

import own_images
from karyobench.datasets import readers
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError
from own_images import FORMATS, NAMES, SHAPE, truth

GROUP = r"^(p\d+)_"


def make(raw: Path, form: str = "coco") -> dict[str, Any]:
    """Write a valid folder; what its record holds beside the common keys."""
    return {"folder": own_images.make(raw, form) | {"group": GROUP}}


def read(raw: Path, **record: Any) -> dict[str, Field]:
    """Fields of all files in `raw`, by id."""
    names = {path.relative_to(raw).as_posix(): {} for path in sorted(raw.rglob("*")) if path.is_file()}
    return {f.id: f for f in readers.find("folder")(raw, {"dataset": "d", "files": names}, record)}


@pytest.mark.parametrize("form", FORMATS)
def test_each_format_tells_the_same_truth(form: str, tmp_path: Path) -> None:
    fields = read(tmp_path, **make(tmp_path, form))
    assert list(fields) == list(NAMES)
    for name, field in fields.items():
        assert np.array_equal(field.instances, truth(name))
        assert field.image.shape == (*SHAPE, 3)
        assert field.attributes["source_file"] == f"images/{name}.png"
        assert field.attributes["group"] == name[:2]
        if form != "labels":
            assert (field.attributes["overlapping_pixels"], field.attributes["lost_objects"]) == (0, 0)
    crowd = fields["p1_b"].layers.get("ignore", np.zeros(SHAPE))
    assert crowd.sum() == (4 * 30 if form == "coco" else 0)
    assert set(np.unique(crowd[:20])) == {0}


def test_a_zip_archive_is_read_in_place(tmp_path: Path) -> None:
    record = make(tmp_path / "made", "masks")
    (tmp_path / "raw").mkdir()
    with zipfile.ZipFile(tmp_path / "raw/mine.zip", "w") as archive:
        for path in sorted((tmp_path / "made").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path / "made").as_posix())
    assert {name: field.instances.max() for name, field in read(tmp_path / "raw", **record).items()} == {
        "p1_a": 3,
        "p1_b": 3,
        "p2_a": 0,
    }


def test_folders_of_images_and_truth_beside_them(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        (tmp_path / patient).mkdir()
        (tmp_path / patient / "a.png").write_bytes(imagecodecs.png_encode(np.full(SHAPE, ord(patient[1]), np.uint8)))
        (tmp_path / patient / "a_labels.png").write_bytes(imagecodecs.png_encode(truth("p1_a")))
    folder = {"images": "**/*.png", "truth": "{name}_labels.png", "format": "labels", "group": "(p[0-9])/"}
    fields = read(tmp_path, folder=folder)
    assert {name: field.attributes["group"] for name, field in fields.items()} == {"p1-a": "p1", "p2-a": "p2"}


def test_the_first_mask_keeps_a_pixel_and_hides_another(tmp_path: Path) -> None:
    record = make(tmp_path, "masks")
    everything = imagecodecs.png_encode(np.full(SHAPE, 255, np.uint8))
    (tmp_path / "masks/p1_a/0.png").write_bytes(everything)
    about = read(tmp_path, **record)["p1_a"]
    assert np.unique(about.instances).tolist() == [1]
    assert about.attributes["overlapping_pixels"] == (truth("p1_a") > 0).sum()
    assert about.attributes["lost_objects"] == 3


def test_regions_need_no_numbers(tmp_path: Path) -> None:
    record = make(tmp_path, "labels")
    mask = (truth("p1_a") > 0).astype(np.uint8) * 255
    (tmp_path / "labels/p1_a.png").write_bytes(imagecodecs.png_encode(mask))
    assert read(tmp_path, objects="regions", **record)["p1_a"].instances.max() == 1
    with pytest.raises(KaryobenchError, match=r"p1_a\.png: has no values but 0 and 255: a mask, not a label map"):
        read(tmp_path, **record)


# ---------------------------------------------------------------------- what does not belong together


@pytest.mark.parametrize(
    ("form", "removed", "message"),
    [
        ("labels", "labels/p1_b.png", r"dataset 'd': image 'images/p1_b\.png' has no truth 'labels/p1_b\.png'; add it"),
        ("labels", "images/p1_b.png", r"truth 'labels/p1_b\.png' has no image 'p1_b' among 'images/\*\.png' \(did you"),
        ("masks", "masks/p1_a", r"image 'images/p1_a\.png' has no truth 'masks/p1_a/\*\.png'"),
        ("masks", "images/p2_a.png", r"truth 'masks/p2_a/1\.png' has no image 'p2_a'"),
        ("geojson", "qupath/p2_a.geojson", r"image 'images/p2_a\.png' has no truth 'qupath/p2_a\.geojson'"),
        ("coco", "images/p1_a.png", r"annotations\.json: its file name 'p1_a\.png' is no image of dataset 'd'"),
        (
            "coco",
            "annotations.json",
            r"datasets\.d\.folder\.truth: 0 files are 'annotations\.json'; one must hold all truth",
        ),
    ],
)
def test_one_without_the_other(form: str, removed: str, message: str, tmp_path: Path) -> None:
    record = make(tmp_path, form)
    path = tmp_path / removed
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        file.unlink()
    with pytest.raises(KaryobenchError, match=message):
        read(tmp_path, **record)


@pytest.mark.parametrize(
    ("form", "added", "message"),
    [
        ("labels", "images/p1_a.tif", r"'images/p1_a\.png' and 'images/p1_a\.tif' are both image 'p1_a'; rename one"),
        ("labels", "images/p1/a.png", r"'images/p1/a\.png' and 'images/p1-a\.png' are both image 'p1-a'"),
        ("labels", "labels/p1_a.tiff", r"'labels/p1_a\.png' and 'labels/p1_a\.tiff' are both truth of image 'p1_a'"),
        ("coco", "images/new/p1_a.png", r"'p1_a\.png' is 'images/new/p1_a\.png' and 'images/p1_a\.png' of dataset 'd'"),
        ("coco", "images/p3_a.png", r"dataset 'd': .*annotations\.json does not list image 'images/p3_a\.png'"),
    ],
)
def test_one_too_many(form: str, added: str, message: str, tmp_path: Path) -> None:
    record = make(tmp_path, form)
    record["folder"] |= {"images": "images/**/*"} | ({"truth": "labels/{name}.*"} if form == "labels" else {})
    for path in {added, "images/p1-a.png"} if "p1/a" in added else {added}:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    with pytest.raises(KaryobenchError, match=message):
        read(tmp_path, **record)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"images": "img/*.png"},
            r"datasets\.d\.folder\.images: none is 'img/\*\.png' and not truth; the files begin ",
        ),
        ({"truth": "labels/*.png"}, r"datasets\.d\.folder\.truth: 'labels/\*\.png' lacks \{name\}"),
        ({"group": "(p"}, r"datasets\.d\.folder\.group: '\(p' is no regular expression"),
        ({"group": "p1"}, "'p1' must have one pair of brackets"),
        ({"group": "(p1)"}, r"'\(p1\)' does not fit the image's name 'p2_a'"),
    ],
)
def test_records_that_do_not_fit(change: dict[str, str], message: str, tmp_path: Path) -> None:
    record = make(tmp_path, "labels")
    with pytest.raises(KaryobenchError, match=message):
        read(tmp_path, folder=record["folder"] | change)


def test_truth_of_another_size(tmp_path: Path) -> None:
    record = make(tmp_path / "m", "masks")
    (tmp_path / "m/masks/p1_a/1.png").write_bytes(imagecodecs.png_encode(np.zeros((24, 31), np.uint8)))
    with pytest.raises(KaryobenchError, match=r"p1_a/1\.png has shape \(24, 31\), its image \(24, 30\)"):
        read(tmp_path / "m", **record)
    record = make(tmp_path / "c", "coco")
    (tmp_path / "c/images/p1_a.png").write_bytes(imagecodecs.png_encode(np.zeros((24, 31), np.uint8)))
    with pytest.raises(KaryobenchError, match=r"\('p1_a\.png'\): is told to be of shape \(24, 30\), and is \(24, 31\)"):
        read(tmp_path / "c", **record)
