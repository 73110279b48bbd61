"""Counts of classified images, one row each, and the scores that are computed from them.

Columns beside the usual texts: label, predicted (names of classes; predicted is blank where the system gave no
prediction), missing (then 1), and probability_ and the name of each class, 0 for all of them where it is missing.
The predicted class is the most probable one, the first of equals in the order of the dataset's `classes`.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from karyobench.metrics import classification
from karyobench.metrics.definitions import HIGHER, Score
from karyobench.metrics.formulas import Counts

TEXT_COLUMNS = ("label", "predicted")
RECALL, PROBABILITY = "recall_", "probability_"
RATES = ("image_rate", "patient_rate", "roc_auc")


def count_class(label: str, probabilities: np.ndarray | None, classes: Sequence[str]) -> dict[str, str | int | float]:
    """The columns of one image. probabilities: (C,) in the order of `classes`, or None where there is no prediction."""
    given = np.zeros(len(classes)) if probabilities is None else probabilities.astype(float)
    predicted = "" if probabilities is None else classes[int(np.argmax(given))]
    row = {"label": label, "predicted": predicted, "missing": int(probabilities is None)}
    return row | {f"{PROBABILITY}{name}": float(value) for name, value in zip(classes, given, strict=True)}


def classes_of(counts: pd.DataFrame) -> tuple[str, ...]:
    """Names of the classes, in the order of the dataset."""
    return tuple(name.removeprefix(PROBABILITY) for name in counts if name.startswith(PROBABILITY))


def score_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Names of all scores, in the order of the tables."""
    return (*RATES, *(f"{RECALL}{name}" for name in classes))


def known(classes: Sequence[str]) -> dict[str, Score]:
    """Each score as one value per image, NaN where the image does not count; that of pairs of images has none."""
    return {
        "image_rate": Score(HIGHER, "share of the images whose class is right", _right),
        "patient_rate": Score(HIGHER, "mean over patients of the share of their images whose class is right", _right),
        "roc_auc": Score(HIGHER, "a random image of a class has its probability above one of another", _none),
        **{
            f"{RECALL}{name}": Score(HIGHER, f"share of the images of class {name} whose class is right", _recall(name))
            for name in classes
        },
    }


def overall(counts: pd.DataFrame) -> pd.Series:
    """Every score of the images together. An image without a prediction is wrong, and ranks as wrongly as can be."""
    classes = classes_of(counts)
    recalls = classification.class_recalls(counts["label"], counts["predicted"])
    areas = [classification.roc_auc(*ranked) for ranked in orderings(counts, classes)]
    values = {
        "image_rate": classification.image_rate(counts["label"], counts["predicted"]),
        "patient_rate": classification.patient_rate(counts["label"], counts["predicted"], counts["group"]),
        "roc_auc": np.nan if np.isnan(areas).all() else np.nanmean(areas),
        **{f"{RECALL}{name}": recalls.get(name, np.nan) for name in classes},
    }
    return pd.Series(values)


def orderings(counts: pd.DataFrame, classes: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which images are of a class, and its probability in each: what the ROC AUC is of.

    Of two classes the second against the first; of more each against all others, of which the AUC is the mean. An image
    without a prediction has -inf if it is of the class, and inf if not: every pair with it is in the wrong order.
    """
    wanted = classes[1:] if len(classes) == 2 else classes
    return [_ordering(counts, name) for name in wanted]


def true_probability(counts: pd.DataFrame) -> pd.Series:
    """Probability that each image's own class was given; 0 where it is missing."""
    found = [row[f"{PROBABILITY}{row['label']}"] for row in counts.to_dict("records")]
    return pd.Series(found, counts.index, float)


def confusion(counts: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Images by true class (rows) and predicted class; the last column, `missing`, has those without a prediction."""
    table = pd.crosstab(counts["label"], counts["predicted"]).reindex(index=classes, columns=[*classes, ""])
    return table.fillna(0).astype(int).rename(columns={"": "missing"})


def confusion_counts(counts: pd.DataFrame) -> dict[str, int]:
    """The confusion table as columns, such as `benign_as_malignant` and `benign_as_missing`."""
    table = confusion(counts, classes_of(counts))
    return {f"{label}_as_{told}": int(table.loc[label, told]) for label in table.index for told in table.columns}


def _ordering(counts: pd.DataFrame, name: str) -> tuple[np.ndarray, np.ndarray]:
    positive = (counts["label"] == name).to_numpy()
    worst = np.where(positive, -np.inf, np.inf)
    return positive, np.where(counts["missing"] == 1, worst, counts[f"{PROBABILITY}{name}"])


def _right(counts: Counts) -> np.ndarray:
    return (np.asarray(counts["label"]) == np.asarray(counts["predicted"])).astype(float)


def _none(counts: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.full(len(counts["label"]), np.nan)


def _recall(name: str) -> Callable[[Counts], np.ndarray]:
    return lambda counts: np.where(np.asarray(counts["label"]) == name, _right(counts), np.nan)
