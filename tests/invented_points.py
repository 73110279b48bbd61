"""Leaderboards of points for a site, invented: dark images, and predicted places that a test names."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import invented_study
from karyobench import files
from karyobench.datasets.store import Field, create_hdf5, write_array, writing
from karyobench.metrics.counts import write_counts
from karyobench.metrics.evaluate import evaluate

SHAPE = (60, 80)
METRICS = invented_study.METRICS | {"point_radius": {"microns": 3, "pixels": 5}}

Places = Sequence[tuple[int, int]]


def board(name: str, images: Mapping[str, Places], given: Mapping[tuple[str, int], Mapping[str, Places]]) -> Any:
    """Write all that a leaderboard of points needs and return its slice.

    images: true row and column of each image's points. given: (experiment, seed) -> image -> centres of the predicted
    objects, of 3 x 3 pixels; an image that is left out has no prediction.
    """
    key = files.digest(name)[:8]
    dataset, split = f"results/datasets/{key}.h5", f"results/splits/{key}.csv"
    with writing(dataset) as writer:
        for image, places in images.items():
            about = {"dataset": name, "image_type": "he", "parent": image, "group": image, "source_file": image}
            points = np.array(places, float).reshape(-1, 2)
            pixels = np.full((*SHAPE, 3), 99, np.uint8)
            writer.add(Field(image, pixels, None, about | {"sha256": image}, {"points": points}))
    files.write_text(split, "\n".join(["image,split", *(f"{image},test" for image in images)]) + "\n")
    config = {"name": name, "dataset": name, "split": "test", "published": None, "images": dataset, "metrics": METRICS}
    config["scores"] = []
    config["dataset_facts"] = {"truth": "manual", "image_type": "he", "licence": "none", "citation": "Invented 2020"}
    config["rows"] = [_row(key, of, places, config, split) for of, places in given.items()]
    return config | invented_study.tables(config)


def _row(key: str, of: tuple[str, int], given: Mapping[str, Places], config: Any, split: str) -> dict[str, Any]:
    experiment, seed = of
    place = f"{files.digest(experiment)[:8]}/{seed}/{key}"
    merged, metrics = f"results/merged/{place}.h5", f"results/metrics/{place}.csv"
    with create_hdf5(merged) as file:
        for image, places in given.items():
            write_array(file.create_group(image), "instances", _dots(places))
    write_counts(metrics, evaluate(config["images"], split, merged, {"metrics": METRICS, "splits": ["test"]}))
    about = {"experiment": experiment, "seed": seed, "system": experiment, "task": invented_study.TASK, "steps": 0}
    about |= {"config": {"system": {"module": experiment}, "experiment": {"seed": seed}}}
    about |= {"metrics": metrics, "merged": merged, "class_maps": None}
    return about | {"run": None, "history": None, "weights": None}


def _dots(places: Places) -> np.ndarray:
    labels = np.zeros(SHAPE, np.int32)
    for number, (row, column) in enumerate(places, 1):
        labels[row - 1 : row + 2, column - 1 : column + 2] = number
    return labels
