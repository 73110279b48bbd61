"""A system whose `predict` names a runtime: what its jobs are made from, what is refused, and the whole run."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.datasets.store import open_hdf5
from karyobench.errors import KaryobenchError
from karyobench.inference import exported
from karyobench.workflow import paths, start

OPENVINO = {"name": "openvino", "precision": "float32"}
JOB = SimpleNamespace(experiment="unet3-smoke", seed="1", dataset="smoke")


def catalogue(system: str | None, runtime: dict[str, Any]) -> start.Catalogue:
    """The smoke study, in which a system predicts by this runtime."""
    config = smoke.config()
    otsu = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))["systems"]["otsu"]
    config["systems"]["otsu"] = otsu
    config["datasets"]["smoke"]["source"] = {"local": str(smoke.ROOT)}
    if system:
        config["systems"][system]["predict"]["runtime"] = runtime
    start.read(config, smoke.ROOT, validate)
    return start.Catalogue(config)


def test_predict_waits_for_the_export_and_for_no_gpu() -> None:
    exporting, plain = catalogue("unet3-tiny", OPENVINO), catalogue(None, {})
    assert exporting.weights(JOB) == ["results/exported/unet3-smoke/1/network.zip"]
    assert plain.weights(JOB) == ["results/models/unet3-smoke/1/weights.safetensors"]
    assert (exporting.prediction_gpu(JOB, 1), plain.prediction_gpu(JOB, 1)) == (0, 1)


def test_training_knows_nothing_of_the_runtime() -> None:
    slices = {step: catalogue("unet3-tiny", OPENVINO).slice(step)(JOB) for step in ("train", "export", "predict")}
    assert slices["train"] == catalogue(None, {}).slice("train")(JOB)
    for step in ("export", "predict"):
        assert json.loads(slices[step])["predict"]["runtime"] == OPENVINO


@pytest.mark.parametrize(
    ("system", "runtime", "told"),
    [
        ("otsu", OPENVINO, r"systems.otsu.predict: unknown key 'runtime'"),
        (
            "unet3-tiny",
            {"name": "openvino", "precision": "int4"},
            r"systems.unet3-tiny.predict.runtime.precision.*int4",
        ),
        ("unet3-tiny", {"name": "onnx", "precision": "float32"}, r"systems.unet3-tiny.predict.runtime.name.*onnx"),
        ("unet3-tiny", {"name": "openvino"}, r"systems.unet3-tiny.predict.runtime.*precision"),
    ],
)
def test_a_runtime_that_is_none_is_refused(system: str, runtime: dict[str, Any], told: str) -> None:
    with pytest.raises(KaryobenchError, match=told):
        catalogue(system, runtime)


@pytest.mark.slow
def test_the_runtime_changes_what_predicts_and_not_what_is_predicted(finished: Path, tmp_path: Path) -> None:
    workdir = tmp_path / "work"
    shutil.copytree(finished, workdir, symlinks=True)
    config = smoke.read_config(workdir)
    config["systems"]["unet3-tiny"]["predict"]["runtime"] = OPENVINO
    smoke.write_config(workdir, config)
    done = smoke.run(workdir, "--cores", "2")
    assert done.returncode == 0, done.stdout
    assert "rule train:" not in done.stdout
    wildcards = vars(JOB)
    record = exported.read(workdir / paths.EXPORTED.format(**wildcards)).record
    assert record["graphs"]["forward"] < 1e-5
    images = [instances(folder / paths.MERGED.format(**wildcards)) for folder in (finished, workdir)]
    assert sorted(images[0]) == sorted(images[1])
    assert all(np.array_equal(images[0][name], images[1][name]) for name in images[0])


def instances(path: Path) -> dict[str, np.ndarray]:
    """Instance map of each image of a file."""
    with open_hdf5(path) as file:
        return {name: file[name]["instances"][()] for name in file}
