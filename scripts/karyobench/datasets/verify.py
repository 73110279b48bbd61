"""What ingest checks: faults that would make a score meaningless are refused, what is odd is counted, never changed."""

from collections import Counter
from typing import Any

import numpy as np

from karyobench.datasets.store import LAYERS, Field
from karyobench.errors import KaryobenchError, nearest

UNCOUNTED = ("vessels", "regions", "classes")
"""Kinds of truth without instances: one mask per image, or none."""

NO_TRUTH = "images without truth"
EMPTY = "images without objects"
SPLIT = "objects in several pieces"
GAPS = "unused labels"
OVERLAP = "overlapping pixels"
LOST = "lost objects"
REPEATED = "images repeated in a group"
BLANK = "images of one colour"
GREY = "grey images"

NOTES = {
    NO_TRUTH: "neither an instance map, nor points, nor a class",
    EMPTY: "kept, with an empty truth",
    SPLIT: "8-connected; the pieces keep one label",
    GAPS: "below the largest: gaps in the numbering, or objects without a pixel of their own; renumbered 1..n",
    OVERLAP: "claimed by more than one object; the first in the order of the files keeps them",
    LOST: "under others, beyond the border, or without area",
    REPEATED: "the same pixels; a group stays in one split, so nothing leaks",
    BLANK: "all pixels are the same",
    GREY: "three equal channels, as stored or since the file has one",
}
"""Checks in the order of reports, and what is done about their findings."""

_OF_READERS = {OVERLAP: "overlapping_pixels", LOST: "lost_objects"}


class Checks:
    """The checks of one dataset, image by image: `whole` as it is read, then `stored` as it is written."""

    def __init__(self, dataset: str, objects: str) -> None:
        self._dataset, self._objects = dataset, objects
        self._first: dict[str, tuple[str, tuple[str, str]]] = {}
        self._images: Counter[str] = Counter()
        self._amounts: Counter[str] = Counter()
        self._made: set[str] = set()

    def whole(self, field: Field) -> None:
        """Count what is odd in an image. Raises KaryobenchError naming an image that is at fault, see `refuse`."""
        refuse(field, f"dataset '{self._dataset}': image '{field.id}'")
        self._count(oddities(field, self._objects))

    def stored(self, field: Field) -> None:
        """Count an image without objects, and one that has the pixels (attribute sha256) of another in its group.

        Raises KaryobenchError naming both where such images could come to lie in different splits: they are of
        different groups, or regions that were cut for different splits.
        """
        about = field.attributes
        place = (str(about["group"]), about.get("region_split", ""))
        first, first_place = self._first.setdefault(about["sha256"], (field.id, place))
        if first_place != place:
            raise KaryobenchError(
                f"dataset '{self._dataset}': images '{first}' and '{field.id}' have the same pixels; remove one, "
                "else the same image may be in the training and the test split"
            )
        self._count({REPEATED: int(first != field.id)})
        if "n_instances" in about:
            self._count({EMPTY: int(about["n_instances"] == 0)})

    def report(self) -> list[dict[str, Any]]:
        """The checks made, in a fixed order, each as {check, images, amount, note}: images concerned, amount in all."""
        return [
            {"check": name, "images": self._images[name], "amount": self._amounts[name], "note": note}
            for name, note in NOTES.items()
            if name in self._made
        ]

    def _count(self, found: dict[str, int]) -> None:
        self._made.update(found)
        self._amounts.update(found)
        self._images.update(name for name, amount in found.items() if amount)


def refuse(field: Field, where: str) -> None:
    """Raise KaryobenchError, beginning with `where`, on an image or truth that cannot be what it claims to be.

    These are: an id that is no name, an image that is not uint8 (H, W, 3), a label map or layer of another shape or
    type than `store.Field` says, negative labels, points outside the image.
    """
    if field.id in ("", ".") or "/" in field.id:
        raise KaryobenchError(f"{where}: this cannot be an image id; ids are not empty and hold no '/'")
    image = field.image
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise KaryobenchError(
            f"{where}: the image is {image.dtype} {image.shape}, not uint8 (H, W, 3); mend its reader"
        )
    size = image.shape[:2]
    if field.instances is not None:
        _refuse_labels(field.instances, size, f"{where}: the truth")
    for name, layer in field.layers.items():
        if name not in LAYERS:
            raise KaryobenchError(f"{where}: there is no layer '{name}'{nearest(name, LAYERS)}")
        _refuse_layer(name, layer, size, f"{where}: its layer '{name}'")


def oddities(field: Field, objects: str) -> dict[str, int]:
    """Amount of each thing that was looked for in one image as it is read; zeros tell that a check was made."""
    image, labels = field.image, field.instances
    known = labels is not None or "points" in field.layers or "label" in field.attributes
    found = {NO_TRUTH: int(not known)}
    found[GREY] = int(np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(image[..., 1], image[..., 2]))
    found[BLANK] = int((image == image[0, 0]).all())
    found |= {check: int(field.attributes[key]) for check, key in _OF_READERS.items() if key in field.attributes}
    if labels is not None and objects not in UNCOUNTED:
        found[SPLIT], found[GAPS] = split_and_unused(labels)
    return found


def split_and_unused(labels: np.ndarray) -> tuple[int, int]:
    """Number of labels whose pixels are not 8-connected, and of labels below the largest that no pixel has.

    labels: integers (H, W), 0 background. One pass over the map, whatever the number of objects.
    """
    from skimage.measure import label

    pieces, count = label(labels, connectivity=2, return_num=True)
    owner = np.zeros(count + 1, labels.dtype)
    owner[pieces] = labels
    used, times = np.unique(owner[1:], return_counts=True)
    return int((times > 1).sum()), int(used.max(initial=0)) - len(used)


def _refuse_labels(labels: np.ndarray, size: tuple[int, int], what: str) -> None:
    if labels.shape != size:
        raise KaryobenchError(f"{what} has shape {labels.shape}, the image {size}; correct one of the files")
    if not np.issubdtype(labels.dtype, np.integer):
        raise KaryobenchError(f"{what} is {labels.dtype}; labels are integers, one per object; correct its file")
    if labels.min() < 0:
        raise KaryobenchError(f"{what} has the negative label {labels.min()}; correct its file")


def _refuse_layer(name: str, layer: np.ndarray, size: tuple[int, int], what: str) -> None:
    if name != "points":
        _refuse_labels(layer, size, what)
        if name == "ignore" and layer.max() > 1:
            raise KaryobenchError(f"{what} holds {layer.max()}; it is 1 where the truth says nothing, otherwise 0")
    elif layer.ndim != 2 or layer.shape[1] != 2:
        raise KaryobenchError(f"{what} has shape {layer.shape}, not (N, 2), a row and a column each; mend its reader")
    else:
        outside = layer[~((layer >= 0) & (layer < size)).all(axis=1)]
        if len(outside):
            raise KaryobenchError(f"{what} has a point at {outside[0].tolist()}, outside the image {size}")
