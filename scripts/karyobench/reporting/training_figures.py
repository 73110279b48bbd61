"""What papers print of their training, measured on runs of ours: recognition rates, the loss after so many epochs.

A run looks at no images but its patches while it trains: validation patches stand for images that a paper tested on.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.reporting.published import Place
from karyobench.reporting.runs import Run, read_history

_RATE, _TRAINING_RATE = "recognition_rate", "recognition_rate@training"
_LAST = 100
_LOSS = re.compile(r"loss@epoch(\d+)")
_NOWHERE = "-"


class Measured(NamedTuple):
    """A figure of training, the mean over seeds. value: NaN where no run tells it. ended: runs are shorter than that.

    on: which patches and steps it is of; part: that of the split which they are from.
    """

    value: float
    on: str
    part: str = "val"
    ended: bool = False


def tells(metric: str) -> bool:
    """Whether a figure is one of training: `recognition_rate`, `recognition_rate@training`, or `loss@epochN`."""
    return metric in (_RATE, _TRAINING_RATE) or _LOSS.fullmatch(metric) is not None


def measured(metric: str, runs: Sequence[Run]) -> Measured:
    """The figure of an experiment's runs.

    The rate is that of the weights kept, on validation patches; in training that of the batches of up to 100 steps
    before; the loss that of the validation nearest to an epoch's end. Budgets in epochs tell how many steps these
    have, others do not. Raises KaryobenchError on a run record without what current ones hold.
    """
    if any(run.record is None for run in runs):
        return Measured(np.nan, _NOWHERE)
    if metric == _TRAINING_RATE:
        return _training_rate(runs)
    if metric == _RATE:
        return _rate(runs)
    return _loss(int(_LOSS.fullmatch(metric)[1]), runs)


def place(run: Run, part: str, subset: str) -> Place:
    """What a run's patches of a part are of, for the comparison with published figures."""
    trained_on = "" if run.record is None else "+".join(_of(run, "config")["data"]["train"])
    return Place(trained_on, part, subset)


def _rate(runs: Sequence[Run]) -> Measured:
    rates = [_of(run, "measures").get("rate", np.nan) for run in runs]
    steps = _steps([_of(run, "kept_step") for run in runs])
    return Measured(float(np.mean(rates)), f"validation patches, step {steps}")


def _training_rate(runs: Sequence[Run]) -> Measured:
    rates = [_last(run, "train_rate") for run in runs]
    steps = _steps([_of(run, "kept_step") for run in runs])
    return Measured(float(np.mean(rates)), f"training patches, up to step {steps}", "train")


def _last(run: Run, column: str) -> float:
    """Mean of a column over the last steps before the weights that were kept; NaN without the column."""
    history, kept = read_history(run.history), _of(run, "kept_step")
    inside = history["step"].between(kept - _LAST + 1, kept)
    return float(history.loc[inside, column].mean()) if column in history else np.nan


def _loss(epoch: int, runs: Sequence[Run]) -> Measured:
    found = []
    for run in runs:
        budget = _of(run, "config")["budget"]
        if "epochs" not in budget:
            return Measured(np.nan, _NOWHERE)
        wanted = _of(run, "planned_steps") * epoch / budget["epochs"]
        if run.steps < round(wanted):
            return Measured(np.nan, _NOWHERE, ended=True)
        found.append(_nearest(run, wanted))
    steps, losses = zip(*found, strict=True)
    return Measured(float(np.mean(losses)), f"validation patches, step {_steps(steps)}")


def _nearest(run: Run, wanted: float) -> tuple[int, float]:
    """The validated step nearest to another, and its loss; NaN where nothing was validated."""
    validated = read_history(run.history).dropna(subset="val_loss")
    if validated.empty:
        return run.steps, np.nan
    row = validated.loc[(validated["step"] - wanted).abs().idxmin()]
    return int(row["step"]), float(row["val_loss"])


def _steps(steps: Sequence[int]) -> str:
    return " and ".join(dict.fromkeys(map(str, steps)))


def _of(run: Run, key: str) -> Any:
    try:
        return run.record[key]
    except KeyError:
        raise KaryobenchError(
            f"experiment '{run.experiment}', seed {run.seed}: the run record holds no '{key}'; run train again"
        ) from None
