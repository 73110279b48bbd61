"""How much faster more ranks train: patches per second, and loss against time, as figure 7 of the P-RCNN paper has it.

What is compared is the same training but for its number of ranks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from karyobench import files
from karyobench.reporting import published
from karyobench.reporting.curves import Timed, loss_against_time
from karyobench.reporting.entries import Entry

COLUMNS = (
    *("source", "run", "ranks", "threads_per_rank", "patches_per_second", "speed_up"),
    *("efficiency", "seconds", "loss", "seconds_to_loss"),
)

_PUBLISHED, _PUBLISHED_METRIC = "prcnn_scaling", "seconds_to_loss_1"
_KEPT = 0.9  # of the smoothed loss from step to step


@dataclass(frozen=True)
class Speed:
    """One run. threads: of each rank. rate: patches per second. seconds, loss: at each step, the loss smoothed."""

    name: str
    ranks: int
    threads: int
    rate: float
    seconds: np.ndarray
    loss: np.ndarray

    def reached(self, level: float) -> float:
        """Seconds until the loss first was as low as a level."""
        return float(self.seconds[np.argmax(self.loss <= level)])


def speeds(listed: Iterable[Entry]) -> list[Speed]:
    """Runs of the first training that was done with different numbers of ranks, fewest first; empty without one."""
    groups: dict[str, list[Entry]] = {}
    for entry in listed:
        if entry.training is not None:
            groups.setdefault(_alike(entry.training), []).append(entry)
    for group in groups.values():
        if len({entry.training["ranks"] for entry in group}) > 1:
            return sorted(map(_speed, group), key=lambda speed: (speed.ranks, speed.name))
    return []


def table(measured: Sequence[Speed]) -> pd.DataFrame:
    """Measured and published speeds, columns COLUMNS; times to a loss are those to `loss`.

    Measured: to the lowest loss that every run reached. Speed-up and efficiency are relative to the fewest ranks:
    measured by patches per second, published by time to the loss.
    """
    level, fewest = common_level(measured), measured[0].ranks
    base = np.mean([speed.rate for speed in measured if speed.ranks == fewest])
    rows = [_row(speed, level, speed.rate / base, fewest) for speed in measured]
    return pd.DataFrame([*rows, *_published_rows()], columns=list(COLUMNS))


def figure(name: str, measured: Sequence[Speed]) -> str:
    """SVG of the loss of each run against time; `name` prefixes the ids within the SVG."""
    level = common_level(measured)
    runs = [Timed(_label(speed), speed.seconds, speed.loss, speed.reached(level)) for speed in measured]
    return loss_against_time(name, runs, level)


def common_level(measured: Sequence[Speed]) -> float:
    """The lowest loss that every run reached."""
    return max(float(speed.loss.min()) for speed in measured)


def _alike(training: dict[str, Any]) -> str:
    """The configuration of a run but for what differs between numbers of ranks, and between seeds."""
    config = {key: value for key, value in training["config"].items() if key not in ("experiment", "seed", "threads")}
    train = {key: value for key, value in config.get("train", {}).items() if key != "ranks"}
    return files.canonical(config | {"train": train})


def _speed(entry: Entry) -> Speed:
    training, history = entry.training, entry.history
    steps, seconds = np.array([(0, 0.0), *training["clock"]]).T
    loss = history["loss"].ewm(alpha=1 - _KEPT).mean().to_numpy()
    rate = training["steps"] * training["config"]["train"]["batch"] / seconds[-1]
    at = np.interp(history["step"], steps, seconds)
    name = f"{entry.run.experiment}, seed {entry.run.seed}"
    return Speed(name, training["ranks"], training["threads"], rate, at, loss)


def _row(speed: Speed, level: float, speed_up: float, fewest: int) -> dict[str, Any]:
    return {
        **{"source": "measured", "run": speed.name, "ranks": speed.ranks, "threads_per_rank": speed.threads},
        **{"patches_per_second": speed.rate, "speed_up": speed_up, "efficiency": speed_up * fewest / speed.ranks},
        **{"seconds": float(speed.seconds[-1]), "loss": level, "seconds_to_loss": speed.reached(level)},
    }


def _published_rows() -> list[dict[str, Any]]:
    """The paper's own times to a loss of 1, on other machines, of another network on other images."""
    facts = published.facts(_PUBLISHED)
    facts = facts[facts["metric"] == _PUBLISHED_METRIC]
    workers = facts["system"].str.extract(r"(\d+) worker", expand=False).astype(int)
    seconds = facts["value"].astype(float)
    speed_up = seconds.iloc[0] / seconds
    return [
        {"source": "published", "run": run, "ranks": count, "speed_up": faster, "efficiency": faster / count}
        | {"loss": 1.0, "seconds_to_loss": taken}
        for run, count, faster, taken in zip(facts["system"], workers, speed_up, seconds, strict=True)
    ]


def _label(speed: Speed) -> str:
    ranks = f"{speed.ranks} rank{'s' * (speed.ranks > 1)} of {speed.threads} thread{'s' * (speed.threads > 1)}"
    return f"{speed.name}: {ranks}, {speed.rate:.1f} patches/s"
