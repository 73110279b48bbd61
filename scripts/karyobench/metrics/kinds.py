"""The kinds of truth that are scored, and what each kind's tables hold: outlined objects, and classes of images."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from karyobench.metrics import class_scores, scores
from karyobench.metrics.definitions import Score, every_score

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """What the counts of a leaderboard are of.

    scores: names in the order of the tables for programs, all better the higher they are; main: that by which
    experiments are ranked; bounded: those whose intervals stand in tables for people. truth: columns of the counts that
    the truth alone decides. sizes: counted things that tables tell the number of, and their columns of the counts.
    over_groups: scores that are means over groups (patients). classes: names of the classes.

    known: every score by name. overall: scores of a table of counts; pooled: of its sums, None where that says nothing.
    totals: sums of a table of counts, by the names of their columns in tables. judged: column of `image_scores`
    by which the best and the worst image are chosen.
    """

    name: str
    scores: tuple[str, ...]
    main: str
    bounded: tuple[str, ...]
    truth: tuple[str, ...]
    sizes: Mapping[str, str]
    judged: str
    known: Callable[[Metrics], Mapping[str, Score]]
    overall: Callable[[pd.DataFrame, Metrics], pd.Series]
    totals: Callable[[pd.DataFrame], dict[str, int]]
    pooled: Callable[[pd.DataFrame, Metrics], pd.Series] | None = None
    over_groups: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def image_scores(self, counts: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
        """Every score of each row of counts, float64, same index; NaN where an image does not define it."""
        known, columns = self.known(metrics), {name: counts[name].to_numpy() for name in counts}
        return pd.DataFrame({name: known[name].of(columns) for name in self.scores}, index=counts.index)


def of(counts: pd.DataFrame) -> Kind:
    """The kind of a table of counts."""
    return classes(class_scores.classes_of(counts)) if "label" in counts else OBJECTS


def classes(names: tuple[str, ...]) -> Kind:
    """Images of one class each."""
    return Kind(
        name="classes",
        scores=class_scores.score_names(names),
        main="image_rate",
        bounded=class_scores.RATES,
        truth=("image", "label"),
        sizes={},
        judged="true_probability",
        known=lambda metrics: class_scores.known(names),
        overall=lambda counts, metrics: class_scores.overall(counts),
        totals=class_scores.confusion_counts,
        over_groups=("patient_rate",),
        classes=names,
    )


def main_of(columns: Collection[str]) -> str:
    """The main score of a leaderboard's table, told by its columns."""
    return next(name for name in (OBJECTS.main, classes(()).main) if name in columns)


ERRORS = ("n_pred", "missed", "false", "merges", "splits")
"""Counts of objects in a table, each as `definitions.TOTALS` has it."""

OBJECTS = Kind(
    name="objects",
    scores=scores.SCORES,
    main="aji",
    bounded=("aji", "f1"),
    truth=("image", "n_true"),
    sizes={"n_nuclei": "n_true"},
    judged="aji",
    known=every_score,
    overall=scores.macro,
    totals=lambda counts: {name: int(counts[name].sum()) for name in ERRORS},
    pooled=scores.micro,
)
