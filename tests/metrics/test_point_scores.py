"""Evaluation of images whose truth is points: counts of each image, its radius, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.errors import KaryobenchError
from karyobench.metrics import kinds
from karyobench.metrics.counts import read_counts, write_counts
from karyobench.metrics.evaluate import evaluate

METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5, "point_radius": {"microns": 3, "pixels": 4}}
SHAPE = (40, 60)
POINTS = np.array([(10, 10), (20, 30), (30, 50)], float)
IGNORE = np.zeros(SHAPE, np.uint8)
IGNORE[:, 40:] = 1


def dots(*places: tuple[int, int]) -> np.ndarray:
    """A map of objects of 3 x 3 pixels, with gaps between labels."""
    labels = np.zeros(SHAPE, np.int32)
    for number, (row, column) in enumerate(places, 1):
        labels[row - 1 : row + 2, column - 1 : column + 2] = 5 * number
    return labels


# Two near, one of them by 4 px, one missed, one false.
PREDICTED = dots((10, 11), (20, 34), (5, 50))


def write(folder: Path, images: dict[str, dict[str, Any]], metrics: dict[str, Any] = METRICS) -> pd.DataFrame:
    """Files of these images, and their counts. An image's keys: mpp, layers, instances, predicted."""
    with writing(folder / "truth.h5") as writer:
        for image, given in images.items():
            about = {"image_type": "he", "group": image, "parent": image}
            about |= {"mpp": given["mpp"]} if "mpp" in given else {}
            layers = given.get("layers", {"points": POINTS})
            writer.add(Field(image, np.zeros((*SHAPE, 3), np.uint8), given.get("instances"), about, layers))
    with create_hdf5(folder / "merged.h5") as file:
        for image, given in images.items():
            if given.get("predicted") is not None:
                write_array(file.create_group(image), "instances", given["predicted"])
    split = pd.DataFrame({"image": list(images), "split": "test"})
    split.to_csv(folder / "split.csv", index=False)
    config = {"metrics": metrics, "splits": ["test"]}
    return evaluate(folder / "truth.h5", folder / "split.csv", folder / "merged.h5", config).set_index("image")


def counted(counts: pd.DataFrame, image: str) -> list[float]:
    return counts.loc[image, ["n_true", "n_pred", "missing", "point_tp", "point_fp", "point_fn"]].tolist()


def test_the_radius_is_in_microns_where_the_size_of_a_pixel_is_known(tmp_path: Path) -> None:
    images = {"fine": {"mpp": 0.5}, "coarse": {"mpp": 1.0}, "unknown": {}, "none": {"mpp": 0.5}}
    images |= {name: images[name] | {"predicted": PREDICTED} for name in ("fine", "coarse", "unknown")}
    counts = write(tmp_path, images)
    assert counts["point_radius"].to_dict() == {"fine": 6, "coarse": 3, "unknown": 4, "none": 6}
    assert counted(counts, "fine") == counted(counts, "unknown") == [3, 3, 0, 2, 1, 1]
    assert counts.loc["fine", "point_distance"] == pytest.approx(1 + 4)
    assert counted(counts, "coarse") == [3, 3, 0, 1, 2, 2]
    assert counted(counts, "none") == [3, 0, 1, 0, 0, 3]
    assert (counts["pixels"] == SHAPE[0] * SHAPE[1]).all()


def test_scores_of_images_and_of_pooled_counts(tmp_path: Path) -> None:
    nothing = {"layers": {"points": np.empty((0, 2))}}
    images = {
        "a": {"predicted": PREDICTED},
        "b": nothing | {"predicted": dots()},
        "c": nothing | {"predicted": PREDICTED},
    }
    write_counts(tmp_path / "counts.csv", write(tmp_path, images).reset_index())
    counts = read_counts(tmp_path / "counts.csv")
    kind = kinds.of(counts)
    assert kind is kinds.POINTS
    scores = kind.image_scores(counts, METRICS)
    assert scores["point_f1"].tolist() == pytest.approx([2 / 3, 1, 0])
    assert scores["point_precision"].tolist() == pytest.approx([2 / 3, 1, 0])
    assert scores["point_recall"].tolist() == pytest.approx([2 / 3, 1, 0])
    assert scores["count_error"].tolist() == [0, 0, 3]
    assert kind.overall(counts, METRICS).tolist() == pytest.approx([5 / 9, 5 / 9, 5 / 9, 1])
    # 2 matched, 4 false, 1 missed; 6 predicted for 3.
    assert kind.pooled(counts, METRICS).tolist() == pytest.approx([4 / 9, 2 / 6, 2 / 3, 3])
    assert kind.totals(counts) == {"n_pred": 6, "matched": 2, "missed": 1, "false": 4}


def test_what_the_truth_does_not_know_does_not_count(tmp_path: Path) -> None:
    layers = {"points": POINTS, "ignore": IGNORE}
    counts = write(tmp_path, {"a": {"layers": layers, "predicted": PREDICTED}})
    assert counted(counts, "a") == [2, 2, 0, 2, 0, 0]
    assert counts.loc["a", "pixels"] == 40 * 40


def test_images_that_have_instances_too_are_scored_by_these(tmp_path: Path) -> None:
    counts = write(tmp_path, {"a": {"instances": dots((10, 10)), "predicted": dots((10, 10))}})
    assert kinds.of(counts.reset_index()) is kinds.OBJECTS
    assert counts.loc["a", "n_true"] == 1


@pytest.mark.parametrize(
    ("image", "metrics", "words"),
    [
        ({"layers": {}, "predicted": PREDICTED}, METRICS, "image 'b' has no points"),
        ({"predicted": PREDICTED[:-1]}, METRICS, r"image 'b' in .*merged.h5: a map of \(39, 60\)"),
        ({}, {k: v for k, v in METRICS.items() if k != "point_radius"}, "metrics.point_radius"),
    ],
)
def test_what_cannot_be_scored_is_refused(
    tmp_path: Path, image: dict[str, Any], metrics: dict[str, Any], words: str
) -> None:
    with pytest.raises(KaryobenchError, match=words):
        write(tmp_path, {"a": {"predicted": PREDICTED}, "b": image}, metrics)
