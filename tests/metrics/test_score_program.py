"""`scripts/score.py` from end to end: formats, folders, its two outputs, and what it says of what it cannot score."""

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.errors import KaryobenchError
from karyobench.metrics import scoring
from karyobench.metrics.definitions import TOTALS, every_score
from karyobench.metrics.evaluate import evaluate
from karyobench.metrics.label_files import paired, read_label_map
from karyobench.metrics.scores import macro

SCRIPT = Path(__file__).parents[2] / "scripts" / "score.py"


def example_a():
    truth, predicted = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    truth[0:4, 0:4], truth[0:4, 5:9], truth[6:10, 0:5] = 1, 2, 3
    predicted[0:4, 0:3], predicted[1:5, 5:9], predicted[6:10, 3:8], predicted[9, 9] = 1, 2, 3, 4
    return truth, predicted


def run(*words):
    return subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True, check=False)


def save(path, labels):
    """Write the label map in the format that the suffix names."""
    if path.suffix == ".npy":
        np.save(path, labels)
    elif path.suffix == ".npz":
        np.savez_compressed(path, labels=labels)
    elif path.suffix == ".png":
        path.write_bytes(imagecodecs.png_encode(labels.astype(np.uint16)))
    else:
        tifffile.imwrite(path, labels)
    return path


@pytest.fixture
def folders(tmp_path):
    """Truth and predictions of two images: example A, and one in which nothing is and nothing was predicted."""
    truth, predicted = example_a()
    for folder in ("truth", "predicted"):
        (tmp_path / folder).mkdir()
    save(tmp_path / "truth" / "a.tif", truth)
    save(tmp_path / "predicted" / "a.png", predicted)
    save(tmp_path / "truth" / "empty.npy", np.zeros((6, 7), np.uint8))
    save(tmp_path / "predicted" / "empty.npz", np.zeros((6, 7), np.int64))
    (tmp_path / "truth" / "notes.txt").write_text("not a label map")
    return tmp_path


def score(truth, predicted):
    return scoring.score(paired(truth, predicted), scoring.DEFAULT)


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".png", ".npy", ".npz"])
def test_every_format_holds_the_same_labels(tmp_path, suffix):
    labels = example_a()[0] * 3000
    read = read_label_map(save(tmp_path / f"map{suffix.lower()}", labels).rename(tmp_path / f"other{suffix}"))
    assert read.tolist() == labels.tolist()


