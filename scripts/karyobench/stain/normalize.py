"""Normalise the H&E images of a dataset to a reference image; pass everything else unchanged, with the reason."""

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import splits, store
from karyobench.errors import KaryobenchError, nearest
from karyobench.stain import PARAMETERS, density, macenko, reinhard, vahadane

log = logging.getLogger("karyobench")

HE = "he"
NORMALISED = "normalised"

_Fit = Callable[[np.ndarray], Any]


@dataclass(frozen=True)
class Method:
    """One way to normalise.

    fit(image, **parameters): the stains of an image, a dataclass of arrays; raises density.Unfit where it has none.
    transform(image, source, reference): uint8 (H, W, 3). statistics(fit): float64 vector, for the median reference.
    """

    fit: Callable[..., Any]
    transform: Callable[[np.ndarray, Any, Any], np.ndarray]
    statistics: Callable[[Any], np.ndarray]


METHODS = {
    "macenko": Method(macenko.fit, density.transform, density.statistics),
    "reinhard": Method(reinhard.fit, reinhard.transform, reinhard.statistics),
    "vahadane": Method(vahadane.fit, vahadane.transform, density.statistics),
}
"""Registered methods; a new one is one entry here and one in PARAMETERS of the package."""


def normalize(
    dataset: str | Path, reference: str | Path, reference_split: str | Path, output: str | Path, config: dict[str, Any]
) -> None:
    """Write a dataset again with its H&E images normalised; truth and attributes are copied.

    dataset, reference: files of the store's schema. reference_split: split of the reference dataset. config: the slice
    {"name": stain, "stain": record}. Each image gains the attributes `stain` and `stain_note`, the file also the
    method, its parameters, the id of the reference image and its stains. Raises KaryobenchError on a bad slice or
    when no reference can be had.
    """
    name, record = config["name"], config["stain"]
    method, fit = method_of(record)
    chosen, stains = choose_reference(reference, reference_split, record["reference"], fit, method.statistics)
    log.info("stain %s: the reference is image '%s' of %s", name, chosen, reference)
    with store.reading(dataset) as source:
        about = source.about | _about(name, record, chosen, stains)
        with store.writing(output, about) as writer:
            for image_id in source.ids:
                item = source.field(image_id)
                writer.add(normalised(item, name, lambda image: method.transform(image, fit(image), stains)))


def normalised(item: store.Field, stain: str, rebuild: Callable[[np.ndarray], np.ndarray]) -> store.Field:
    """The field with its image rebuilt, or with its image as it is and the reason in the attribute `stain_note`.

    rebuild: uint8 (H, W, 3) to the same; raises density.Unfit where an image has no stains.
    """
    image, note = item.image, NORMALISED
    image_type = item.attributes["image_type"]
    if image_type != HE:
        note = f"passed unchanged: image type is {image_type}, not {HE}"
    else:
        try:
            image = rebuild(item.image)
        except density.Unfit as reason:
            note = f"passed unchanged: {reason}"
    log.info("image '%s': %s", item.id, note)
    return replace(item, image=image, attributes=item.attributes | {"stain": stain, "stain_note": note})


def choose_reference(
    reference: str | Path, split_file: str | Path, choice: dict[str, Any], fit: _Fit, statistics: Callable
) -> tuple[str, Any]:
    """Id and stains of the reference image: the one that `choice` names under `image`, or else the median one.

    The median reference is the H&E training image whose statistics lie nearest, in Euclidean distance, to their median
    over all H&E training images; ties go to the first id. Raises KaryobenchError when the named image has no stains,
    or no training image has any.
    """
    with store.reading(reference) as images:
        if "image" in choice:
            return choice["image"], _named(images, reference, choice["image"], fit)
        fits = _training_fits(images, splits.read(split_file), fit)
    if not fits:
        raise KaryobenchError(
            f"{reference}: none of its training images of type {HE} can be the stain reference; "
            "choose another reference dataset or name an image (stains.<name>.reference)"
        )
    vectors = np.array([statistics(stains) for stains in fits.values()])
    distances = np.linalg.norm(vectors - np.median(vectors, axis=0), axis=1)
    chosen = list(fits)[distances.round(9).argmin()]
    return chosen, fits[chosen]


def _named(images: store.Store, path: str | Path, image_id: str, fit: _Fit) -> Any:
    image_type = images.attributes(image_id)["image_type"]
    if image_type != HE:
        raise KaryobenchError(f"{path}: reference image '{image_id}' is of type {image_type}, not {HE}; name another")
    try:
        return fit(images.image(image_id))
    except density.Unfit as reason:
        raise KaryobenchError(f"{path}: image '{image_id}' cannot be the stain reference: {reason}") from None


def _training_fits(images: store.Store, parts: dict[str, str], fit: _Fit) -> dict[str, Any]:
    fits = {}
    for image_id in images.ids:
        if parts.get(image_id) == "train" and images.attributes(image_id)["image_type"] == HE:
            try:
                fits[image_id] = fit(images.image(image_id))
            except density.Unfit as reason:
                log.info("image '%s' cannot be the stain reference: %s", image_id, reason)
    return fits


def method_of(record: dict[str, Any]) -> tuple[Method, _Fit]:
    """The method that a stain's record names, and its fit with the record's parameters."""
    name = record["method"]
    if name not in METHODS:
        raise KaryobenchError(f"stain: unknown method '{name}'{nearest(name, METHODS)}")
    method = METHODS[name]
    given = {key: value for key, value in record.items() if key not in ("method", "reference")}
    if set(given) != set(PARAMETERS[name]):
        taken, keys = (", ".join(sorted(parameters)) or "nothing" for parameters in (PARAMETERS[name], given))
        raise KaryobenchError(f"stain: method '{name}' takes {taken}; given: {keys}")
    return method, partial(method.fit, **given)


def _about(name: str, record: dict[str, Any], chosen: str, stains: Any) -> dict[str, Any]:
    parameters = {key: value for key, value in record.items() if key != "reference"}
    facts = {**parameters, "reference_dataset": record["reference"]["dataset"], "reference": chosen, **asdict(stains)}
    return {"stain": name, **{f"stain_{key}": value for key, value in facts.items()}}
