"""The kinds of truth that are scored, and what each kind's tables hold: outlined objects, points, classes of images."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pandas as pd

from karyobench.errors import KaryobenchError, nearest
from karyobench.metrics import class_scores, point_scores, scores
from karyobench.metrics.definitions import TOTALS, Score, every_score
from karyobench.metrics.thresholds import NINE

Metrics = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """What the counts of a leaderboard are of.

    scores: names in the order of the tables for programs; main: that by which experiments are ranked, better the higher
    it is; bounded: those whose intervals stand in tables for people; headline: those that stand below an image. truth:
    columns of the counts that the truth alone decides. sizes: counted things that tables tell the number of, and their
    columns of the counts. over_groups: scores that are means over groups (patients). classes: names of the classes.

    known: every score by name. overall: scores of a table of counts; pooled: of its sums, None where that says nothing.
    totals: sums of a table of counts, by the names of their columns in tables; errors: rule of each, where its name
    does not tell. judged: column of `image_scores` by which the best and the worst image are chosen. pixels,
    foreground: per row of counts, pixels of which the truth says something, and those of true objects; None where there
    are none to tell.
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
    headline: tuple[str, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    pixels: Callable[[pd.DataFrame], pd.Series] | None = None
    foreground: Callable[[pd.DataFrame], pd.Series] | None = None
    over_groups: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def image_scores(self, counts: pd.DataFrame, metrics: Metrics) -> pd.DataFrame:
        """Every score of each row of counts, float64, same index; NaN where an image does not define it."""
        known, columns = self.known(metrics), {name: counts[name].to_numpy() for name in counts}
        return pd.DataFrame({name: known[name].of(columns) for name in self.scores}, index=counts.index)

    def with_scores(self, further: Sequence[str], metrics: Metrics) -> "Kind":
        """The same with further scores after its own. Raises KaryobenchError on one that the kind does not know."""
        known = self.known(metrics)
        for name in further:
            if name not in known:
                hint = nearest(name, known)
                raise KaryobenchError(f"scores: {self.name} have no score '{name}'{hint}; name another, or remove it")
        names = tuple(dict.fromkeys((*self.scores, *further)))
        if names == self.scores:
            return self
        made = replace(self, scores=names)
        return replace(made, overall=partial(_mean, made), pooled=partial(_of_sums, made))


def of(counts: pd.DataFrame) -> Kind:
    """The kind of a table of counts."""
    if "label" in counts:
        return classes(class_scores.classes_of(counts))
    return POINTS if "point_tp" in counts else OBJECTS


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
    return next(name for name in (OBJECTS.main, POINTS.main, classes(()).main) if name in columns)


def _mean(kind: Kind, counts: pd.DataFrame, metrics: Metrics) -> pd.Series:
    """Unweighted mean over images of each score."""
    return kind.image_scores(counts, metrics).mean()


def _of_sums(kind: Kind, counts: pd.DataFrame, metrics: Metrics) -> pd.Series:
    """Each score of the counts pooled over images."""
    return kind.image_scores(counts.select_dtypes("number").sum().to_frame().T, metrics).iloc[0]


NAMES = tuple(every_score({"iou_thresholds": NINE, "f1_threshold": NINE[0]}))
"""Names of all scores of outlined objects."""

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
    headline=("aji", "f1", "pq"),
    errors={name: TOTALS[name] for name in ERRORS},
    pixels=lambda counts: counts[[f"pixel_{name}" for name in ("tp", "fp", "fn", "tn")]].sum(axis=1),
    foreground=lambda counts: counts["pixel_tp"] + counts["pixel_fn"],
    known=every_score,
    overall=scores.macro,
    totals=lambda counts: {name: int(counts[name].sum()) for name in ERRORS},
    pooled=scores.micro,
)

POINTS = Kind(
    name="points",
    scores=point_scores.SCORES,
    main="point_f1",
    bounded=("point_f1",),
    truth=("image", "n_true", "point_radius"),
    sizes={"n_points": "n_true"},
    judged="point_f1",
    headline=point_scores.SCORES[:3],
    errors=point_scores.TOTALS,
    pixels=lambda counts: counts["pixels"],
    known=point_scores.known,
    overall=lambda counts, metrics: _mean(POINTS, counts, metrics),
    totals=point_scores.totals,
    pooled=lambda counts, metrics: _of_sums(POINTS, counts, metrics),
)
