"""The truth of an image as the gallery draws it, and how it judges a prediction: outlined objects, or points."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from karyobench.datasets.store import Store
from karyobench.metrics.contingency import contingency
from karyobench.metrics.mistakes import mistake_counts
from karyobench.metrics.points import centres, known_points, matched
from karyobench.reporting import overlays
from karyobench.reporting.overlays import Box


class Judged(NamedTuple):
    """Layers of a window, uint8 palette indices, and what the errors of the whole image number, by kind."""

    prediction: np.ndarray
    errors: np.ndarray
    counted: dict[str, int]


@dataclass(frozen=True)
class Outlined:
    """True objects: an instance map (H, W). known: bool (H, W), where the truth says something; all else is 0."""

    labels: np.ndarray
    known: np.ndarray

    def window(self) -> Box:
        """The part that is shown."""
        return overlays.densest_window(self.labels, overlays.WINDOW)

    def layer(self, window: Box) -> np.ndarray:
        """The truth of a window."""
        return overlays.outlines(overlays.cut(self.labels, window))

    def judge(self, predicted: np.ndarray, window: Box) -> Judged:
        """What a predicted instance map (H, W) looks like, and how it is wrong."""
        predicted = np.where(self.known, predicted, 0)
        table = contingency(self.labels, predicted)
        return Judged(
            overlays.outlines(overlays.cut(predicted, window)),
            overlays.errors(self.labels, predicted, table, window),
            dict(zip(overlays.ERRORS, mistake_counts(table), strict=True)),
        )


@dataclass(frozen=True)
class Pointed:
    """True points (N, 2), which match predicted ones within a radius in pixels. known: as in `Outlined`."""

    points: np.ndarray
    known: np.ndarray
    radius: float

    def window(self) -> Box:
        """The part that is shown."""
        marked = np.zeros(self.known.shape, np.uint8)
        marked[tuple(self.points.astype(int).T)] = 1
        return overlays.densest_window(marked, overlays.WINDOW)

    def layer(self, window: Box) -> np.ndarray:
        """The truth of a window."""
        return overlays.marks({"line": self.points}, window)

    def judge(self, predicted: np.ndarray, window: Box) -> Judged:
        """As `Outlined.judge`; a predicted object is the point at its centre."""
        found = centres(np.where(self.known, predicted, 0))
        pairs = matched(self.points, found, self.radius)
        missed, false = np.delete(self.points, pairs.truth, axis=0), np.delete(found, pairs.predicted, axis=0)
        right = found[pairs.predicted]
        return Judged(
            overlays.marks({"line": found}, window),
            overlays.marks({"line": right, "missed": missed, "false": false}, window),
            {"right": len(right), "missed": len(missed), "false": len(false)},
        )


def of_image(store: Store, image: str, radius: float | None) -> Outlined | Pointed:
    """The truth of an image: points where a radius is given."""
    layers = store.layers(image)
    ignore = layers.get("ignore", np.zeros(store.shape(image), np.uint8))
    if radius is None:
        return Outlined(np.where(ignore == 0, store.instances(image), 0), ignore == 0)
    return Pointed(known_points(layers["points"], ignore), ignore == 0, radius)
