"""The patch file: contents, origins, kinds of truth, and what is refused."""

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
from karyobench.patches.reading import reading

ROOT = Path(__file__).resolve().parents[2]
RECORD = {"train": ["lab"], "tile": 50, "crop": 16, "crops_per_tile": 3, "val_crops": 2, "oversample": None}
RECORD |= {"seed": 0, "codec": "zstd"}


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
    classes = {"classes": change.pop("classes")} if "classes" in change else {}
    pack.pack(images, splits, output, {"name": "p", "patches": RECORD | change, **classes})
    return output


def test_every_patch_is_what_its_origin_says(dataset):
    fields = [(field("one", 70, 90), "train"), (field("three", 12, 40), "train"), (field("fifty", 60, 60), "val")]
    fields += [(field("hidden", 60, 60), "test"), (field("kept", 60, 60), "unused")]
    by_id = {item.id: item for item, _ in fields}
    path = packed(dataset("lab", fields))
    with h5py.File(path) as file, reading(path) as (train, val):
        for group, patches, ids, total in (
            (file["train"], train, {"one", "three"}, 4 * 3 + 3),
            (file["val"], val, {"fifty"}, 2),
        ):
            origin = {key: group["origin"][key][()] for key in group["origin"]}
            assert len(patches) == total
            batch = patches.batch(range(total))
            images, instances = batch.images, batch.instances
            assert {i.decode() for i in origin["image"]} == ids
            assert set(origin["dataset"]) == {b"lab"}
            assert set(origin["image_type"]) == {b"he"}
            for n in range(total):
                item = by_id[origin["image"][n].decode()]
                place = int(origin["row"][n]), int(origin["column"][n])
                np.testing.assert_array_equal(images[n], sampling.cut(item.image, *place, 16))
                truth = sampling.cut_instances(item.instances, *place, 16)
                np.testing.assert_array_equal(instances[n], truth)
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
        assert store.read_attributes(file)["datasets"] == ["lab"]


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


@pytest.mark.parametrize("codec", ["zstd", "gzip"])
def test_the_codec_changes_the_size_alone(dataset, codec):
    files = dataset("lab", [(field("a", 70, 90), "train")])
    with reading(packed(files)) as (train, _):
        wanted = train.batch(range(12))
    path = packed(files, codec=codec)
    with h5py.File(path) as file:
        assert store.read_attributes(file["train"])["codec"] == codec
    with reading(path) as (train, _):
        got = train.batch(range(12))
        np.testing.assert_array_equal(got.images, wanted.images)
        np.testing.assert_array_equal(got.instances, wanted.instances)


def with_ignored(item: store.Field, rows: int) -> store.Field:
    ignore = np.zeros(item.image.shape[:2], np.uint8)
    ignore[:rows] = 1
    return store.Field(item.id, item.image, item.instances, item.attributes, {"ignore": ignore})


def test_what_the_truth_does_not_say_is_kept_per_patch(dataset):
    partly = with_ignored(field("part", 12, 40), 5)
    path = packed(dataset("lab", [(partly, "train"), (field("whole", 50, 50), "train"), (field("v", 50, 50), "val")]))
    with h5py.File(path) as file:
        places = list(zip(file["train/origin/row"][:3], file["train/origin/column"][:3], strict=True))
    with reading(path) as (train, val):
        ignored = train.batch([2, 0, 4]).ignore
        assert ignored.dtype == np.uint8
        for got, place in zip(ignored, (places[2], places[0]), strict=False):
            np.testing.assert_array_equal(got, sampling.cut(partly.layers["ignore"], *place, 16))
        assert ignored[0][[0, 4, 5, 11, 15]].any(axis=1).tolist() == [True, True, False, False, False]
        assert not ignored[2].any()
        assert not val.batch([0, 1]).ignore.any()


def test_complete_truth_has_nothing_to_ignore(dataset):
    with reading(packed(dataset("lab", [(field("a", 50, 50), "train")]))) as (train, val):
        assert train.batch([0]).ignore is None
        assert val.batch([]).ignore is None


def of_class(image_id: str, label: str) -> store.Field:
    item = field(image_id, 50, 50)
    return store.Field(image_id, item.image, None, item.attributes | {"label": label})


def test_class_labels_take_the_place_of_instances(dataset):
    fields = [
        (of_class("a", "malignant"), "train"),
        (of_class("b", "benign"), "train"),
        (of_class("c", "in situ"), "val"),
    ]
    path = packed(dataset("lab", fields), classes=["malignant", "in situ", "benign"])
    with h5py.File(path) as file:
        assert "instances" not in file["train"]
        assert json.loads(file["train"].attrs["patches_by_label"]) == {"malignant": 3, "benign": 3}
    with reading(path) as (train, val):
        assert train.classes == val.classes == ["malignant", "in situ", "benign"]
        batch = train.batch([0, 5, 2])
        assert batch.labels.tolist() == [0, 2, 0]
        assert batch.labels.dtype == np.int32
        assert val.batch([1, 0]).labels.tolist() == [1, 1]
        assert batch.images.shape == (3, 16, 16, 3)
        assert batch.instances is None


@pytest.mark.parametrize(
    ("classes", "told"),
    [(["malignant", "bening"], "image 'b' is of class 'benign'.*did you mean 'bening'"), ([], "list its `classes`")],
)
def test_labels_that_the_record_does_not_list_are_refused(dataset, classes, told):
    fields = [(of_class("a", "malignant"), "train"), (of_class("b", "benign"), "train")]
    with pytest.raises(KaryobenchError, match=f"dataset 'lab'.*{told}"):
        packed(dataset("lab", fields), classes=classes)


def test_patches_with_instances_have_no_labels(dataset):
    with reading(packed(dataset("lab", [(field("a", 50, 50), "train")]))) as (train, _):
        assert train.batch([0]).labels is None
        assert train.classes == []


def without_truth() -> store.Field:
    whole = field("a", 50, 50)
    return store.Field("a", whole.image, None, whole.attributes)


def with_points() -> store.Field:
    return store.Field("a", without_truth().image, None, without_truth().attributes, {"points": np.zeros((1, 2))})


@pytest.mark.parametrize(
    ("fields", "change", "message"),
    [
        ([(field("a", 50, 50, nuclei=False), "train")], {}, "'p': no nucleus in any training patch of lab"),
        ([(field("a", 50, 50), "test")], {}, "'p': no image of lab is in the training split"),
        ([(without_truth(), "train")], {}, "'lab': image 'a' has no instance map and no class label"),
        ([(field("b", 50, 50), "train"), (without_truth(), "val")], {}, "'lab': image 'a' has no instance map"),
        ([(with_points(), "train")], {}, "'lab': image 'a' has the centres of its objects alone"),
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


def test_truths_of_two_kinds_are_refused(dataset):
    files = [dataset("lab", [(field("a", 50, 50), "train")]), dataset("clinic", [(of_class("b", "benign"), "val")])]
    with pytest.raises(
        KaryobenchError, match="'p': dataset 'lab' has instance maps, dataset 'clinic' has class labels"
    ):
        packed(*files, train=["lab", "clinic"])


def test_step_runs_by_hand(dataset):
    images, splits = dataset("lab", [(field("a", 50, 50), "train")])
    output = images.with_name("p.h5")
    command = [sys.executable, ROOT / "scripts" / "patch.py", "--config", json.dumps({"name": "p", "patches": RECORD})]
    command += ["--images", images, "--splits", splits, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with reading(output) as (train, _):
        assert len(train) == 3
