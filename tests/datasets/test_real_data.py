"""Real files: what the mirror holds is read as its README says."""

import csv
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from karyobench.datasets import archives, images, splits, store
from karyobench.datasets.download import download
from karyobench.datasets.ingest import ingest
from karyobench.datasets.readers import dsb2018
from karyobench.datasets.split import split

DSB = {"dataset": "dsb2018", "reader": "dsb2018", "image_type": None, "truth": "manual"}
SOURCE = {"url": "https://127.0.0.1:9/stage1_train.zip", "sha256": None}
RECEIPT = Path("raw/dsb2018/source.json")


@pytest.fixture
def stage1(mirror: Path) -> Path:
    path = mirror / "dsb2018/stage1_train.zip"
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    return path


def test_dsb2018_lists_598_images_and_26337_masks_of_three_kinds(stage1: Path) -> None:
    """Image types of every eleventh image against those of the whole archive, which the slow test below counts."""
    with archives.opened(stage1) as archive:
        pictures, masks = dsb2018._listed(archive)
        assert (len(pictures), sum(map(len, masks.values()))) == (598, 26337)
        members = [member for _, member in sorted(pictures.items())][::11]
        kinds = Counter(dsb2018.image_type(images.read_image(archives.read(archive, m), m)[0]) for m in members)
    assert sum(kinds.values()) == 55
    assert set(kinds) == {"fluorescence", "he", "brightfield"}


@pytest.mark.slow
def test_dsb2018_from_mirror_to_split(stage1: Path, mirror: Path, workdir: Path) -> None:
    download("dsb2018", SOURCE, str(mirror), Path("partial"), RECEIPT)
    ingest(DSB, RECEIPT, Path("d.h5"))
    split({"kind": "stratified", "by": "image_type", "test": 0.1, "val": 0.1, "seed": 0}, Path("d.h5"), Path("d.csv"))
    with store.reading("d.h5") as found:
        about = {image_id: found.attributes(image_id) for image_id in found.ids}
        assert found.about["n_images"] == 598
        assert found.about["n_instances"] == 26337
        with open(mirror / "MANIFEST.csv", newline="") as stream:
            told = next(row["subset"] for row in csv.DictReader(stream) if row["file"].startswith("dsb2018/"))
        assert found.about["subset"] == told
    assert Counter(a["image_type"] for a in about.values()) == {"fluorescence": 487, "he": 97, "brightfield": 14}
    assert sum(a["overlapping_pixels"] > 0 for a in about.values()) == 5
    assert Counter(splits.read("d.csv").values()) == {"train": 478, "val": 60, "test": 60}


def test_a_real_field_with_its_instance_map(mirror: Path, tmp_path: Path) -> None:
    """1,294 instances in 1500 x 1500 pixels; the 16-bit fluorescence image has 125."""
    path = mirror / "misc/pypi_samples.zip"
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    with zipfile.ZipFile(path) as archive:
        members = {Path(name).name: archive.read(name) for name in archive.namelist()}
    nest, _ = images.read_image(members["hgsc_nest.jpg"], "hgsc_nest.jpg")
    (tmp_path / "mask.npz").write_bytes(members["hgsc_nest_inst_mask.npz"])
    labels = np.load(tmp_path / "mask.npz", allow_pickle=False)["nuc_raster"]
    assert nest.shape == (1500, 1500, 3)
    assert len(np.unique(labels)) - 1 == 1294
    assert len(np.unique(images.read_labels(members["mask2d.tif"], "mask2d.tif"))) - 1 == 125
    stretched, notes = images.read_image(members["img2d.tif"], "img2d.tif", {"percentiles": [1, 99.8]})
    assert (stretched.min(), stretched.max(), stretched.shape) == (0, 255, (512, 512, 3))
    assert notes["intensity_range"][1] <= 235