def test_json_of_two_files(tmp_path):
    truth, predicted = example_a()
    done = run(save(tmp_path / "t.tif", truth), save(tmp_path / "p.npy", predicted), "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["metrics"]["aji"] == pytest.approx(0.4637681159, abs=5e-11)
    assert told["metrics"].items() >= {"n_true": 3, "n_pred": 4, "missed": 1, "f1_area_64": None}.items()
    assert {"aji", "pq", "sq", "dq", "pixel_accuracy", "mean_iu"} <= told["metrics"].keys()
    assert set(told["metrics"]) == {*every_score(scoring.DEFAULT), *TOTALS}
    assert told["images"] == [{"image": "t", **told["metrics"]}]


def test_table_of_two_folders(folders):
    done = run(folders / "truth", folders / "predicted")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("2 images; scores are means over images")
    rows = {line.split()[0]: line.split()[1] for line in lines[3:]}
    assert set(rows) == {*every_score(scoring.DEFAULT), *TOTALS}
    assert rows["f1"] == f"{(4 / 7 + 1) / 2:.6f}"
    assert rows["f1_area_64"] == "-"
    # Recall is undefined in the empty image, which leaves example A.
    assert rows["recall"] == "0.615385"
    assert (rows["n_pred"], rows["missed"], rows["false"]) == ("4", "1", "2")


def test_threshold_of_f1(tmp_path):
    truth, predicted = example_a()
    files = save(tmp_path / "t.tif", truth), save(tmp_path / "p.npy", predicted)
    told = json.loads(run(*files, "--json", "--threshold", "0.2").stdout)["metrics"]
    assert told["f1"] == pytest.approx(6 / 7)
    assert told["dq"] == pytest.approx(4 / 7)
    assert "threshold 1.5 is outside" in run(*files, "--threshold", "1.5").stderr


def test_same_scores_as_the_workflow(folders):
    overall, _ = score(folders / "truth", folders / "predicted")
    with writing(folders / "truth.h5") as writer:
        for image, labels in (("a", example_a()[0]), ("empty", np.zeros((6, 7), np.int32))):
            about = {"image_type": "he", "group": image, "parent": image}
            writer.add(Field(image, np.zeros((*labels.shape, 3), np.uint8), labels, about))
    with create_hdf5(folders / "instances.h5") as file:
        write_array(file.create_group("a"), "instances", example_a()[1])
        write_array(file.create_group("empty"), "instances", np.zeros((6, 7), np.int32))
    (folders / "split.csv").write_text("image,split\na,test\nempty,test\n")
    config = {"metrics": scoring.DEFAULT, "splits": ["test"]}
    counts = evaluate(folders / "truth.h5", folders / "split.csv", folders / "instances.h5", config)
    expected = macro(counts, scoring.DEFAULT)
    assert {name: overall[name] for name in expected.index} == expected.to_dict()


def test_help_shows_how_to_call_it():
    done = run("--help")
    assert done.returncode == 0
    assert done.stdout.count("python scripts/score.py") == 3


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda f: (f / "predicted" / "a.png").unlink(),
            r"predicted: no label map named 'a' beside .*a\.tif.*add an empty",
        ),
        (lambda f: (f / "truth" / "a.tif").unlink(), r"truth: no label map named 'a' beside .*a\.png"),
        (lambda f: save(f / "truth" / "a.npy", np.zeros((10, 10), int)), r"holds both a\.npy and a\.tif"),
        (lambda f: save(f / "predicted" / "a.png", np.zeros((9, 10), int)), r"a\.png: truth is 10 x 10 .* is 9 x 10"),
        (lambda f: Image.new("RGB", (10, 10)).save(f / "predicted" / "a.png"), r"a\.png: has shape \(10, 10, 3\)"),
        (lambda f: np.save(f / "truth" / "empty.npy", np.zeros((6, 7))), r"empty\.npy: holds float64"),
        (lambda f: np.save(f / "truth" / "empty.npy", np.zeros((2, 6, 7), int)), r"has shape \(2, 6, 7\)"),
        (
            lambda f: np.save(f / "truth" / "empty.npy", np.full((6, 7), -1)),
            r"empty\.npy and .*: truth: labels must lie",
        ),
        (lambda f: np.savez(f / "predicted" / "empty.npz", a=1, b=2), r"empty\.npz: holds 2 arrays \(a, b\)"),
        (
            lambda f: (f / "predicted" / "empty.npz").write_bytes(b"PK\3\4none"),
            r"empty\.npz: cannot be read as an array",
        ),
        (lambda f: (f / "truth" / "empty.npy").write_bytes(b""), r"empty\.npy: cannot be read as an array"),
        (lambda f: (f / "truth" / "a.tif").write_bytes(b"II*\0"), r"a\.tif: damaged"),
    ],
)
def test_what_cannot_be_scored_is_named(folders, spoil, words):
    spoil(folders)
    with pytest.raises(KaryobenchError, match=words):
        score(folders / "truth", folders / "predicted")


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "map.npy", np.array([[{"a": 1}]], object), allow_pickle=True)
    with pytest.raises(KaryobenchError, match=r"map\.npy: cannot be read as an array"):
        read_label_map(tmp_path / "map.npy")


def test_files_that_are_no_pair(tmp_path, folders):
    with h5py.File(tmp_path / "labels.h5", "w") as file:
        file["labels"] = example_a()[0]
    with pytest.raises(KaryobenchError, match=re.escape("labels.h5: not a label map; give one of .tif")):
        score(tmp_path / "labels.h5", tmp_path / "labels.h5")
    with pytest.raises(KaryobenchError, match="two label maps or two folders"):
        score(folders / "truth" / "a.tif", folders / "predicted")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(KaryobenchError, match="nothing: no label map in it"):
        score(tmp_path / "nothing", folders / "predicted")
    done = run(tmp_path / "absent", tmp_path / "absent")
    assert done.returncode == 1
    assert "absent: no such file or folder" in done.stderr
    assert "Traceback" not in done.stderr
