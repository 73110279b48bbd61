"""Systems that tell the class of an image, through prediction and merging."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from karyobench.datasets.store import Field, writing
from karyobench.errors import KaryobenchError
from karyobench.inference.merge import merge
from karyobench.inference.predict import predict

CLASSES = ["benign", "in situ", "malignant"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of 10 x 12 pixels whose left half is 51 and right half 153: means of a fifth and three fifths."""
    image = np.full((10, 12, 3), 51, np.uint8)
    image[:, 6:] = 153
    with writing(tmp_path / "images.h5") as writer:
        for name, label in (("a", "malignant"), ("b", "benign")):
            writer.add(Field(name, image, None, {"image_type": "he", "label": label}))
    (tmp_path / "split.csv").write_text("image,split,group,stratum\na,test,a,he\nb,test,b,he\n")
    return tmp_path


def run(data: Path, module: str, tile: int | None = None, **settings: Any) -> dict[str, list[float]]:
    """Probabilities of each image that was merged."""
    config = {"module": module, "predict": {"tile": tile, **settings}, "splits": ["test"], "threads": 1}
    config |= {"classes": CLASSES, "instances": {}}
    predict(config, data / "images.h5", data / "split.csv", None, data / "tiles.h5")
    merge(config, data / "tiles.h5", data / "merged.h5")
    with h5py.File(data / "merged.h5") as file:
        assert all(file[name]["probabilities"].dtype == np.float32 for name in file)
        return {name: file[name]["probabilities"][()].tolist() for name in file}


def dummy(data: Path, body: str) -> str:
    path = data / "dummy.py"
    declared = "import numpy as np\nTASK, OUTPUT, TRAINED, KEYS = 'dummy', 'classes', False, {}\n"
    path.write_text(f"{declared}def predict(network, tile, config):\n    {body}\n")
    return str(path)


@pytest.mark.parametrize("tile", [None, 5])
def test_the_fake_tells_the_truth(data: Path, tile: int | None) -> None:
    assert run(data, "oracle_class", tile) == {"a": [0, 0, 1], "b": [1, 0, 0]}


def test_one_class_tells_the_same_of_every_image(data: Path) -> None:
    assert run(data, "one_class", **{"class": "in situ"}) == {"a": [0, 1, 0], "b": [0, 1, 0]}
    with pytest.raises(KaryobenchError, match=r"predict.class: 'benin' is not among the classes.*'benign'"):
        run(data, "one_class", **{"class": "benin"})


def test_an_image_is_the_mean_of_its_tiles(data: Path) -> None:
    """Two tiles of 10 x 6 pixels, a fifth and three fifths."""
    body = "p = tile.image.mean() / 255; return np.array([1 - p, 0, p])"
    assert run(data, dummy(data, body), 10)["a"] == pytest.approx([0.6, 0, 0.4])


def test_none_leaves_the_image_out(data: Path) -> None:
    assert list(run(data, dummy(data, "return None if tile.image_id == 'b' else np.eye(3)[0]"))) == ["a"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return np.array([0.5, 0.5])", r"has shape \(2,\) for the 3 classes benign, in situ, malignant"),
        ("return np.array([[0.5, 0.5, 0]])", r"has shape \(1, 3\)"),
        ("return np.array([0.5, np.nan, 0.5])", "NaN"),
        ("return np.array([2.0, -1.0, 0.0])", "must be probabilities"),
        ("return np.array([3.0, 1.0, 0.5])", "sum to 1"),
    ],
)
def test_what_is_no_probability_is_refused(data: Path, body: str, told: str) -> None:
    with pytest.raises(KaryobenchError, match=rf"image 'a', tile \(0, 0, 10, 12\): the prediction .*{told}"):
        run(data, dummy(data, body))


def test_the_fake_needs_a_class(data: Path) -> None:
    with writing(data / "images.h5") as writer:
        writer.add(Field("a", np.zeros((4, 4, 3), np.uint8), None, {"image_type": "he"}))
    with pytest.raises(KaryobenchError, match="image 'a' has no truth, which system 'oracle_class' needs"):
        (data / "split.csv").write_text("image,split,group,stratum\na,test,a,he\n")
        run(data, "oracle_class")
