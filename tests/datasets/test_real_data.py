"""Real files of nuclei: what the mirror holds is read as its README and the papers say."""

import csv
import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image
from scipy import ndimage

from karyobench.datasets import images, members, patterns, polygons, readers, splits, staining, store, xml_trees
from karyobench.datasets.download import download
from karyobench.datasets.ingest import ingest
from karyobench.datasets.readers import dsb2018, monuseg
from karyobench.datasets.split import split
from karyobench.datasets.store import Field

STAGE1 = "dsb2018/stage1_train.zip"
MONUSEG = ("monuseg/MoNuSeg 2018 Training Data.zip", "monuseg/MoNuSegTestData.zip")
DSB = {"dataset": "dsb2018", "reader": "dsb2018", "image_type": None, "truth": "manual"}
SOURCE = {"url": "https://127.0.0.1:9/stage1_train.zip", "sha256": None, "in_mirror": [STAGE1]}
RECEIPT = Path("raw/dsb2018/source.json")


def receipt(mirror: Path, name: str, *files: str) -> dict:
    """Receipt of files of the mirror, read in place."""
    for file in files:
        if not (mirror / file).is_file():
            pytest.skip(f"the mirror has no {mirror / file}")
    return {"dataset": name, "files": {file: {} for file in files}}


def read(mirror: Path, name: str, *files: str) -> dict[str, Field]:
    """Fields of archives of the mirror, by id."""
    found = receipt(mirror, name, *files)
    return {field.id: field for field in readers.find(name)(mirror, found, {})}


def count(field: Field) -> int:
    return len(np.unique(field.instances)) - 1


# ---------------------------------------------------------------------- dsb2018


def test_dsb2018_lists_598_images_and_26337_masks_of_three_kinds(mirror: Path) -> None:
    """Image types of every eleventh image against those of the whole archive, which the slow test below counts."""
    with members.collected(mirror, receipt(mirror, "dsb2018", STAGE1)) as found:
        pictures, masks = dsb2018._listed(found, "dsb2018")
        assert (len(pictures), sum(map(len, masks.values()))) == (598, 26337)
        listed = [member for _, member in sorted(pictures.items())][::11]
        notes = [staining.read_image(found.read(member), member, None)[1] for member in listed]
    assert len(notes) == 55
    assert {about["image_type"] for about in notes} == {"fluorescence", "he", "brightfield"}


@pytest.mark.slow
def test_dsb2018_from_mirror_to_split(mirror: Path, workdir: Path) -> None:
    receipt(mirror, "dsb2018", STAGE1)
    download("dsb2018", SOURCE, str(mirror), Path("partial"), RECEIPT)
    ingest(DSB, RECEIPT, Path("d.h5"), Path("d.json"))
    split({"kind": "stratified", "by": "image_type", "test": 0.1, "val": 0.1, "seed": 0}, Path("d.h5"), Path("d.csv"))
    with store.reading("d.h5") as found:
        about = {image_id: found.attributes(image_id) for image_id in found.ids}
        assert found.about["n_images"] == 598
        assert found.about["n_instances"] == 26337
        with open(mirror / "MANIFEST.csv", newline="") as stream:
            told = next(row["subset"] for row in csv.DictReader(stream) if row["file"] == STAGE1)
        assert found.about["subset"] == told
    assert Counter(a["image_type"] for a in about.values()) == {"fluorescence": 487, "he": 97, "brightfield": 14}
    assert sum(a["overlapping_pixels"] > 0 for a in about.values()) == 5
    assert sum(a["lost_objects"] for a in about.values()) == 0
    assert Counter(splits.read("d.csv").values()) == {"train": 478, "val": 60, "test": 60}
    assert json.loads(Path("d.json").read_text())["rows"][0]["objects"] == 26337


# ---------------------------------------------------------------------- monuseg


def test_monuseg_9462_regions_of_which_9460_have_pixels(mirror: Path) -> None:
    fields = read(mirror, "monuseg", *MONUSEG)
    parts = {part: [f for f in fields.values() if f.attributes["part"] == part] for part in ("train", "test")}
    assert {part: len(found) for part, found in parts.items()} == {"train": 10, "test": 11}
    regions = {part: sum(f.attributes["regions"] for f in found) for part, found in parts.items()}
    assert regions == {"train": 3780, "test": 5682}
    assert {part: sum(map(count, found)) for part, found in parts.items()} == {"train": 3778, "test": 5682}
    about = [field.attributes for field in fields.values()]
    assert sum(told["regions_without_area"] for told in about) == sum(told["lost_objects"] for told in about) == 2
    assert len({told["group"] for told in about}) == 21
    assert Counter(told["organ"] for told in about) == {
        "breast": 6, "kidney": 4, "liver": 3, "bladder": 2, "lung": 2, "prostate": 2, "colon": 1, "brain": 1,
    }  # fmt: skip
    scales = [told["mpp"] for told in about if "mpp" in told]
    assert len(scales) == 20
    assert 0.245 < min(scales) < max(scales) < 0.253


@pytest.mark.parametrize(
    ("file", "case"), [(MONUSEG[0], "TCGA-21-5784-01Z-00-DX1"), (MONUSEG[1], "TCGA-2Z-A9J9-01A-01-TS1")]
)
def test_monuseg_images_of_the_official_compressions(file: str, case: str, mirror: Path) -> None:
    """LZW with a predictor and PackBits, against Pillow, whose decoder is another."""
    with members.collected(mirror, receipt(mirror, "monuseg", file)) as found:
        data = found.read(patterns.by_id(found.names, rf"(?P<id>{case})\.tif", "monuseg")[case])
    with Image.open(io.BytesIO(data)) as decoded:
        assert decoded.info["compression"] in ("tiff_lzw", "packbits")
        assert np.array_equal(images.read_image(data, case)[0], np.asarray(decoded))


