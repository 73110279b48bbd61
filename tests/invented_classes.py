"""Leaderboards of classes for a site, invented: images of one grey, and probabilities that a test names."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import invented_study
from karyobench import files
from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.metrics.counts import write_counts
from karyobench.metrics.evaluate import evaluate

CLASSES = ["benign", "malignant"]

Images = Mapping[str, Mapping[str, Any]]
Given = Mapping[tuple[str, int], Mapping[str, float | None]]


def board(name: str, images: Images, given: Given, published: str | None = None, metrics: Any = None) -> dict[str, Any]:
    """Write all that a leaderboard of classes needs and return its slice.

    images: attributes by image, with its `label`, `group` and `split`. given: (experiment, seed) -> image -> the
    probability of malignant, or None for a missing prediction.
    """
    key = files.digest(name)[:8]
    dataset, split = f"results/datasets/{key}.h5", f"results/splits/{key}.csv"
    with writing(dataset) as writer:
        for image, about in images.items():
            pixels = np.full((30, 40, 3), 99, np.uint8)
            known = {"dataset": name, "image_type": "he", "parent": image, "source_file": image, "sha256": image}
            writer.add(Field(image, pixels, None, known | {k: v for k, v in about.items() if k != "split"}))
    rows = [f"{image},{about['split']}" for image, about in images.items()]
    files.write_text(split, "\n".join(["image,split", *rows]) + "\n")
    config = {"name": name, "dataset": name, "split": "test", "published": published, "scores": [], "images": dataset}
    config["metrics"] = metrics or invented_study.METRICS
    config["dataset_facts"] = {"truth": "manual", "image_type": "he", "licence": "none", "citation": "Invented 2020"}
    config["rows"] = [_row(key, of, probabilities, config, split) for of, probabilities in given.items()]
    return config | invented_study.tables(config)


def _row(
    key: str, of: tuple[str, int], given: Mapping[str, float | None], config: Mapping[str, Any], split: str
) -> dict[str, Any]:
    experiment, seed = of
    place = f"{files.digest(experiment)[:8]}/{seed}/{key}"
    merged, metrics = f"results/merged/{place}.h5", f"results/metrics/{place}.csv"
    with create_hdf5(merged) as file:
        for image, probability in given.items():
            if probability is not None:
                values = np.array([1 - probability, probability], np.float32)
                write_array(file.create_group(image), "probabilities", values)
    settings = {"metrics": config["metrics"], "splits": ["test"], "classes": CLASSES}
    write_counts(metrics, evaluate(config["images"], split, merged, settings))
    system = experiment.split("-")[0]
    about = {"experiment": experiment, "seed": seed, "system": system, "task": invented_study.TASK, "steps": 0}
    about |= {"config": {"system": {"module": system}, "experiment": {"seed": seed}}}
    about |= {"metrics": metrics, "merged": merged, "class_maps": None}
    return about | {"run": None, "history": None, "weights": None}
