"""The measured rows of a leaderboard: counts per image of each experiment and seed, with its budget and device."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karyobench.datasets.store import Store, reading
from karyobench.errors import KaryobenchError
from karyobench.metrics import kinds
from karyobench.metrics.counts import read_counts
from karyobench.metrics.kinds import Kind
from karyobench.metrics.scores import thresholds
from karyobench.metrics.thresholds import column
from karyobench.reporting.published import Place

LONGEST_SIDE = "longest_side"
"""Attribute of an image: `over_1000` pixels or `up_to_1000`. The P-RCNN paper's large images are those over 1000."""

HISTORY_COLUMNS = ["step", "loss", "val_loss"]
"""Columns that every training history has; those of the system's measures follow."""

_LARGE = 1000

FAKE = "fake: reads the truth; its scores are known in closed form and test the workflow"


@dataclass(frozen=True)
class Run:
    """One experiment under one seed. device: `-` where nothing was trained. counts: one row per image of the split.

    record: `run.json` of the training; history: path of its `history.csv`; None where nothing was trained.
    """

    experiment: str
    system: str
    task: str
    seed: int
    steps: int
    device: str
    record: dict[str, Any] | None
    history: str | None
    counts: pd.DataFrame

    @property
    def trained(self) -> bool:
        """Whether weights were trained for it."""
        return self.record is not None

    @property
    def fake(self) -> bool:
        """Whether the system is one of the permanent fakes, which read the truth."""
        return self.system.startswith("oracle_")

    @property
    def columns(self) -> dict[str, np.ndarray]:
        """The counts by column, as formulas take them."""
        return {name: self.counts[name].to_numpy() for name in self.counts}

    @property
    def note(self) -> str:
        """What a table must say of the row: FAKE, or nothing."""
        return FAKE if self.fake else ""


@dataclass(frozen=True)
class Board:
    """All that the tables are made of.

    subset: what part of the dataset was at hand, empty for all of it. attributes: what the dataset says of each scored
    image, in the order of the counts' rows. shared: groups (patients, slides) of scored images that have images in
    other parts of the split too.
    """

    config: dict[str, Any]
    subset: str
    runs: list[Run]
    attributes: list[dict[str, Any]]
    shared: frozenset[str] = frozenset()

    @cached_property
    def kind(self) -> Kind:
        """What is scored: outlined objects, points, or classes of images; with the scores that the config adds."""
        return kinds.of(self.images).with_scores(self.config["scores"], self.config["metrics"])

    @property
    def images(self) -> pd.DataFrame:
        """Counts of the first run: the images, their groups and their nuclei are the same in all."""
        return self.runs[0].counts

    @property
    def place(self) -> Place:
        """What is measured, for the comparison with published figures."""
        return Place(self.config["dataset"], self.config["split"], self.subset)

    @property
    def experiments(self) -> dict[str, list[Run]]:
        """Runs of each experiment, one per seed, in the order in which experiments first occur."""
        groups: dict[str, list[Run]] = {}
        for run in self.runs:
            groups.setdefault(run.experiment, []).append(run)
        return groups


def load(config: dict[str, Any], metrics: list[str], runs: list[str], dataset: str | Path) -> Board:
    """Read the files of a leaderboard.

    config: the leaderboard's slice; `metrics` and `runs` are the files that its rows name, in their order. dataset:
    HDF5, which tells of a partial mirror, and of the images. Raises KaryobenchError when a file cannot be read, the
    options and the rows disagree, the rows were scored on different images or on images that the dataset lacks, or
    counts at a threshold are not there.
    """
    rows = config["rows"]
    if not rows:
        raise KaryobenchError(f"leaderboard '{config['name']}' names no experiments; list at least one")
    _check_options("metrics", [row["metrics"] for row in rows], metrics)
    _check_options("runs", [row["run"] for row in rows if row["run"]], runs)
    loaded = [_run(row, config["split"]) for row in rows]
    for row, run in zip(rows, loaded, strict=True):
        _check_images(run.counts, loaded[0].counts, row["metrics"])
        _check_thresholds(run.counts, config["metrics"], row["metrics"])
    with reading(dataset) as store:
        attributes = [_attributes(store, image) for image in loaded[0].counts["image"]]
        shared = _shared(store, loaded[0].counts)
        return Board(config, store.about.get("subset", ""), loaded, attributes, shared)


def read_history(path: str) -> pd.DataFrame:
    """A training history, float64, HISTORY_COLUMNS first. Raises KaryobenchError naming a file that is none."""
    try:
        history = pd.read_csv(path, dtype=float)
        return history[[*HISTORY_COLUMNS, *history.columns.drop(HISTORY_COLUMNS)]]
    except (OSError, ValueError, KeyError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a training history ({error}); run train again") from None


def _attributes(store: Store, image: str) -> dict[str, Any]:
    """What the dataset says of an image, and its LONGEST_SIDE."""
    longest = "over_1000" if max(store.shape(image)) > _LARGE else "up_to_1000"
    return {**store.attributes(image), LONGEST_SIDE: longest}


def _shared(store: Store, counts: pd.DataFrame) -> frozenset[str]:
    """Groups of scored images that have images elsewhere; regions cut from one field lie a guard band apart instead."""
    scored = set(counts["image"])
    others = (store.attributes(image) for image in store.ids if image not in scored)
    return frozenset(about["group"] for about in others if "region_split" not in about) & set(counts["group"])


def _run(row: dict[str, Any], split: str) -> Run:
    counts = read_counts(row["metrics"])
    counts = counts[counts["split"] == split].reset_index(drop=True)
    if counts.empty:
        raise KaryobenchError(f"{row['metrics']}: no image of split '{split}'; run evaluate again")
    kept = {name: row[name] for name in ("experiment", "system", "task", "seed", "history")}
    return Run(**kept, **_training(row["run"]), counts=counts)


def _training(path: str | None) -> dict[str, Any]:
    """Record, steps and device of a training; the run record alone knows the steps of a budget in epochs."""
    if path is None:
        return {"steps": 0, "device": "-", "record": None}
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        return {"steps": told["steps"], "device": told["device"], "record": told}
    except (OSError, ValueError, KeyError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a run record ({error!r}); run train again") from None


def _check_options(option: str, named: list[str], given: list[str]) -> None:
    if named != given:
        raise KaryobenchError(f"--{option} must give the files of the rows in --config, in their order: {named}")


def _check_images(counts: pd.DataFrame, first: pd.DataFrame, path: str) -> None:
    truth = list(kinds.of(first).truth)
    if not set(truth) <= set(counts) or not counts[truth].equals(first[truth]):
        raise KaryobenchError(f"{path}: scored on other images or truth than the first row; run evaluate again")


def _check_thresholds(counts: pd.DataFrame, metrics: dict[str, Any], path: str) -> None:
    if kinds.of(counts) is not kinds.OBJECTS:
        return
    missing = [column("tp", t) for t in thresholds(metrics) if column("tp", t) not in counts]
    if missing:
        raise KaryobenchError(f"{path}: no column {missing[0]}; run evaluate again with the thresholds of `metrics`")
