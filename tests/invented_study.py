"""Inputs of a site, invented: nothing was trained or predicted. All files lie below the working directory."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karyobench import files
from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.metrics.counts import count_image, write_counts
from karyobench.metrics.scores import thresholds
from karyobench.reporting import outputs, runs

METRICS = {"iou_thresholds": [k / 20 for k in range(10, 20)], "f1_threshold": 0.5}
TASK = "invented for a test"
_ENDINGS = {
    **{"csv": ".csv", "summary": "_summary.csv", "strata": "_strata.csv", "pairs": "_pairs.csv"},
    **{"reproduction": "_reproduction.csv", "ranks": "_ranks.svg", "markdown": ".md", "latex": ".tex"},
}

SUMMARY = {
    "dataset": "invented",
    "objects": "nuclei",
    "truth": "manual",
    "subset": "",
    "rows": [
        {
            **{"by": "all", "value": "all", "images": 2, "objects": 30, "empty": 0},
            **{f"objects_{k}": n for k, n in (("min", 10), ("mean", 15.0), ("max", 20))},
            **{f"{side}_{k}": 64 for side in ("height", "width") for k in ("min", "mean", "max")},
        }
    ],
    "checks": [],
    "published": [],
    "typing": None,
}

Truth = Mapping[str, tuple[np.ndarray, np.ndarray]]
Predictions = Mapping[tuple[str, int], Mapping[str, np.ndarray | None]]


def board(
    name: str,
    images: Truth,
    predictions: Predictions,
    *,
    trained: Mapping[str, int] | None = None,
    truth: str = "manual",
    subset: str = "",
    published: str | None = None,
    about: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Write all that one leaderboard of a site needs and return its slice.

    images: id -> image and truth. predictions: (experiment, seed) -> image id -> instance map, or None for a missing
    one; an experiment is named `system` or `system-anything`. trained: experiments with a run, and their steps. about:
    attributes of an image beside the usual ones, or in their place (organ, group, ...).
    """
    dataset = f"results/datasets/{files.digest(name)[:8]}.h5"
    attributes = {image: _attributes(name, image) | dict((about or {}).get(image, {})) for image in images}
    with writing(dataset, {"subset": subset} if subset else None) as writer:
        for image, (pixels, labels) in images.items():
            writer.add(Field(image, pixels, labels, attributes[image]))
    rows = [_row(name, key, _counts(images, attributes, m), m, trained or {}) for key, m in predictions.items()]
    facts = {"truth": truth, "image_type": "he", "mpp": 0.5, "licence": "invented licence", "citation": "Invented 2020"}
    config = {"name": name, "dataset": name, "split": "test", "published": published, "metrics": METRICS, "scores": []}
    config |= {"dataset_facts": facts, "rows": rows, "images": dataset}
    return config | tables(config)


def study(name: str, leaderboards: list[dict[str, Any]]) -> dict[str, Any]:
    """Slice of the report: the leaderboards and one dataset with its summary and a figure of its stain."""
    files.write_json("results/datasets/invented.json", SUMMARY)
    files.write_text("results/figures/stain/macenko/invented.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>")
    return {
        "study": name,
        "leaderboards": leaderboards,
        "datasets": [{"name": "invented", "licence": "invented licence", "citation": "Invented 2020"}],
        "summaries": ["results/datasets/invented.json"],
        "stain_figures": ["results/figures/stain/macenko/invented.svg"],
    }


def _attributes(dataset: str, image: str) -> dict[str, Any]:
    attributes = {"dataset": dataset, "image_type": "he", "group": image, "parent": image, "mpp": 0.5}
    return attributes | {"source_file": f"{image}.png", "sha256": files.digest(image)}


def _row(
    name: str, key: tuple[str, int], counts: pd.DataFrame, predictions: Mapping[str, Any], trained: Mapping[str, int]
) -> dict[str, Any]:
    experiment, seed = key
    steps, system = trained.get(experiment, 0), experiment.split("-")[0]
    folder = files.digest(experiment)[:8]
    model, data = Path(f"results/models/{folder}/{seed}"), files.digest(name)[:8]
    maps, metrics = f"results/merged/{folder}/{seed}/{data}.h5", f"results/metrics/{folder}/{seed}/{data}.csv"
    with create_hdf5(maps) as file:
        for image, labels in predictions.items():
            if labels is not None:
                write_array(file.create_group(image), "instances", labels.astype(np.int32))
    write_counts(metrics, counts)
    if steps:
        _write_training(model, steps, seed)
    return {
        **{"experiment": experiment, "seed": seed, "system": system, "task": TASK},
        **{
            "metrics": metrics,
            "merged": maps,
            "class_maps": None,
            "config": {"system": {"module": system}, "experiment": {"seed": seed}},
        },
        "run": str(model / "run.json") if steps else None,
        "initial": "scratch",
        "history": str(model / "history.csv") if steps else None,
        "weights": str(model / "weights.safetensors") if steps else None,
    }


def _counts(
    images: Truth, attributes: Mapping[str, Mapping[str, Any]], predictions: Mapping[str, np.ndarray | None]
) -> pd.DataFrame:
    return pd.DataFrame(
        {"image": image, **{name: attributes[image][name] for name in ("parent", "group", "image_type")}}
        | {"split": "test"}
        | count_image(labels, predictions[image], thresholds(METRICS))
        for image, (_, labels) in sorted(images.items())
    )


def _write_training(model: Path, steps: int, seed: int) -> None:
    run = {"device": "cpu", "minutes": 4.25, "ranks": 1, "steps": steps, "software": {"torch": "2.13.0"}}
    run |= {"config": {"seed": seed}}
    run |= {"kept_step": steps, "parameters": 1234567, "precision": "32-true", "patches": files.digest(f"{model}")}
    files.write_text(model / "run.json", json.dumps(run))
    files.write_text(model / "weights.safetensors", f"invented weights of seed {seed}")
    at = np.arange(10, steps + 1, 10)
    loss = (1 + 0.05 * seed) * (0.2 + 3 / (at + 5)) * (1 + 0.06 * np.sin(at * 1.7 + seed))
    val_loss = np.where(at % 50 == 0, 0.25 + 3 / (at + 9), np.nan)
    history = pd.DataFrame({"step": at, "loss": loss, "val_loss": val_loss})
    history.to_csv(model / "history.csv", index=False)


def read(config: dict[str, Any]) -> runs.Board:
    """The leaderboard of a slice."""
    rows = config["rows"]
    return runs.load(config, [r["metrics"] for r in rows], [r["run"] for r in rows if r["run"]], config["images"])


def tables(config: dict[str, Any]) -> dict[str, str]:
    """Write every file of the leaderboard as its step does; path of each kind."""
    stem = f"results/leaderboards/{files.digest(config['name'])[:8]}"
    written = {kind: f"{stem}{_ENDINGS[kind]}" for kind in outputs.KINDS}
    for kind, text in outputs.texts(read(config)).items():
        files.write_text(written[kind], text)
    return written
