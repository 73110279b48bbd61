"""The patch file: counts, contents, origins, reading, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.errors import KaryobenchError
from karyobench.patches import pack, sampling

ROOT = Path(__file__).resolve().parents[2]
RECORD = {"train": ["lab"], "tile": 50, "crop": 16, "crops_per_tile": 3, "val_crops": 2, "oversample": None, "seed": 0}


def field(image_id: str, height: int, width: int, nuclei: bool = True, image_type: str = "he") -> store.Field:
    """A field with a nucleus of 3 x 3 pixels in every 8 x 8 square, whose colours tell where a pixel lies."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack([rows % 256, columns % 256, np.full_like(rows, len(image_id))], axis=-1).astype(np.uint8)
    inside = (rows % 8 < 3) & (columns % 8 < 3)
    instances = np.where(inside & nuclei, 1 + (rows // 8) * width + columns // 8, 0).astype(np.int32)
    return store.Field(image_id, image, instances, {"dataset": "lab", "image_type": image_type})


@pytest.fixture
def dataset(tmp_path):
    """Function (name, {field: split}) -> paths of the dataset and its split."""

    def write(name: str, fields: list[tuple[store.Field, str]]) -> tuple[Path, Path]:
        with store.writing(tmp_path / f"{name}.h5") as writer:
            for item, _ in fields:
                writer.add(item)
        rows = ["image,split,group,stratum", *(f"{item.id},{split},{item.id},he" for item, split in fields)]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
        return tmp_path / f"{name}.h5", tmp_path / f"{name}.csv"

    return write


def packed(*datasets: tuple[Path, Path], **change) -> Path:
    output = datasets[0][0].with_name("patches.h5")
    images, splits = zip(*datasets, strict=True)
    pack.pack(images, splits, output, {"name": "p", "patches": RECORD | change})
    return output


def test_counts_of_the_paper(dataset):
    """P-RCNN's TCGA set: 30 images of 1000 x 1000, tiles of 500, 5 crops each, make 600 patches."""
    fields = [(field(f"{n:02}", 1000, 1000), "train") for n in range(30)]
    with h5py.File(packed(dataset("lab", fields), tile=500, crops_per_tile=5, crop=16)) as file:
        assert file["train/image"].shape == (600, 16, 16, 3)
        assert file["train/instances"].shape == (600, 16, 16)
        assert file["val/image"].shape == (0, 16, 16, 3)
        assert file["train"].attrs["images"] == 30
        assert file["train"].attrs["patches"] == 600


def test_every_patch_is_what_its_origin_says(dataset):
    fields = [(field("one", 70, 90), "train"), (field("three", 12, 40), "train"), (field("fifty", 60, 60), "val")]
    fields += [(field("hidden", 60, 60), "test"), (field("kept", 60, 60), "unused")]
    by_id = {item.id: item for item, _ in fields}
    with h5py.File(packed(dataset("lab", fields))) as file:
        for name, ids, total in (("train", {"one", "three"}, 4 * 3 + 3), ("val", {"fifty"}, 2)):
            group = file[name]
            origin = {key: group["origin"][key][()] for key in group["origin"]}
            assert len(group["image"]) == total
            assert {i.decode() for i in origin["image"]} == ids
            assert set(origin["dataset"]) == {b"lab"}
            assert set(origin["image_type"]) == {b"he"}
            for n in range(total):
                item = by_id[origin["image"][n].decode()]
                place = int(origin["row"][n]), int(origin["column"][n])
                patch, truth = sampling.cut(item.image, item.instances, *place, 16)
                np.testing.assert_array_equal(group["image"][n], patch)
                np.testing.assert_array_equal(group["instances"][n], truth)
                assert sorted(np.unique(truth)) == list(range(truth.max() + 1))


def test_attributes_count_what_is_there(dataset):
    fields = [(field("a", 50, 50), "train"), (field("bare", 50, 50, nuclei=False, image_type="other"), "train")]
    with h5py.File(packed(dataset("lab", fields))) as file:
        about = file["train"].attrs
        assert about["patches"] == 6
        assert about["empty_patches"] == 3
        assert about["nuclei"] == sum(int(i.max()) for i in file["train/instances"][()])
        assert json.loads(about["patches_by_image_type"]) == {"he": 3, "other": 3}
        assert json.loads(file.attrs["config"])["crop"] == 16
        assert list(file.attrs["datasets"]) == ["lab"]


def test_rare_types_are_oversampled(dataset):
    fields = [(field(f"c{n}", 50, 50), "train") for n in range(6)]
    fields += [(field("rare", 50, 50, image_type="brightfield"), "train")]
    rule = {"by": "image_type", "at_most": 4}
    with h5py.File(packed(dataset("lab", fields), oversample=rule)) as file:
        assert json.loads(file["train"].attrs["patches_by_image_type"]) == {"he": 18, "brightfield": 12}


def test_patches_do_not_depend_on_other_images(dataset):
    few, more = ([(field(i, 50, 50), "train") for i in ids] for ids in (["b"], ["a", "b", "c"]))
    with h5py.File(packed(dataset("lab", few))) as file:
        alone = file["train/image"][()]
    with h5py.File(packed(dataset("lab", more))) as file:
        np.testing.assert_array_equal(file["train/image"][3:6], alone)


def test_equal_slices_give_equal_files(dataset):
    files = dataset("lab", [(field("a", 70, 60), "train"), (field("b", 40, 40), "val")])
    first = packed(files).read_bytes()
    assert packed(files).read_bytes() == first
    assert packed(files, seed=1).read_bytes() != first


def test_several_datasets_may_share_image_ids(dataset):
    files = [dataset(name, [(field("a", 50, 50), "train")]) for name in ("lab", "clinic")]
    with h5py.File(packed(*files, train=["lab", "clinic"])) as file:
        assert [d.decode() for d in file["train/origin/dataset"]] == ["lab"] * 3 + ["clinic"] * 3


def test_reader_gives_any_order(dataset):
    path = packed(dataset("lab", [(field("a", 70, 90), "train"), (field("b", 60, 60), "val")]))
    with h5py.File(path) as file:
        images, instances = file["train/image"][()], file["train/instances"][()]
    with pack.reading(path) as (train, val):
        assert (len(train), len(val)) == (12, 2)
        for order in ([3, 0, 3, 11], [], np.random.default_rng(0).permutation(12)):
            got, labels = train.batch(order)
            assert (got.dtype, labels.dtype) == (np.uint8, np.int32)
            np.testing.assert_array_equal(got, images[np.array(order, int)])
            np.testing.assert_array_equal(labels, instances[np.array(order, int)])


def test_patches_are_lossless_one_chunk_each(dataset):
    with h5py.File(packed(dataset("lab", [(field("a", 70, 90), "train")]))) as file:
        assert file["train/image"].chunks == (1, 16, 16, 3)
        assert file["train/instances"].chunks == (1, 16, 16)


def without_truth() -> store.Field:
    whole = field("a", 50, 50)
    return store.Field("a", whole.image, None, whole.attributes)


@pytest.mark.parametrize(
    ("fields", "change", "message"),
    [
        ([(field("a", 50, 50, nuclei=False), "train")], {}, "'p': no nucleus in any training patch of lab"),
        ([(field("a", 50, 50), "test")], {}, "'p': no image of lab is in the training split"),
        ([(without_truth(), "train")], {}, "'lab': image 'a' has no instance map"),
        ([(field("a", 50, 50), "train")], {"train": ["lab", "more"]}, "2 datasets, but 1 image files and 1 splits"),
        (
            [(field("a", 50, 50), "train")],
            {"oversample": {"by": "image_typ", "at_most": 2}},
            "no attribute 'image_typ' .did you mean 'image_type'",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(dataset, fields, change, message):
    files = dataset("lab", fields)
    with pytest.raises(KaryobenchError, match=message):
        packed(files, **change)
    assert sorted(p.name for p in files[0].parent.iterdir()) == ["lab.csv", "lab.h5"]


def test_split_of_another_dataset_is_refused(dataset):
    images, _ = dataset("lab", [(field("a", 50, 50), "train")])
    _, splits = dataset("other", [(field("b", 50, 50), "train")])
    with pytest.raises(KaryobenchError, match="no image 'b'; the file and its split disagree"):
        packed((images, splits))


def test_a_truncated_file_is_named(dataset):
    path = packed(dataset("lab", [(field("a", 50, 50), "train")]))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(KaryobenchError, match=r"patches\.h5: cannot be read"), pack.reading(path):
        pass


def test_step_runs_by_hand(dataset):
    images, splits = dataset("lab", [(field("a", 50, 50), "train")])
    output = images.with_name("p.h5")
    command = [sys.executable, ROOT / "scripts" / "patch.py", "--config", json.dumps({"name": "p", "patches": RECORD})]
    command += ["--images", images, "--splits", splits, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with pack.reading(output) as (train, _):
        assert len(train) == 3
