"""Figures of classified images: who was taken for what, and the ROC curves."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from karyobench.metrics.class_scores import confusion, orderings
from karyobench.reporting import curves
from karyobench.reporting.entries import Entry


def confusion_figure(name: str, entry: Entry) -> str:
    """SVG of an entry's images by true class (rows) and told class; `name` prefixes the ids within the SVG."""
    return curves.confusion_matrix(name, confusion(entry.run.counts, entry.board.kind.classes))


def roc_figure(name: str, entries: Mapping[str, Entry]) -> str:
    """SVG of the ROC curves of entries by label, an area for each; of more than two classes a curve for each class."""
    drawn = []
    for label, entry in entries.items():
        classes = entry.board.kind.classes
        told = orderings(entry.run.counts, classes)
        names = [label] if len(told) == 1 else [f"{label}, {each}" for each in classes]
        drawn += [curves.Roc(text, *roc(*each)) for text, each in zip(names, told, strict=True)]
    return curves.roc_curves(name, drawn)


def roc(positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """False and true positive rates at every threshold, from (0, 0) to (1, 1); equal scores make one straight step.

    positive: bool (N,). The area under the curve by trapezoids is `metrics.classification.roc_auc`. NaN where the
    images are all of one kind.
    """
    table = pd.DataFrame({"score": scores, "hit": positive, "false": ~positive}).groupby("score").sum()[::-1].cumsum()
    rates = []
    for kind in ("false", "hit"):
        counted = np.concatenate([[0], table[kind].to_numpy(float)])
        rates.append(counted / counted[-1] if counted[-1] else np.full(len(counted), np.nan))
    return rates[0], rates[1]


def labelled(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Entries of one experiment by a label that tells the seed where there are several."""
    return {f"seed {entry.run.seed}" if len(entries) > 1 else entry.run.experiment: entry for entry in entries}
