"""The predict and merge steps on small files: what is stored, what is refused, and tiles that make no difference."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from karyobench.datasets.store import Field, read_attributes, writing
from karyobench.errors import KaryobenchError
from karyobench.inference.merge import merge
from karyobench.inference.predict import predict, tiles_of
from karyobench.inference.seams import relabel
from karyobench.metrics.counts import count_image

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

MAPS_SYSTEM = """
import numpy as np
TASK, OUTPUT, TRAINED, KEYS, CONTEXT = "grey levels", "maps", False, {}, (2, 1)

def predict(network, tile, config):
    r0, c0, r1, c1 = tile.box
    inner = tile.image[2 : 2 + r1 - r0, 2 : 2 + c1 - c0]
    return config["predict"].get("factor", 1) * inner[..., :2].transpose(2, 0, 1).astype(float)

def instances(maps, config):
    return (maps[0] > config["instances"]["above"]).astype(int)
"""

HE = {"image_type": "he"}


def rectangles(height=40, width=50):
    labels = np.zeros((height, width), np.int32)
    labels[3:12, 4:20] = 5
    labels[15:38, 10:16] = 2
    labels[20:30, 22:49] = 9
    return labels


@pytest.fixture
def data(tmp_path):
    """Two images of the test split, one of another; the second is cut from a parent."""
    labels = rectangles()
    image = np.repeat(np.where(labels > 0, 200, 10).astype(np.uint8)[..., None], 3, axis=2)
    cut = {"parent": "slide", "box": [5, 7, 45, 57]}
    with writing(tmp_path / "images.h5") as writer:
        writer.add(Field("a", image, labels, HE))
        writer.add(Field("b", image[::-1].copy(), labels[::-1].copy(), {**HE, **cut}))
        writer.add(Field("c", image, None, HE))
    rows = ["image,split,group,stratum", "a,test,a,he", "b,test,b,he", "c,train,c,he"]
    (tmp_path / "split.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "grey.py").write_text(MAPS_SYSTEM)
    return tmp_path


def run(data, config, weights=None):
    config = {"splits": ["test"], "threads": 1, **config}
    predict(config, data / "images.h5", data / "split.csv", weights, data / "tiles.h5")
    merge(config, data / "tiles.h5", data / "instances.h5")
    with h5py.File(data / "instances.h5") as file:
        return {name: file[name]["instances"][()] for name in file}


def truth_config(tile, **more):
    return {"module": "oracle_truth", "predict": {"tile": tile}, "instances": {"min_edge": 1}, **more}


@pytest.mark.parametrize("tile", [None, 7, 16, 100])
def test_truth_comes_back_through_tiles(data, tile):
    found = run(data, truth_config(tile))
    assert sorted(found) == ["a", "b"]
    assert np.array_equal(found["a"], relabel(rectangles())[0])
    assert np.array_equal(found["b"], relabel(rectangles()[::-1])[0])
    assert found["a"].dtype == np.int32


def test_the_file_of_predictions_holds_boxes_shape_and_kind(data):
    run(data, truth_config(25))
    with h5py.File(data / "tiles.h5") as file:
        assert read_attributes(file["a"]) == {"height": 40, "width": 50, "kind": "instances"}
        boxes = [file["a/tile"][name].attrs["box"].tolist() for name in ("00000", "00001", "00002", "00003")]
        assert boxes == [[0, 0, 20, 25], [0, 25, 20, 50], [20, 0, 40, 25], [20, 25, 40, 50]]
        assert file["a/tile/00000"].dtype == np.int32


def test_maps_are_stored_as_float16_and_blended_whatever_the_tiles(data):
    config = {"module": str(data / "grey.py"), "instances": {"above": 100}}
    found = [run(data, {**config, "predict": {"tile": t, "overlap": o}}) for t, o in ((None, 0), (16, 0), (16, 6))]
    with h5py.File(data / "tiles.h5") as file:
        assert file["a/tile/00000"].dtype == np.float16
        assert read_attributes(file["a"])["kind"] == "maps"
    for tiled in found:
        assert np.array_equal(tiled["a"], (rectangles() > 0).astype(np.int32))


def test_the_order_of_tiles_in_the_file_means_nothing(data):
    expected = run(data, truth_config(9))
    with h5py.File(data / "tiles.h5", "r+") as file:
        names = list(file["a/tile"])
        for name in names:
            file.move(f"a/tile/{name}", f"a/tile/moved{name}")
        for name, reverse in zip(names, names[::-1], strict=True):
            file.move(f"a/tile/moved{name}", f"a/tile/{reverse}")
    merge(truth_config(9), data / "tiles.h5", data / "again.h5")
    with h5py.File(data / "again.h5") as file:
        assert np.array_equal(file["a/instances"], expected["a"])


def test_two_runs_write_the_same_bytes(data):
    config = {"module": str(data / "grey.py"), "predict": {"tile": 16, "overlap": 4}, "instances": {"above": 100}}
    run(data, config)
    first = [(data / name).read_bytes() for name in ("tiles.h5", "instances.h5")]
    run(data, config)
    assert [(data / name).read_bytes() for name in ("tiles.h5", "instances.h5")] == first


def test_a_system_sees_context_zeros_parent_and_no_truth(data):
    system = SimpleNamespace(OUTPUT="maps", CONTEXT=(2, 1))
    item = Field(
        "b", np.full((4, 6, 3), 9, np.uint8), np.ones((4, 6), np.int32), {**HE, "parent": "p", "box": [1, 2, 5, 8]}
    )
    first, second = tiles_of(item, system, {"predict": {"tile": 4, "overlap": 2}})
    assert (first.box, second.box) == ((0, 0, 4, 4), (0, 2, 4, 6))
    assert first.image.shape == second.image.shape == (7, 7, 3)
    assert not first.image[:2].any()
    assert not first.image[:, :2].any()
    assert (first.image[2:6, 2:] == 9).all()
    assert not second.image[:, 6:].any()
    assert (first.image_id, first.parent, first.parent_box, first.truth) == ("b", "p", (1, 2, 5, 8), None)


def test_an_image_that_is_no_cut_is_its_own_parent(data):
    item = Field("a", np.zeros((4, 6, 3), np.uint8), None, HE)
    (tile,) = tiles_of(item, SimpleNamespace(OUTPUT="maps"), {"predict": {"tile": None}})
    assert (tile.parent, tile.parent_box) == ("a", (0, 0, 4, 6))


def test_tiles_of_instances_never_overlap(data):
    item = Field("a", np.zeros((40, 40, 3), np.uint8), None, HE)
    system = SimpleNamespace(OUTPUT="instances")
    boxes = [t.box for t in tiles_of(item, system, {"predict": {"tile": 20, "overlap": 8}})]
    assert boxes == [(0, 0, 20, 20), (0, 20, 20, 40), (20, 0, 40, 20), (20, 20, 40, 40)]


def dummy(data, body, output="instances"):
    path = data / "dummy.py"
    path.write_text(
        f"import numpy as np\nTASK, OUTPUT, TRAINED, KEYS = 'dummy', '{output}', False, {{}}\n"
        f"def predict(network, tile, config):\n    r0, c0, r1, c1 = tile.box\n    {body}\n"
        "def instances(maps, config):\n    return np.zeros((1, 1))\n"
    )
    return {"module": str(path), "predict": {"tile": 25}, "instances": {"min_edge": 1}}


def test_a_system_from_outside_the_library_predicts(data):
    config = dummy(data, "return np.full((r1 - r0, c1 - c0), 3)")
    assert (run(data, config)["a"] == 1).all()


def test_none_leaves_the_image_out(data, caplog):
    caplog.set_level(logging.INFO, "karyobench")
    body = "return None if tile.image_id == 'a' and c0 else np.zeros((r1 - r0, c1 - c0), int)"
    assert sorted(run(data, dummy(data, body))) == ["b"]
    with h5py.File(data / "tiles.h5") as file:
        assert list(file) == ["b"]
    assert "predicted 1/2 a: missing" in caplog.messages
    assert "predicted 2/2 b: 4 tiles" in caplog.messages


@pytest.mark.parametrize(
    ("output", "body", "message"),
    [
        ("instances", "return np.zeros((3, 4), int)", r"shape \(3, 4\) for a tile of 20x25"),
        ("instances", "return np.zeros((r1 - r0, c1 - c0))", "holds float64 from 0.0 to 0.0"),
        ("instances", "return np.full((r1 - r0, c1 - c0), -1)", "holds int64 from -1 to -1"),
        ("instances", "return np.full((r1 - r0, c1 - c0), 2**31)", "from 2147483648"),
        ("maps", "return np.zeros((r1 - r0, c1 - c0))", r"shape \(20, 25\)"),
        ("maps", "return np.full((2, r1 - r0, c1 - c0), np.nan)", "holds NaN"),
        ("maps", "return np.full((2, r1 - r0, c1 - c0), 1e5)", "beyond 65504"),
    ],
)
def test_a_bad_prediction_names_the_image_and_the_tile(data, output, body, message):
    with pytest.raises(KaryobenchError, match=rf"image 'a', tile \(0, 0, 20, 25\): the prediction .*{message}"):
        run(data, dummy(data, body, output))
    assert not (data / "tiles.h5").exists()


def test_bad_instances_name_the_image(data):
    with pytest.raises(KaryobenchError, match=r"image 'a': system .* shape \(1, 1\) and type float64"):
        run(data, dummy(data, "return np.zeros((1, r1 - r0, c1 - c0))", "maps"))


def test_predictions_of_another_kind_are_refused(data):
    run(data, truth_config(25))
    with pytest.raises(KaryobenchError, match=r"tiles.h5: image 'a': holds instances, but .* gives maps"):
        merge({"module": "otsu", "instances": {}}, data / "tiles.h5", data / "out.h5")


def test_truth_is_asked_of_an_image_without_one(data):
    with pytest.raises(KaryobenchError, match="image 'c' has no truth, which system 'oracle_truth' needs"):
        run(data, truth_config(None, splits=["train"]))


def test_a_split_without_images_is_refused(data):
    with pytest.raises(KaryobenchError, match=r"split.csv: .*val"):
        run(data, truth_config(None, splits=["val"]))


def test_the_steps_run_by_hand_without_torch(data):
    config = json.dumps({**truth_config(16), "splits": ["test"], "threads": 1})
    steps = {
        "predict": ["--images", "images.h5", "--split", "split.csv", "--weights", "--output", "tiles.h5"],
        "merge": ["--predictions", "tiles.h5", "--output", "instances.h5"],
    }
    for step, options in steps.items():
        # -X importtime writes every imported module to stderr
        command = [sys.executable, "-X", "importtime", SCRIPTS / f"{step}.py", "--config", config, *options]
        done = subprocess.run(command, cwd=data, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert "numpy" in done.stderr
        assert "torch" not in done.stderr
    with h5py.File(data / "instances.h5") as file:
        assert np.array_equal(file["a/instances"], relabel(rectangles())[0])


MOVED = (12 - 4) * (10 - 1) / (2 * 12 * 10 - (12 - 4) * (10 - 1))


@pytest.mark.parametrize("tile", [None, 48])
@pytest.mark.parametrize(
    ("fake", "nuclei", "matched", "aji"),
    [
        ("truth", 16, 16, 1),
        ("empty", 0, 0, 0),
        ("shifted", 16, 0, MOVED),  # IoU 3/7
        ("merged", 8, 0, 1 / 2),  # each of two equal nuclei has IoU 1/2, which is not above 1/2
        ("split", 32, 0, 1 / 3),  # the half that is left over counts in the union: (1/2) / (1 + 1/2)
    ],
)
def test_the_fakes_score_as_computed_by_hand(tmp_path, fake, nuclei, matched, aji, tile):
    labels = np.zeros((96, 96), np.int32)
    for number, (row, column) in enumerate(np.ndindex(4, 4), 1):
        labels[24 * row + 6 : 24 * row + 18, 24 * column + 7 : 24 * column + 17] = number
    with writing(tmp_path / "images.h5") as writer:
        writer.add(Field("a", np.zeros((96, 96, 3), np.uint8), labels, HE))
    (tmp_path / "split.csv").write_text("image,split,group,stratum\na,test,a,\n")
    predicting = {"tile": tile, "shift": [4, -1]}
    found = run(tmp_path, {"module": f"oracle_{fake}", "predict": predicting, "instances": {"min_edge": 3}})["a"]
    counts = count_image(labels, found, [0.5])
    assert (counts["n_pred"], counts["tp@0.50"]) == (nuclei, matched)
    assert counts["aji_intersection"] / counts["aji_union"] == pytest.approx(aji)
