"""The training loop of every system with a network: batches, steps, validation, checkpoints, from top to bottom.

What a step sees is a function of the seed and its number alone, so that a run that was stopped goes on bit by bit as
if it had not been. Several ranks take a share of each batch; they see the same patches, changed alike, as one would.
"""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.patches.augment import augment
from karyobench.patches.batch import Batch
from karyobench.patches.reading import Patches, reading
from karyobench.training import average, checkpoint, draws, record
from karyobench.training.checkpoint import Progress
from karyobench.training.optimizers import learning_rate
from karyobench.training.setup import Run, set_up
from karyobench.training.validation import finite, measured, validate

log = logging.getLogger("karyobench")

_LOG_SECONDS = 10.0
_CLOCK_MARKS = 100


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
    Raises KaryobenchError on settings that are not known, on weights or patches that do not fit, when the loss is not
    finite, and when a rank is told to end (SIGTERM), then after a checkpoint.
    """
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    identity = _identity(patches, config, fingerprint, init)
    with reading(patches, config["threads"]) as (training, validation), _termination() as told_to_end:
        run = set_up(config, len(training), init)
        _check_truth(run.system, training, patches)
        progress = _resume(run, checkpoints, identity)
        say = _Reporter(run.steps, progress)
        for step in range(progress.step, run.steps):
            progress.add(*_step(run, training, step))
            if progress.average:
                average.advance(progress.average, run.network, run.settings["ema"], progress.step)
            if len(validation) and (progress.step % run.settings["validate_every"] == 0 or progress.step == run.steps):
                validate(run, validation, progress)
            say.perhaps(progress)
            ended = _any_rank(run, told_to_end)
            if ended or progress.step % run.settings["checkpoint_every"] == 0:
                _save(run, checkpoints, identity, progress)
            if ended:
                raise KaryobenchError(f"told to end at step {progress.step}; start again to go on from its checkpoint")
    _finish(run, progress)
    if run.fabric.is_global_zero:
        facts = {"started": started, "fingerprint": fingerprint, "patches_sha256": identity["patch file"]}
        record.write(outputs, run, progress, facts | {"initial_sha256": identity["initial weights"]})
        files.remove(Path(checkpoints))
    log.info("kept the weights of step %d of %d", progress.best_step, run.steps)


def _check_truth(system: ModuleType, training: Patches, path: str | Path) -> None:
    """Raise KaryobenchError when the patches do not hold the kind of truth that the system learns from."""
    if (system.OUTPUT == "classes") != bool(training.classes):
        has, wanted = ("classes of images", "instances") if training.classes else ("instances", "classes of images")
        raise KaryobenchError(
            f"{path}: its patches have {has}, and the system learns from {wanted} ({system.TASK}); let the experiment "
            "name a patch set of another dataset, or another system"
        )


def _resume(run: Run, checkpoints: str | Path, identity: dict[str, Any]) -> Progress:
    """Progress of the run's checkpoint, put into network and optimiser of each rank; the first removes an unfit one."""
    with run.fabric.rank_zero_first():
        progress = checkpoint.resume(Path(checkpoints), identity, run.network, run.optimizer)
    if run.settings["ema"]:
        progress.average = average.started(run.network, progress.average)
    return progress


def _step(run: Run, training: Patches, step: int) -> tuple[float, dict[str, float]]:
    """One update of the weights; the loss and the system's measures before it, means over ranks."""
    seed, rank = run.config["seed"], run.fabric.global_rank
    for group in run.optimizer.param_groups:
        group["lr"] = learning_rate(step, run.steps, run.settings)
    batch = _share(run, training, step)
    run.model.train()
    run.optimizer.zero_grad()
    rng = draws.seeded(seed, draws.STEP, step, rank)
    inputs, targets = run.fabric.to_device(run.system.examples(batch, rng, run.config))
    outputs = run.model(inputs)
    loss = run.system.loss(outputs, targets, run.config)
    value = finite(run.fabric.all_reduce(loss.detach().clone()).item(), run, step, "training")
    measures = _measures(run, outputs, targets)
    run.fabric.backward(loss)
    if run.settings["clip"]:
        # Gradients that are not finite make the next loss so, of which `finite` tells.
        limit = {"max_norm": run.settings["clip"], "error_if_nonfinite": False}
        run.fabric.clip_gradients(run.model, run.optimizer, **limit)
    run.optimizer.step()
    return value, measures


def _measures(run: Run, outputs: Any, targets: Any) -> dict[str, float]:
    """The system's measures of a step's outputs, means over ranks."""
    with torch.no_grad():
        told = measured(run.system, outputs, targets, run.config)
    if not told:
        return {}
    values = torch.tensor([*told.values()], dtype=torch.float64, device=run.fabric.device)
    return dict(zip(told, run.fabric.all_reduce(values).tolist(), strict=True))


def _share(run: Run, training: Patches, step: int) -> Batch:
    """This rank's part of a step's batch, augmented; each patch has the generator of its place in the whole batch."""
    size, seed = run.settings["batch"], run.config["seed"]
    rank, count = run.fabric.global_rank, run.fabric.world_size
    each = size // count
    first = rank * each
    places = range(first, first + each)
    indices = draws.batch_indices(step, size, len(training), seed)[first : first + each]
    rngs = [draws.generator(seed, draws.PATCH, step, place) for place in places]
    return augment(replace(training.batch(indices), part=(rank, count)), rngs, run.settings["augment"])


def _any_rank(run: Run, told_to_end: list[int]) -> bool:
    told = torch.tensor(float(len(told_to_end)), device=run.fabric.device)
    return run.fabric.all_reduce(told, reduce_op="sum").item() > 0


def _save(run: Run, checkpoints: str | Path, identity: dict[str, Any], progress: Progress) -> None:
    """Let the first rank write the checkpoint; no rank goes on, or ends, before it is there."""
    if run.fabric.is_global_zero:
        checkpoint.save(Path(checkpoints), identity, progress, run.network, run.optimizer)
    run.fabric.barrier()


def _finish(run: Run, progress: Progress) -> None:
    """Put the weights to keep into the network: the best ones, or the last where nothing was validated."""
    if not progress.best_weights:
        progress.best_step = progress.step
    kept = progress.best_weights or progress.average
    if kept:
        run.network.load_state_dict(kept)


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
        if progress.step % max(1, self._steps // _CLOCK_MARKS) == 0 or progress.step == self._steps:
            progress.clock.append((progress.step, progress.seconds))
        if now - self._said < _LOG_SECONDS and progress.step < self._steps:
            return
        self._said = now
        left = (now - self._start) / (progress.step - self._first) * (self._steps - progress.step)
        told = (progress.step, self._steps, progress.losses[-1], *divmod(round(left), 60))
        log.info("step %d/%d, loss %.4f, %d min %02d s left", *told)
