"""Scores of classified images: closed forms, missing predictions, ties, and that the counts alone give every table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.errors import KaryobenchError
from karyobench.metrics import class_scores, kinds
from karyobench.metrics.counts import read_counts, write_counts
from karyobench.metrics.evaluate import evaluate

CLASSES = ["benign", "malignant"]
METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
PATIENTS = {"a": (5, 4), "b": (10, 9), "c": (2, 1)}
"""Images of each patient, and how many of them are right: the example of the reference."""


def table(rows: list[tuple[str, str, list[float] | None]], classes: list[str] = CLASSES) -> pd.DataFrame:
    """Counts of images given as group, class and probabilities."""
    counted = [
        {"image": f"i{k:03}", "group": group}
        | class_scores.count_class(label, None if given is None else np.array(given, np.float32), classes)
        for k, (group, label, given) in enumerate(rows)
    ]
    return pd.DataFrame(counted)


def test_rates_are_those_of_the_worked_example() -> None:
    rows = [
        (patient, "benign", [0.9, 0.1] if k < right else [0.2, 0.8])
        for patient, (count, right) in PATIENTS.items()
        for k in range(count)
    ]
    scores = class_scores.overall(table(rows))
    assert scores["image_rate"] == pytest.approx(14 / 17)
    assert scores["patient_rate"] == pytest.approx((4 / 5 + 9 / 10 + 1 / 2) / 3)
    assert scores["recall_benign"] == pytest.approx(14 / 17)
    assert np.isnan(scores["recall_malignant"])
    assert np.isnan(scores["roc_auc"])


def test_the_area_of_the_worked_example() -> None:
    given = [0.9, 0.6, 0.4], [0.6, 0.3, 0.1]
    labels = ("malignant", "benign")
    rows = [("p", label, [1 - p, p]) for label, of in zip(labels, given, strict=True) for p in of]
    assert class_scores.overall(table(rows))["roc_auc"] == pytest.approx(7.5 / 9)


def test_equal_probabilities_are_the_first_class_s() -> None:
    counts = table([("p", "malignant", [0.5, 0.5]), ("p", "benign", [0.5, 0.5])])
    assert counts["predicted"].tolist() == ["benign", "benign"]


def test_an_image_without_a_prediction_is_as_wrong_as_can_be() -> None:
    rows = [("p", "benign", [1.0, 0.0]), ("q", "malignant", [0.0, 1.0]), ("r", "malignant", None)]
    counts = table(rows)
    scores = class_scores.overall(counts)
    assert counts["missing"].tolist() == [0, 0, 1]
    assert scores["image_rate"] == scores["patient_rate"] == pytest.approx(2 / 3)
    assert scores["recall_malignant"] == scores["roc_auc"] == 0.5
    assert class_scores.true_probability(counts).tolist() == [1, 1, 0]
    expected = {"benign_as_benign": 1, "malignant_as_malignant": 1, "malignant_as_missing": 1}
    told = class_scores.confusion_counts(counts)
    assert {name: count for name, count in told.items() if count} == expected
    both = class_scores.overall(table([("p", "benign", None), ("q", "malignant", None)]))
    assert (both["image_rate"], both["roc_auc"]) == (0, 0)


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pqr"),
            st.sampled_from(["x", "y", "z"]),
            st.none() | st.lists(st.integers(0, 3), min_size=3, max_size=3).filter(any),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_score_is_that_of_a_written_out_twin(rows: list[tuple[str, str, list[int] | None]]) -> None:
    """Three classes, few levels, so that ties and missing predictions abound."""
    given_ = [(group, label, None if p is None else [v / sum(p) for v in p]) for group, label, p in rows]
    scores = class_scores.overall(table(given_, ["x", "y", "z"]))
    right = [(g, t, p is not None and "xyz"[max(range(3), key=lambda k: (p[k], -k))] == t) for g, t, p in rows]
    assert scores["image_rate"] == pytest.approx(np.mean([hit for _, _, hit in right]))
    by_patient = [np.mean([hit for g, _, hit in right if g == each]) for each in sorted({g for g, _, _ in right})]
    assert scores["patient_rate"] == pytest.approx(np.mean(by_patient))
    for name in "xyz":
        of = [hit for _, label, hit in right if label == name]
        assert scores[f"recall_{name}"] == pytest.approx(np.mean(of) if of else np.nan, nan_ok=True)
    areas = [area for k in range(3) if (area := _area(given_, k)) is not None]
    assert scores["roc_auc"] == pytest.approx(np.mean(areas) if areas else np.nan, nan_ok=True)


def _area(rows: list[tuple[str, str, list[float] | None]], k: int) -> float | None:
    """Share of the pairs of an image of class k and another that are in order; a pair with a missing one is not."""
    won, pairs = 0.0, 0
    for _, label, high in rows:
        for _, other, low in rows:
            if label == "xyz"[k] and other != label:
                pairs += 1
                if high is not None and low is not None:
                    high32, low32 = np.float32(high[k]), np.float32(low[k])
                    won += (high32 > low32) + 0.5 * (high32 == low32)
    return won / pairs if pairs else None


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A dataset of four images, and probabilities of three of them."""
    labels = {"a": "benign", "b": "malignant", "c": "malignant", "d": "benign"}
    with writing(tmp_path / "truth.h5") as writer:
        for image, label in labels.items():
            about = {"parent": image, "group": "p" if image < "c" else "q", "image_type": "he", "label": label}
            writer.add(Field(image, np.zeros((4, 5, 3), np.uint8), None, about))
    (tmp_path / "split.csv").write_text("image,split\na,test\nb,test\nc,test\nd,train\n")
    with create_hdf5(tmp_path / "merged.h5") as file:
        for image, given_ in {"a": [0.7, 0.3], "b": [0.6, 0.4]}.items():
            write_array(file.create_group(image), "probabilities", np.array(given_, np.float32))
    return tmp_path


def counted(files: Path, classes: list[str] = CLASSES) -> pd.DataFrame:
    config = {"metrics": METRICS, "splits": ["test"], "classes": classes}
    return evaluate(files / "truth.h5", files / "split.csv", files / "merged.h5", config)


def test_evaluate_counts_each_image_and_the_table_reads_back(files: Path) -> None:
    counts = counted(files)
    assert counts[["image", "group", "label", "predicted", "missing"]].to_numpy().tolist() == [
        ["a", "p", "benign", "benign", 0],
        ["b", "p", "malignant", "benign", 0],
        ["c", "q", "malignant", "", 1],
    ]
    write_counts(files / "counts.csv", counts)
    again = read_counts(files / "counts.csv")
    pd.testing.assert_frame_equal(again, counts)
    kind = kinds.of(again)
    assert (kind.name, kind.classes) == ("classes", ("benign", "malignant"))
    assert kind.overall(again, METRICS)["image_rate"] == pytest.approx(1 / 3)
    assert kind.overall(again, METRICS)["patient_rate"] == pytest.approx(1 / 4)


def test_truth_of_no_listed_class_and_other_numbers_of_probabilities_are_refused(files: Path) -> None:
    with pytest.raises(KaryobenchError, match="image 'b' is of class 'malignant'"):
        counted(files, ["benign", "other"])
    with pytest.raises(KaryobenchError, match=r"image 'a' in .*merged.h5: \(2,\) probabilities for the classes benign"):
        counted(files, [*CLASSES, "other"])


def test_a_table_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("image,parent,group,image_type,split,label,missing\n")
    with pytest.raises(KaryobenchError, match="no column predicted"):
        read_counts(tmp_path / "x.csv")