@pytest.mark.slow
def test_monuseg_outlines_fit_with_the_origin_at_a_corner(mirror: Path) -> None:
    """Nuclei stand out more than with pixel centres at whole numbers, which is a shift of the outlines by 0.5."""
    steps = []
    with members.collected(mirror, receipt(mirror, "monuseg", *MONUSEG)) as found:
        annotations = patterns.by_id(found.names, r"(?P<id>TCGA-[^/]+)\.xml", "monuseg")
        for case, member in patterns.by_id(found.names, r"(?P<id>TCGA-[^/]+)\.tif", "monuseg").items():
            red = images.read_image(found.read(member), member)[0][..., 0].astype(float)
            root = xml_trees.parse(found.read(annotations[case]), case)
            outlines = [monuseg._vertices(region, case) for region in root.iterfind("Annotation/Regions/Region")]
            steps.append([step(red, [v + shift for v in outlines if len(v) > 2]) for shift in (0, 0.5)])
    corner, centre = np.array(steps).T
    assert (corner > centre).sum() == 17
    assert corner.mean() == pytest.approx(16.92, abs=0.01)
    assert centre.mean() == pytest.approx(16.40, abs=0.01)


def step(red: np.ndarray, outlines: list[np.ndarray]) -> float:
    """Mean of the pixels around objects less that of their outermost pixels."""
    inside = polygons.rasterize(map(shapely.Polygon, outlines), red.shape)[0] > 0
    around = ndimage.binary_dilation(inside) & ~inside
    return red[around].mean() - red[inside & ~ndimage.binary_erosion(inside)].mean()


# ---------------------------------------------------------------------- others


def test_cpm15_11_images_with_two_masks_swapped(mirror: Path) -> None:
    fields = read(mirror, "cpm15", "cpm15/MICCAI_competition_dataset.zip")
    assert len(fields) == 11
    assert sum(map(count, fields.values())) == 2200
    swapped = {name: f.attributes["mask_file"] for name, f in fields.items() if "mask_file" in f.attributes}
    assert swapped == {"image04": "image05_mask.txt", "image05": "image04_mask.txt"}
    assert Counter(field.attributes["magnification"] for field in fields.values()) == {20: 5, 40: 6}
    for field in fields.values():
        assert field.instances.max() == count(field)
        grey, nuclei = field.image.mean(axis=2), field.instances > 0
        assert grey[nuclei].mean() < grey[~nuclei].mean() - 20


def test_isbi2009_20_images_with_806_nuclei(mirror: Path) -> None:
    fields = read(mirror, "isbi2009", "isbi2009/Coelho2009_ISBI_NuclearSegmentation.zip")
    assert Counter(field.attributes["collection"] for field in fields.values()) == {"U2OS": 10, "NIH3T3": 10}
    assert {f.attributes["collection"]: f.image.shape for f in fields.values()} == {
        "U2OS": (1030, 1349, 3), "NIH3T3": (1024, 1344, 3),
    }  # fmt: skip
    assert sum(map(count, fields.values())) == 806
    doubly = {name for name, field in fields.items() if field.attributes["doubly_annotated"]}
    assert doubly == {"gnf-0", "gnf-1", "gnf-2", "ic100-0", "ic100-4"}
    for field in fields.values():
        nuclei = field.instances > 0
        assert np.median(field.image[nuclei]) > 1.2 * np.median(field.image[~nuclei])


def test_nuinsseg_6_images_with_masks_only(mirror: Path) -> None:
    fields = read(mirror, "nuinsseg", "nuinsseg/nuinsseg_subset.zip")
    assert {name: count(field) for name, field in fields.items()} == {
        "1": 18, "60": 37, "150": 11, "300": 25, "450": 90, "600": 20,
    }  # fmt: skip
    assert {field.image.shape for field in fields.values()} == {(512, 512, 3)}
    assert {field.attributes["semantic_truth"] for field in fields.values()} == {1}


def test_a_real_field_with_its_instance_map(mirror: Path, tmp_path: Path) -> None:
    """1,294 instances in 1500 x 1500 pixels; the 16-bit fluorescence image has 125."""
    path = mirror / "misc/pypi_samples.zip"
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    with zipfile.ZipFile(path) as archive:
        found = {Path(name).name: archive.read(name) for name in archive.namelist()}
    nest, _ = images.read_image(found["hgsc_nest.jpg"], "hgsc_nest.jpg")
    (tmp_path / "mask.npz").write_bytes(found["hgsc_nest_inst_mask.npz"])
    labels = np.load(tmp_path / "mask.npz", allow_pickle=False)["nuc_raster"]
    assert nest.shape == (1500, 1500, 3)
    assert len(np.unique(labels)) - 1 == 1294
    assert len(np.unique(images.read_labels(found["mask2d.tif"], "mask2d.tif"))) - 1 == 125
    stretched, notes = images.read_image(found["img2d.tif"], "img2d.tif", {"percentiles": [1, 99.8]})
    assert (stretched.min(), stretched.max(), stretched.shape) == (0, 255, (512, 512, 3))
    assert notes["intensity_range"][1] <= 235
