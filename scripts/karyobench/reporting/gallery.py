"""The gallery of a leaderboard: a card per image, on which every experiment's prediction lies over the same image."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from karyobench.datasets.store import Store, open_hdf5, reading
from karyobench.reporting import overlays, truths
from karyobench.reporting.entries import Entry
from karyobench.reporting.file_names import file_name
from karyobench.reporting.overlays import Box

MOST_CARDS = 48
"""Images with a card: of H&E about 100 KB each with six experiments, of fluorescence less than half of that."""


@dataclass(frozen=True)
class Drawn:
    """One experiment's prediction on a card. Files lie below the site; errors: objects of each kind, whole image."""

    fake: bool
    prediction_file: str
    errors_file: str
    scores: dict[str, Any]
    errors: dict[str, int]


@dataclass(frozen=True)
class Card:
    """One image of the gallery. window: the part that is shown; shape: of the whole image; drawn: by experiment."""

    image: str
    image_file: str
    truth_file: str
    window: Box
    shape: tuple[int, int]
    drawn: dict[str, Drawn]

    @property
    def anchor(self) -> str:
        """The card's id on its page."""
        return f"image-{file_name(self.image)}"


def choose(images: pd.DataFrame, by: str) -> dict[str, str]:
    """Image id -> its roles among best, median and worst, in this order; few images share the roles.

    images: columns image and `by`, the higher the better. Equal scores rank by image id; of an even number the lower
    middle is the median.
    """
    ranked = images.sort_values([by, "image"], ascending=[False, True])["image"].tolist()
    roles: dict[str, list[str]] = {}
    for role, place in (("best", 0), ("median", len(ranked) // 2), ("worst", -1)):
        roles.setdefault(ranked[place], []).append(role)
    return {image: " and ".join(shared) for image, shared in roles.items()}


def with_card(firsts: Sequence[Entry], most: int = MOST_CARDS) -> list[str]:
    """Ids of the images that get a card, sorted: all if they are few.

    Otherwise the best, median and worst of every experiment, and then images evenly spread over the mean of what images
    are judged by.
    """
    by = firsts[0].board.kind.judged
    means = sum(entry.images.set_index("image")[by] for entry in firsts)
    ranked = means.reset_index().sort_values([by, "image"])["image"].tolist()
    if len(ranked) <= most:
        return sorted(ranked)
    needed = {image for entry in firsts for image in choose(entry.images, by)}
    others = [image for image in ranked if image not in needed]
    return sorted(needed | set(spread(others, most - len(needed))))


def spread(listed: Sequence[str], most: int) -> list[str]:
    """At most so many of a list, evenly spread from its first to its last."""
    if len(listed) <= most:
        return list(listed)
    return [listed[k] for k in np.linspace(0, len(listed) - 1, max(most, 0)).round().astype(int)]


def cards(firsts: Sequence[Entry], folder: Path) -> list[Card]:
    """Draw the cards of a leaderboard below `folder`, the site. firsts: the first seed of each experiment."""
    with reading(firsts[0].board.config["images"]) as store:
        return [_card(firsts, store, folder, image) for image in with_card(firsts)]


def _card(firsts: Sequence[Entry], store: Store, folder: Path, image: str) -> Card:
    place = _place(firsts[0])
    image_file, truth_file = f"{place}/images/{file_name(image)}.jpg", f"{place}/truth/{file_name(image)}.png"
    truth, shape = truths.of_image(store, image, _radius(firsts[0], image)), store.shape(image)
    window = truth.window()
    overlays.save_image(folder / image_file, overlays.cut(store.image(image), window))
    overlays.save_layer(folder / truth_file, truth.layer(window), "truth")
    drawn = {}
    for entry in firsts:
        judged = truth.judge(_prediction(entry, image, shape), window)
        drawn[entry.run.experiment] = _drawn(entry, image, judged, folder)
    return Card(image, image_file, truth_file, window, shape, drawn)


def _radius(entry: Entry, image: str) -> float | None:
    """Within what distance points match on an image, in pixels; None of objects."""
    counts = entry.run.counts
    return None if "point_radius" not in counts else float(counts.set_index("image").loc[image, "point_radius"])


def _drawn(entry: Entry, image: str, judged: truths.Judged, folder: Path) -> Drawn:
    stem = f"{_place(entry)}/systems/{file_name(entry.run.experiment)}/{file_name(image)}"
    prediction_file, errors_file = f"{stem}-prediction.png", f"{stem}-errors.png"
    overlays.save_layer(folder / prediction_file, judged.prediction, "prediction")
    overlays.save_layer(folder / errors_file, judged.errors, "right")
    scores = next(row for row in entry.images.to_dict("records") if row["image"] == image)
    return Drawn(entry.run.fake, prediction_file, errors_file, scores, judged.counted)


def _place(entry: Entry) -> str:
    return f"gallery/{file_name(entry.board.config['name'])}"


def _prediction(entry: Entry, image: str, shape: tuple[int, int]) -> np.ndarray:
    """The predicted instance map; an empty one where there is none."""
    with open_hdf5(entry.record["merged"]) as predictions:
        name = f"{image}/instances"
        return predictions[name][()] if name in predictions else np.zeros(shape, np.int32)
