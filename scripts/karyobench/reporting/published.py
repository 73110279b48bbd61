"""Published figures: our own table of facts, shown beside measured rows and never mixed with them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from karyobench.errors import KaryobenchError, nearest
from karyobench.metrics.scores import SCORES
from karyobench.metrics.thresholds import NINE, column, label

FACTS = Path(__file__).with_suffix(".csv")
FACT_COLUMNS = (
    *("leaderboard", "system", "metric", "value", "source", "split", "note"),
    *("key", "stratum", "dataset", "part", "unlike", "steps", "flag"),
)
"""Columns of the facts.

leaderboard: key under which a leaderboard of the configuration names them. metric: score as `metric_name` has it, or
the name of a figure that is none of ours; `_gain` for a difference; `recognition_rate`, `loss@epochN` and
`recognition_rate@training` are of training, and stand beside what runs tell of theirs. value: with the digits that were
printed. split: the images, in words. key: experiments and systems of the configuration that stand for the published
one, with spaces between. stratum: `organ=breast`, blank for all images. dataset, part: ours on which the figure would
be measured alike, blank where none is. unlike: why the figure cannot be compared, blank where it can. steps: optimiser
steps of the published training, blank where not known. flag: words of FLAGS.
"""
FLAGS = {
    "cited": "the source quotes another work",
    "derived": "a difference of two figures",
    "bound": "a bound on the figure",
    "mislabelled": "printed under another score's name",
    "contradicted": "the source contradicts itself",
    "implausible": "does not fit the source's other figures",
    "copied": "repeats another row's figures",
    "exchanged": "sensitivity and specificity stand in each other's place",
}
_ORDER = ("aji", "ap", "image_rate", "patient_rate")
DOUBTFUL = frozenset({"contradicted", "implausible", "copied", "exchanged"})


class Place(NamedTuple):
    """What a leaderboard measures: dataset (with the name of its split), part of it, and the subset at hand."""

    dataset: str
    part: str
    subset: str


def facts(leaderboard: str, path: Path = FACTS) -> pd.DataFrame:
    """Published figures of a leaderboard, one per row, all cells text, columns FACT_COLUMNS.

    Raises KaryobenchError on a leaderboard without figures.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    chosen = table[table["leaderboard"] == leaderboard]
    if chosen.empty:
        raise KaryobenchError(
            f"published: no figures under '{leaderboard}'{nearest(leaderboard, table['leaderboard'])}"
        )
    return chosen.copy()


def columns(scores: Sequence[str]) -> tuple[str, ...]:
    """Columns of `rows` where a leaderboard has these scores."""
    return ("experiment", "source", *scores, "other_scores", "split", "reference", "note", "flag")


def rows(
    leaderboard: str,
    metrics: Mapping[str, Any],
    place: Place,
    scores: Sequence[str] = SCORES,
    path: Path = FACTS,
) -> pd.DataFrame:
    """Published rows of a leaderboard, one per system, split and source; all cells text, `columns` of its scores.

    A figure stands in a score's column only when it is that very score under `metrics`, of all images; others are
    listed by name in `other_scores`. Values keep the digits that were printed. note: whether the row is comparable at
    `place`, or why not, then what the facts say. Raises KaryobenchError as `facts`.
    """
    names = {metric_name(score, metrics): score for score in scores}
    keys = ["system", "split", "source"]
    chosen = facts(leaderboard, path)
    chosen["note"] = [f"{_comparability(unlike(fact, place))}; {fact['note']}" for fact in chosen.to_dict("records")]
    made = [_row(*key, group, names) for key, group in chosen.groupby(keys, sort=False)]
    by = [score for score in _ORDER if score in scores]
    best_first = sorted(made, key=lambda row: (*(-float(row[s] or "-inf") for s in by), row["experiment"]))
    return pd.DataFrame(best_first, columns=list(columns(scores)))


def unlike(fact: Mapping[str, str], place: Place) -> str:
    """Why a figure cannot be compared with what is measured at `place`, as a clause; blank where it can."""
    if fact["unlike"]:
        return fact["unlike"]
    if DOUBTFUL.intersection(fact["flag"].split()):
        return "the printed figure is doubtful"
    if fact["dataset"] != place.dataset:
        return "its images differ"
    if fact["part"] != place.part:
        return "its part of the images differs"
    return "only a subset of its images is at hand" if place.subset else ""


def metric_name(score: str, metrics: Mapping[str, Any]) -> str:
    """Name under which the facts give a score: with its threshold, such as `f1@0.50`, or range, `ap@0.50:0.95`."""
    if score == "f1":
        return column("f1", metrics["f1_threshold"])
    if score in ("ap", "ap_t9"):
        return f"ap@{threshold_range(metrics['iou_thresholds'] if score == 'ap' else NINE)}"
    return score


def threshold_range(values: list[float]) -> str:
    """`0.50:0.95` for thresholds in steps of 0.05, otherwise each of them: `0.50,0.75`."""
    names = [label(value) for value in values]
    hundredths = [round(value * 100) for value in values]
    steps_of_five = names == [f"{h / 100:.2f}" for h in range(hundredths[0], hundredths[-1] + 1, 5)]
    return f"{names[0]}:{names[-1]}" if steps_of_five and len(names) > 1 else ",".join(names)


def _row(system: str, split: str, source: str, group: pd.DataFrame, names: dict[str, str]) -> dict[str, str]:
    made = {"experiment": system, "source": "published", "split": split, "reference": source}
    made |= {"note": _together(group["note"]), "flag": _together(group["flag"].str.replace(" ", "; "))}
    whole = group[(group["stratum"] == "") & group["metric"].isin(list(names))]
    made |= dict.fromkeys(names.values(), "") | {
        names[m]: v for m, v in zip(whole["metric"], whole["value"], strict=True)
    }
    others = group.drop(whole.index)
    made["other_scores"] = "; ".join(map(_listed, others["metric"], others["stratum"], others["value"]))
    return made


def _listed(metric: str, stratum: str, value: str) -> str:
    """`dice 0.802`, and `aji (organ breast) 0.646` of a stratum."""
    return f"{metric} ({stratum.replace('=', ' ')}) {value}" if stratum else f"{metric} {value}"


def _comparability(reason: str) -> str:
    return f"not comparable: {reason}" if reason else "comparable"


def _together(texts: Iterable[str]) -> str:
    """The different clauses in turn."""
    return "; ".join(dict.fromkeys(clause for text in texts for clause in text.split("; ") if clause))
