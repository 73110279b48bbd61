"""The gallery: best, median and worst test image of an experiment, truth outline against prediction outline."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from karyobench.datasets.store import Store, open_hdf5, reading
from karyobench.reporting import overlays
from karyobench.reporting.entries import Entry, file_name
from karyobench.reporting.overlays import Box


@dataclass(frozen=True)
class Card:
    """One image of the gallery. image_file and outline_file lie below the site; shape is that of the whole image."""

    roles: str
    image: str
    image_file: str
    outline_file: str
    window: Box
    shape: tuple[int, int]
    scores: dict[str, Any]


def choose(images: pd.DataFrame) -> dict[str, str]:
    """Image id -> its roles among best, median and worst by AJI, in this order; few images share the roles.

    images: columns image and aji. Equal scores rank by image id; of an even number the lower middle is the median.
    """
    ranked = images.sort_values(["aji", "image"], ascending=[False, True])["image"].tolist()
    roles: dict[str, list[str]] = {}
    for role, place in (("best", 0), ("median", len(ranked) // 2), ("worst", -1)):
        roles.setdefault(ranked[place], []).append(role)
    return {image: " and ".join(shared) for image, shared in roles.items()}


def cards(entry: Entry, folder: Path) -> list[Card]:
    """Draw the chosen images of one entry below `folder`, the site."""
    scored = {row["image"]: row for row in entry.images.to_dict("records")}
    with reading(entry.board.config["images"]) as store, open_hdf5(entry.record["instances"]) as predictions:
        return [
            _card(entry, store, predictions, folder, image, roles, scored[image])
            for image, roles in choose(entry.images).items()
        ]


def _card(
    entry: Entry, store: Store, predictions: h5py.File, folder: Path, image: str, roles: str, scores: dict[str, Any]
) -> Card:
    board = f"gallery/{file_name(entry.board.config['name'])}"
    image_file = f"{board}/images/{file_name(image)}.png"
    outline_file = f"{board}/outlines/{file_name(entry.run.experiment)}/{file_name(image)}.png"
    truth = store.instances(image)
    window = overlays.densest_window(truth, overlays.WINDOW)
    seen = np.s_[window[0] : window[2], window[1] : window[3]]
    predicted = f"{image}/instances"
    prediction = predictions[predicted][seen] if predicted in predictions else None
    overlays.save_image(folder / image_file, store.image(image)[seen])
    overlays.save_outlines(folder / outline_file, overlays.outlines(truth[seen], prediction))
    return Card(roles, image, image_file, outline_file, window, truth.shape, scores)
