"""What each measured row of a leaderboard rests on: scores per image, training record, and where both come from."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.metrics import class_scores
from karyobench.reporting.curves import Curve
from karyobench.reporting.runs import HISTORY_COLUMNS, Board, Run, read_history

_OF_TRAINING = "train_"
_FILES = {
    **{"metrics": "Counts per image", "merged": "Merged predictions"},
    **{"weights": "Weights", "run": "Run record", "history": "Training history"},
}


@dataclass(frozen=True)
class Entry:
    """One experiment and seed on one leaderboard.

    record: the row of the slice, with its paths. images: one row per image: image, n_true, n_pred, missing, and every
    score; of classes image, label, predicted, missing, true_probability. training: `run.json` of a trained system.
    history: columns step, loss, val_loss, and those of the system's measures: of validation, and with the prefix
    `train_` of each step's batch.
    """

    board: Board
    run: Run
    record: dict[str, Any]
    images: pd.DataFrame
    training: dict[str, Any] | None
    history: pd.DataFrame | None

    @property
    def curve(self) -> Curve | None:
        """Losses and measures against steps, or None where nothing was trained."""
        if self.history is None:
            return None
        columns = {name: self.history[name].to_numpy(float) for name in self.history}
        losses = [columns.pop(name) for name in HISTORY_COLUMNS]
        columns.pop("learning_rate", None)
        training = {name: columns.pop(name) for name in [*columns] if name.startswith(_OF_TRAINING)}
        training = {name.removeprefix(_OF_TRAINING): values for name, values in training.items()}
        return Curve(self.run.experiment, *losses, columns, training)

    @property
    def provenance(self) -> list[tuple[str, str, str]]:
        """What lies behind this row's numbers: what it is, its file relative to the working directory, its sha256."""
        record = self.record
        told = [(what, record[key], files.sha256_file(record[key])) for key, what in _FILES.items() if record[key]]
        # Images are hashed one by one at ingest; the page lists those sums.
        told.append(("Images and truth", self.board.config["images"], "one per image, listed below"))
        return [*told, ("Configuration slice", "shown below", files.digest(files.canonical(record["config"])))]


def entries(board: Board) -> list[Entry]:
    """Entries of a leaderboard in the order of its rows. Raises KaryobenchError naming a file that cannot be read."""
    return [_entry(board, run, row) for run, row in zip(board.runs, board.config["rows"], strict=True)]


def by_experiment(listed: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries grouped by experiment, in the order in which experiments first occur."""
    groups: dict[str, list[Entry]] = {}
    for entry in listed:
        groups.setdefault(entry.run.experiment, []).append(entry)
    return groups


def _entry(board: Board, run: Run, row: dict[str, Any]) -> Entry:
    images = _images(board, run.counts)
    if row["run"] is None:
        return Entry(board, run, row, images, None, None)
    return Entry(board, run, row, images, _training(row["run"]), read_history(row["history"]))


def _images(board: Board, counts: pd.DataFrame) -> pd.DataFrame:
    if board.kind.classes:
        told = counts[["image", "label", "predicted", "missing"]]
        return told.assign(true_probability=class_scores.true_probability(counts))
    scores = board.kind.image_scores(counts, board.config["metrics"])
    return pd.concat([counts[["image", "n_true", "n_pred", "missing"]], scores], axis=1)


def _training(path: str) -> dict[str, Any]:
    told = json.loads(Path(path).read_text(encoding="utf-8"))
    missing = [key for key in ("minutes", "ranks", "config") if key not in told]
    if missing:
        raise KaryobenchError(f"{path}: the run record holds no '{missing[0]}'; run train again")
    return told
