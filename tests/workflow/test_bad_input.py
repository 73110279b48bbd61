"""A user's mistake ends the run with one clear message; what was finished before stays."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import smoke
import synthetic

PAIRS = synthetic.dataset("smoke-data")["pairs"]
SPLIT = synthetic.dataset("smoke-data")["split"]
FIRST = next(pair for pair in PAIRS if pair["id"] == SPLIT["train"][0])


def truncate_image(data: Path) -> None:
    path = data / FIRST["image"]
    path.write_bytes(path.read_bytes()[:200])


def shrink_truth(data: Path) -> None:
    path = data / FIRST["labels"]
    tifffile.imwrite(path, tifffile.imread(path)[:-8])


def make_transparent(data: Path) -> None:
    path = data / FIRST["image"]
    image = tifffile.imread(path)
    alpha = np.full((*image.shape[:2], 1), 128, np.uint8)
    tifffile.imwrite(path, np.concatenate([image, alpha], axis=2), photometric="rgb", extrasamples=["unassalpha"])


def deepen(data: Path) -> None:
    path = data / FIRST["image"]
    tifffile.imwrite(path, tifffile.imread(path).astype(np.uint16) * 257, photometric="rgb")


def empty_training_truth(data: Path) -> None:
    for pair in PAIRS:
        if pair["id"] in SPLIT["train"]:
            path = data / pair["labels"]
            tifffile.imwrite(path, np.zeros_like(tifffile.imread(path)))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (truncate_image, [FIRST["image"]]),
        (shrink_truth, [FIRST["id"], "192", "184"]),
        (make_transparent, [FIRST["image"], "alpha"]),
        (deepen, [FIRST["image"], "16", "intensity"]),
        (empty_training_truth, ["smoke", "no nucle"]),
    ],
)
def test_spoilt_images(spoil: Callable[[Path], None], told: list[str], finished: Path, tmp_path: Path) -> None:
    workdir = copy(finished, tmp_path)
    spoil(workdir / "smoke-data")
    refused(workdir, told)


def set_source(source: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Give the dataset another source."""

    def apply(config: dict[str, Any]) -> None:
        config["datasets"]["smoke"]["source"] = source

    return apply


def blow_up(config: dict[str, Any]) -> None:
    config["systems"]["unet3-tiny"]["train"]["learning_rate"] = 1.0e30


def test_a_dataset_that_is_not_there(finished: Path, tmp_path: Path) -> None:
    workdir = copy(finished, tmp_path)
    reconfigure(workdir, set_source({"local": "nowhere"}))
    refused(workdir, ["datasets.smoke.source.local", "nowhere"])


def test_a_checksum_that_does_not_match(finished: Path, tmp_path: Path) -> None:
    workdir = copy(finished, tmp_path)
    (tmp_path / "archive.zip").write_bytes(b"not what was published")
    reconfigure(workdir, set_source({"url": (tmp_path / "archive.zip").as_uri(), "sha256": "0" * 64}))
    refused(workdir, ["archive.zip", "0" * 64, "sha256"])


def test_a_loss_that_diverges(finished: Path, tmp_path: Path) -> None:
    """The untrained systems' results stay, and nothing after the failed training runs."""
    workdir = copy(finished, tmp_path)
    reconfigure(workdir, blow_up)
    refused(workdir, ["unet3-smoke", "step", "learning"])
    assert (workdir / "results/metrics/otsu-smoke/1/smoke.csv").is_file()
    assert not (workdir / "results/models/unet3-smoke/1/weights.safetensors").exists()


def copy(finished: Path, tmp_path: Path) -> Path:
    """A finished working directory that a test may spoil."""
    workdir = tmp_path / "work"
    shutil.copytree(finished, workdir)
    return workdir


def reconfigure(workdir: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the study's configuration."""
    config = smoke.read_config(workdir)
    change(config)
    smoke.write_config(workdir, config)


def refused(workdir: Path, told: list[str]) -> None:
    """The run fails, says all of `told` in its one `error:` message, and shows no traceback of ours."""
    done = smoke.run(workdir, "--cores", "1")
    assert done.returncode != 0
    messages = [
        line for line in done.stdout.splitlines() if "error: " in line or "configuration" in line or "  - " in line
    ]
    assert messages, done.stdout
    assert all(text in " ".join(messages) for text in told), done.stdout
    assert "Traceback" not in done.stdout, done.stdout
