"""The training loop of every system with a network: batches, steps, validation, checkpoints, from top to bottom.

What a step sees is a function of the seed and its number alone, so that a run that was stopped goes on bit by bit as
if it had not been.
"""

import logging
import math
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.patches.augment import augment
from karyobench.patches.reading import Patches, reading
from karyobench.training import checkpoint, record
from karyobench.training.checkpoint import Progress
from karyobench.training.optimizers import learning_rate
from karyobench.training.setup import Run, set_up

log = logging.getLogger("karyobench")

_ORDER, _STEP, _VALIDATION = range(3)
_LOG_SECONDS = 10.0


def train(
    patches: str | Path,
    config: dict[str, Any],
    outputs: record.Outputs,
    checkpoints: str | Path,
    fingerprint: str,
    init: str | Path | None = None,
) -> None:
    """Train a system on a patch file and write weights, history, run record and model card.

    config: the step's slice. checkpoints: a folder outside the outputs, from which a stopped run of the same
    configuration, code (`fingerprint`), patches and initial weights goes on; removed at the end. init: weights to
    start from. The weights kept are those of the lowest validation loss, or the last ones without validation patches.
    Raises KaryobenchError on settings that are not known, on weights that do not fit, when the loss is not finite, and
    when the process is told to end (SIGTERM), then after a checkpoint.
    """
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    identity = _identity(patches, config, fingerprint, init)
    run = set_up(config, init)
    progress = checkpoint.resume(Path(checkpoints), identity, run.network, run.optimizer)
    with reading(patches, config["threads"]) as (training, validation), _termination() as told_to_end:
        _check_truth(training, patches)
        say = _Reporter(run.steps, progress)
        for step in range(progress.step, run.steps):
            progress.losses.append(_step(run, training, step))
            progress.step = step + 1
            if progress.step % run.settings["validate_every"] == 0 or progress.step == run.steps:
                _validate(run, validation, progress)
            say.perhaps(progress)
            if told_to_end or progress.step % run.settings["checkpoint_every"] == 0:
                checkpoint.save(Path(checkpoints), identity, progress, run.network, run.optimizer)
            if told_to_end:
                raise KaryobenchError(f"told to end at step {progress.step}; start again to go on from its checkpoint")
    _finish(run, progress)
    facts = {"started": started, "fingerprint": fingerprint, "patches_sha256": identity["patch file"]}
    record.write(outputs, run.config, run.system, run.network, run.fabric, progress, facts)
    files.remove(Path(checkpoints))
    log.info("kept the weights of step %d of %d", progress.best_step, run.steps)


def _check_truth(training: Patches, path: str | Path) -> None:
    if training.classes:
        raise KaryobenchError(f"{path}: holds classes of images, no instance maps, and this system learns from these")
    if training.ignore([0]) is not None:
        log.warning("%s: part of the nuclei are not annotated; systems that learn from background must know", path)


def batch_indices(step: int, size: int, count: int, seed: int) -> np.ndarray:
    """Patches of a step's batch, int (size,): each epoch goes through all `count` patches in an order of its own."""
    places = np.arange(step * size, (step + 1) * size)
    epochs = places // count
    orders = {epoch: _generator(seed, _ORDER, epoch).permutation(count) for epoch in np.unique(epochs).tolist()}
    return np.array([orders[epoch][place % count] for epoch, place in zip(epochs.tolist(), places, strict=True)])


def _step(run: Run, training: Patches, step: int) -> float:
    """One update of the weights; the loss before it."""
    rng = _generator(run.config["seed"], _STEP, step)
    torch.manual_seed(int(rng.integers(2**63)))
    rate = learning_rate(step, run.steps, run.settings)
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    indices = batch_indices(step, run.settings["batch"], len(training), run.config["seed"])
    images, instances = augment(*training.batch(indices), rng, run.settings["augment"])
    run.model.train()
    run.optimizer.zero_grad()
    loss = _loss(run, images, instances, rng)
    value = _finite(loss.item(), run, step, "training")
    run.fabric.backward(loss)
    run.optimizer.step()
    return value


def _validate(run: Run, validation: Patches, progress: Progress) -> None:
    """Add a row of history; keep the weights when their validation loss is the lowest so far."""
    loss = _validation_loss(run, validation, progress.step) if len(validation) else None
    row = {
        "step": progress.step,
        "loss": sum(progress.losses) / len(progress.losses),
        "val_loss": loss,
        "learning_rate": learning_rate(progress.step - 1, run.steps, run.settings),
    }
    progress.history.append(row)
    progress.losses.clear()
    if loss is not None and loss < progress.best_loss:
        progress.best_step, progress.best_loss = progress.step, loss
        progress.best_weights = checkpoint.weights(run.network)


def _validation_loss(run: Run, validation: Patches, step: int) -> float:
    """Mean loss per validation patch, on the same examples each time."""
    size, count = run.settings["batch"], len(validation)
    run.model.eval()
    total = 0.0
    for start in range(0, count, size):
        indices = np.arange(start, min(start + size, count))
        with torch.no_grad():
            rng = _generator(run.config["seed"], _VALIDATION, start)
            total += len(indices) * _loss(run, *validation.batch(indices), rng).item()
    return _finite(total / count, run, step - 1, "validation")


def _loss(run: Run, images: np.ndarray, instances: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    inputs, targets = run.fabric.to_device(run.system.examples(images, instances, rng, run.config))
    return run.system.loss(run.model(inputs), targets, run.config)


def _finish(run: Run, progress: Progress) -> None:
    """Put the weights to keep into the network: the best ones, or the last where nothing was validated."""
    if progress.best_weights:
        run.network.load_state_dict(progress.best_weights)
    else:
        progress.best_step = progress.step


def _finite(loss: float, run: Run, step: int, kind: str) -> float:
    if math.isfinite(loss):
        return loss
    rate, base = learning_rate(step, run.steps, run.settings), run.settings["learning_rate"]
    raise KaryobenchError(
        f"experiment '{run.config['experiment']}': the {kind} loss is {loss} at step {step + 1}, learning rate "
        f"{rate:g}; lower the system's train.learning_rate (now {base:g}) or look for faulty patches"
    )


def _generator(seed: int, purpose: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, number])


def _identity(patches: str | Path, config: dict[str, Any], fingerprint: str, init: str | Path | None) -> dict[str, Any]:
    """What must be equal for a checkpoint to be this run's."""
    return {
        "configuration": files.digest(files.canonical(config)),
        "code": fingerprint,
        "patch file": files.sha256_file(patches),
        "initial weights": files.sha256_file(init) if init else None,
    }


@contextmanager
def _termination() -> Iterator[list[int]]:
    """A list that is empty until SIGTERM arrives: a cluster's time limit or preemption."""
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


class _Reporter:
    """Says how far a run is, about every ten seconds, and keeps its clock."""

    def __init__(self, steps: int, progress: Progress) -> None:
        self._steps, self._first, self._before = steps, progress.step, progress.seconds
        self._start = self._said = time.monotonic()

    def perhaps(self, progress: Progress) -> None:
        """Log a line when the last one is old, or at the end."""
        now = time.monotonic()
        progress.seconds = self._before + now - self._start
        if now - self._said < _LOG_SECONDS and progress.step < self._steps:
            return
        self._said = now
        left = (now - self._start) / (progress.step - self._first) * (self._steps - progress.step)
        loss = progress.losses[-1] if progress.losses else progress.history[-1]["loss"]
        log.info(
            "step %d/%d, loss %.4f, %d min %02d s left", progress.step, self._steps, loss, *divmod(round(left), 60)
        )
