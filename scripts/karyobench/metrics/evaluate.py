"""Compare predictions with the truth, image by image. The loop goes over the truth, so that no image can drop out."""

import logging
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from karyobench.datasets.classes import place
from karyobench.datasets.store import Store, open_hdf5, reading
from karyobench.errors import KaryobenchError
from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.class_scores import count_class
from karyobench.metrics.counts import TEXT_COLUMNS, count_image
from karyobench.metrics.point_scores import count_points, radius_in_pixels
from karyobench.metrics.scores import thresholds

log = logging.getLogger("karyobench")

Count = Callable[[Store, h5py.File, str, dict[str, Any]], dict[str, Any]]

_TAKE_OUT = "take it out of the split"


def evaluate(truth: str | Path, split: str | Path, merged: str | Path, config: dict[str, Any]) -> pd.DataFrame:
    """Counts of every truth image of the wanted splits, sorted by image.

    Columns: those of `metrics/counts.py`; of `metrics/class_scores.py` where config has `classes`, and of
    `metrics/point_scores.py` where an image's truth is points and no instances. truth: HDF5 of the dataset. split:
    CSV with columns image, split. merged: HDF5 with `instances` int32 (H, W) or `probabilities` (C,) per image; an
    image that it lacks is a missing prediction. config: `metrics` (of points with `point_radius`), `splits`, `classes`.
    Where the truth of an image says nothing (its layer `ignore`), neither truth nor prediction counts, and objects
    count with what lies outside; to distances these pixels are background.
    Raises KaryobenchError naming the image whose truth is absent, unassigned, or differs in shape from its prediction.
    """
    with reading(truth) as store, open_hdf5(merged) as predictions:
        split_of = _images(store, split, config["splits"])
        count = _class_counts if "classes" in config else _by_truth(store, split_of)
        rows = [
            {"image": image, **_about(store, image), "split": split_of[image]}
            | count(store, predictions, image, config)
            for image in sorted(split_of)
        ]
    counts = pd.DataFrame(rows)
    log.info("%d images counted, %d without a prediction", len(counts), counts["missing"].sum())
    return counts


def _images(store: Store, split: str | Path, wanted: Sequence[str]) -> dict[str, str]:
    """Split of each truth image that lies in a wanted one."""
    table = pd.read_csv(split, dtype=str, keep_default_na=False)
    split_of = dict(zip(table["image"], table["split"], strict=True))
    unassigned = [image for image in store.ids if image not in split_of]
    if unassigned:
        raise KaryobenchError(f"{split}: no split for image '{unassigned[0]}' of the dataset; run split again")
    chosen = {image: split_of[image] for image in store.ids if split_of[image] in wanted}
    if not chosen:
        raise KaryobenchError(f"{split}: no image of the dataset is in split {', '.join(wanted)}; nothing to evaluate")
    return chosen


def _about(store: Store, image: str) -> dict[str, str]:
    attributes = store.attributes(image)
    try:
        return {name: attributes[name] for name in TEXT_COLUMNS[1:-1]}
    except KeyError as error:
        raise KaryobenchError(f"image '{image}': the dataset lacks its attribute {error}; run ingest again") from None


def _class_counts(store: Store, predictions: h5py.File, image: str, config: dict[str, Any]) -> dict[str, Any]:
    label, classes = store.attributes(image).get("label"), config["classes"]
    place(label, classes, f"image '{image}'")
    probabilities = _prediction(predictions, image, "probabilities")
    if probabilities is not None and probabilities.shape != (len(classes),):
        raise KaryobenchError(
            f"image '{image}' in {predictions.filename}: {probabilities.shape} probabilities for the classes "
            f"{', '.join(classes)}; merge it again"
        )
    return count_class(label, probabilities, classes)


def _by_truth(store: Store, images: Collection[str]) -> Count:
    """What counts the images: by points if one has points and no instances, else by instances."""
    held = [store.holds(image) for image in images]
    return _point_counts if any("points" in names and "instances" not in names for names in held) else _counts


def _point_counts(store: Store, predictions: h5py.File, image: str, config: dict[str, Any]) -> dict[str, int | float]:
    layers, shape = store.layers(image), store.shape(image)
    if "points" not in layers:
        raise KaryobenchError(f"image '{image}' has no points, as others have, and cannot be scored; {_TAKE_OUT}")
    try:
        radius = radius_in_pixels(config["metrics"].get("point_radius"), store.attributes(image).get("mpp"))
        ignore = layers.get("ignore", np.zeros(shape, np.uint8))
        return count_points(layers["points"], _prediction(predictions, image, "instances"), radius, ignore)
    except KaryobenchError as error:
        raise KaryobenchError(f"image '{image}' in {predictions.filename}: {error}") from None


def _counts(store: Store, predictions: h5py.File, image: str, config: dict[str, Any]) -> dict[str, int | float]:
    truth = store.instances(image)
    if truth is None:
        raise KaryobenchError(f"image '{image}' has no truth and cannot be scored; {_TAKE_OUT}")
    predicted, wanted = _prediction(predictions, image, "instances"), thresholds(config["metrics"])
    ignore = store.layers(image).get("ignore")
    try:
        if ignore is None:
            return count_image(truth, predicted, wanted) | count_boundaries(truth, predicted)
        known = _known(truth, ignore), _known(predicted, ignore)
        return count_image(*known, wanted) | count_boundaries(_blanked(truth, ignore), _blanked(predicted, ignore))
    except KaryobenchError as error:
        raise KaryobenchError(f"image '{image}' in {predictions.filename}: {error}") from None


def _known(labels: np.ndarray | None, ignore: np.ndarray) -> np.ndarray | None:
    """Labels (1, K) of the K pixels that are not to be ignored; overlaps do not depend on where pixels lie."""
    if labels is not None and labels.shape != ignore.shape:
        raise KaryobenchError(f"a map of {labels.shape} pixels does not fit its `ignore` of {ignore.shape}")
    return None if labels is None else labels[ignore == 0][None]


def _blanked(labels: np.ndarray | None, ignore: np.ndarray) -> np.ndarray | None:
    """The map without what lies where pixels are to be ignored; distances do depend on where pixels lie."""
    return None if labels is None else np.where(ignore == 0, labels, 0)


def _prediction(predictions: h5py.File, image: str, kind: str) -> np.ndarray | None:
    name = f"{image}/{kind}"
    return predictions[name][()] if name in predictions else None
