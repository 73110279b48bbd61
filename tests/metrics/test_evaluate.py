"""The evaluate step: one row per truth image, a missing prediction counted, clear refusals."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.errors import KaryobenchError
from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.counts import count_image, read_counts, write_counts
from karyobench.metrics.evaluate import evaluate
from karyobench.metrics.scores import all_scores, thresholds

SCRIPT = Path(__file__).parents[2] / "scripts" / "evaluate.py"
CONFIG = {"metrics": {"iou_thresholds": [0.5, 0.75], "f1_threshold": 0.5}, "splits": ["test"]}


def two_squares():
    truth = np.zeros((8, 12), np.int32)
    truth[1:5, 1:5], truth[1:5, 6:10] = 7, 3
    return truth


@pytest.fixture
def files(tmp_path):
    """Truth of three test images (one without nuclei) and one training image; predictions of all but `010`."""
    truth = {"010": two_squares(), "b": two_squares(), "empty": np.zeros((8, 12), np.int32), "train": two_squares()}
    with writing(tmp_path / "truth.h5") as writer:
        for image, instances in truth.items():
            about = {"image_type": "he", "group": "007", "parent": f"slide-{image}"}
            writer.add(Field(image, np.zeros((8, 12, 3), np.uint8), instances, about))
    with create_hdf5(tmp_path / "instances.h5") as file:
        for image in ("b", "empty", "train"):
            write_array(file.create_group(image), "instances", np.roll(truth[image], 1, axis=0))
    splits = [(image, "train" if image == "train" else "test", "007", "he") for image in truth]
    pd.DataFrame(splits, columns=["image", "split", "group", "stratum"]).to_csv(tmp_path / "split.csv", index=False)
    return tmp_path


def run(files, config=CONFIG):
    return evaluate(files / "truth.h5", files / "split.csv", files / "instances.h5", config)


def test_what_the_truth_does_not_know_does_not_count(tmp_path):
    ignore = np.zeros((8, 12), np.uint8)
    ignore[:, 6:] = 1
    predicted = np.zeros((8, 12), np.int32)
    predicted[1:5, 1:5], predicted[5:8, 4:12], predicted[0, 8:] = 1, 2, 3
    about = {"image_type": "he", "group": "a", "parent": "a"}
    with writing(tmp_path / "truth.h5") as writer:
        writer.add(Field("a", np.zeros((8, 12, 3), np.uint8), two_squares(), about, {"ignore": ignore}))
        writer.add(Field("b", np.zeros((8, 12, 3), np.uint8), two_squares(), about, {"ignore": ignore}))
    with create_hdf5(tmp_path / "instances.h5") as file:
        write_array(file.create_group("a"), "instances", predicted)
    pd.DataFrame([("a", "test"), ("b", "test")], columns=["image", "split"]).to_csv(tmp_path / "split.csv", index=False)
    counts = run(tmp_path)
    assert counts["n_true"].tolist() == [1, 1]
    assert counts["n_pred"].tolist() == [2, 0]
    assert counts["tp@0.75"].tolist() == [1, 0]
    assert counts["missing"].tolist() == [0, 1]
    assert counts["pixel_tp"].tolist() == [16, 0]
    assert counts["pixel_fp"].tolist() == [6, 0]
    assert counts["pixel_tn"].tolist() == [48 - 16 - 6, 48 - 16]
    # Of predicted object 2 the part up to column 6 counts; its pixel (7, 5) is farthest from the truth, from (4, 4).
    assert counts["foreground_hausdorff"].tolist() == [np.sqrt(10), np.hypot(8, 12)]


def test_one_row_per_truth_image_of_the_split(files):
    counts = run(files)
    assert counts["image"].tolist() == ["010", "b", "empty"]
    assert counts["missing"].tolist() == [1, 0, 0]
    assert counts["n_true"].tolist() == [2, 2, 0]
    assert counts["fn@0.50"].tolist() == [2, 0, 0]
    assert counts["tp@0.50"].tolist() == [0, 2, 0]
    assert counts["tp@0.75"].tolist() == [0, 0, 0]
    assert counts["iou@0.50"].tolist() == [0, 2 * 3 / 5, 0]
    assert counts["pixel_fn"].tolist() == [32, 8, 0]
    assert counts["pixel_tn"].tolist() == [64, 56, 96]
    assert counts["aji_union"].tolist() == [32, 40, 0]
    assert counts.loc[0, ["parent", "group", "image_type", "split"]].tolist() == ["slide-010", "007", "he", "test"]


def test_table_reads_back_as_written(files):
    counts = run(files)
    counts["iou@0.50"] += [0, np.pi, 1e-9 / 3]
    write_counts(files / "counts.csv", counts)
    pd.testing.assert_frame_equal(read_counts(files / "counts.csv"), counts, check_exact=True)


def test_columns_that_tables_are_made_from_come_first(files):
    write_counts(files / "counts.csv", run(files))
    header = (files / "counts.csv").read_text().splitlines()[0]
    assert header.startswith(
        "image,parent,group,image_type,split,n_true,n_pred,missing,pixel_tp,pixel_fp,pixel_fn,pixel_tn,"
        "aji_intersection,aji_union,tp@0.50,fp@0.50,fn@0.50,iou@0.50,tp@0.75,fp@0.75,fn@0.75,iou@0.75,"
    )


def test_every_score_is_computed_from_the_table_alone(files):
    write_counts(files / "counts.csv", run(files))
    config = CONFIG["metrics"]
    for row in read_counts(files / "counts.csv").to_dict("records"):
        truth = np.zeros((8, 12), np.int32) if row["image"] == "empty" else two_squares()
        predicted = None if row["image"] == "010" else np.roll(truth, 1, axis=0)
        counts = count_image(truth, predicted, thresholds(config)) | count_boundaries(truth, predicted)
        assert all_scores(row, config) == pytest.approx(all_scores(counts, config), rel=0, abs=0, nan_ok=True)


def test_step_writes_the_table(files):
    options = {"truth": "truth.h5", "split": "split.csv", "merged": "instances.h5", "output": "out/counts.csv"}
    words = [word for name, path in options.items() for word in (f"--{name}", path)]
    subprocess.run([sys.executable, SCRIPT, "--config", json.dumps(CONFIG), *words], check=True, cwd=files)
    pd.testing.assert_frame_equal(read_counts(files / "out/counts.csv"), run(files))


def test_step_imports_no_torch():
    told = "import sys; import karyobench.metrics.evaluate, karyobench.reporting.tables; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], cwd=SCRIPT.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_shapes_that_differ_name_image_and_file(files):
    with create_hdf5(files / "instances.h5") as file:
        write_array(file.create_group("b"), "instances", np.zeros((8, 11), np.int32))
    with pytest.raises(KaryobenchError, match=r"'b' in .*instances\.h5: truth is 8 x 12 pixels .* 8 x 11"):
        run(files)


def test_image_without_truth_is_refused(files):
    with writing(files / "truth.h5") as writer:
        about = {"image_type": "he", "group": "007", "parent": "b"}
        writer.add(Field("b", np.zeros((8, 12, 3), np.uint8), None, about))
    with pytest.raises(KaryobenchError, match="'b' has no truth"):
        run(files)


def test_dataset_and_split_that_disagree(files):
    (files / "split.csv").write_text("image,split,group,stratum\nb,test,1,he\n")
    with pytest.raises(KaryobenchError, match=r"split\.csv: no split for image '010'"):
        run(files)


def test_split_without_images(files):
    with pytest.raises(KaryobenchError, match="no image of the dataset is in split val"):
        run(files, CONFIG | {"splits": ["val"]})


@pytest.mark.parametrize("text", ["", "image,tp\nb,1\n"])
def test_foreign_table_is_refused(tmp_path, text):
    (tmp_path / "counts.csv").write_text(text)
    with pytest.raises(KaryobenchError, match=r"counts\.csv: .*run evaluate again"):
        read_counts(tmp_path / "counts.csv")
