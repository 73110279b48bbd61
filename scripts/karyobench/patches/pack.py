"""Training patches in one HDF5 file: which to cut from which image, and packing them.

Groups `train` and `val`, each with the arrays of `codecs.Writer`: images with instance maps, or, where the truth of
the datasets is a class per image, with `label` int32 (N,), places in the attribute `classes`. `origin/` has the columns
image, dataset, image_type, row, column; the attributes count what is there.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from karyobench import files
from karyobench.datasets import splits, store
from karyobench.datasets.classes import place
from karyobench.errors import KaryobenchError, nearest
from karyobench.patches import sampling
from karyobench.patches.codecs import Writer

log = logging.getLogger("karyobench")

_INSTANCES, _LABEL = "instance maps", "class labels"


@dataclass(frozen=True)
class _Source:
    """An image that patches are cut from."""

    images: store.Store
    dataset: str
    id: str
    shape: tuple[int, int]
    attributes: dict[str, Any]
    holds: set[str]


_Plan = list[tuple[_Source, list[tuple[int, int]]]]


def pack(
    images: Sequence[str | Path], split_files: Sequence[str | Path], output: str | Path, config: dict[str, Any]
) -> None:
    """Cut the training and validation patches of a patch set and write them to one file.

    images, split_files: datasets (store schema) and their splits, in the order of the record's `train`. config: the
    slice {"name": patch set, "patches": record} and, where the truth is a class per image, "classes", the names in the
    order of the labels. Raises KaryobenchError when nothing can be learnt from the patches: no training image, an image
    without truth or of a class that is not listed, truths of two kinds, no nucleus in any training patch.
    """
    name, record = config["name"], config["patches"]
    datasets = record["train"]
    if not len(images) == len(split_files) == len(datasets):
        raise KaryobenchError(
            f"patches '{name}' train on {len(datasets)} datasets, but {len(images)} image files and "
            f"{len(split_files)} splits are given; give one of each per dataset, in the order of `train`"
        )
    with ExitStack() as stack:
        stores = [stack.enter_context(store.reading(path)) for path in images]
        listed = list(zip(stores, datasets, map(splits.read, split_files), strict=True))
        train = _training_plan(_sources(listed, "train"), name, record)
        val = _validation_plan(_sources(listed, "val"), record)
        content = _content([source for source, _ in train + val], name, config.get("classes", ()))
        file = stack.enter_context(store.create_hdf5(output))
        about = {"name": name, "datasets": datasets, "crop": record["crop"], "config": files.canonical(record)}
        store.write_attributes(file, about)
        _write(file.create_group("train"), train, record, content)
        _write(file.create_group("val"), val, record, content)
        if not file["train"].attrs.get("nuclei", 1):
            raise KaryobenchError(
                f"patches '{name}': no nucleus in any training patch of {', '.join(datasets)}; "
                "check the truth and the split of these datasets, or cut more patches (crops_per_tile)"
            )


# ---------------------------------------------------------------------- the plan


def _sources(listed: list[tuple[store.Store, str, dict[str, str]]], wanted: str) -> list[_Source]:
    return [
        _Source(images, dataset, image, images.shape(image), images.attributes(image), images.holds(image))
        for images, dataset, parts in listed
        for image in sorted(parts)
        if parts[image] == wanted
    ]


def _training_plan(sources: list[_Source], name: str, record: dict[str, Any]) -> _Plan:
    if not sources:
        raise KaryobenchError(f"patches '{name}': no image of {', '.join(record['train'])} is in the training split")
    rule = record.get("oversample")
    values = [_value(source, rule["by"]) for source in sources] if rule else []
    counts = sampling.crops([source.shape for source in sources], record, values)
    return [
        (source, _origins(source, record, record["tile"], of_tiles))
        for source, of_tiles in zip(sources, counts, strict=True)
    ]


def _validation_plan(sources: list[_Source], record: dict[str, Any]) -> _Plan:
    plan = []
    for source in sources:
        tile = max(source.shape)
        count = sampling.distinct(*source.shape, tile, record["crop"], record["val_crops"])
        plan.append((source, _origins(source, record, tile, count)))
    return plan


def _origins(source: _Source, record: dict[str, Any], tile: int, counts: list[int]) -> list[tuple[int, int]]:
    return sampling.origins(*source.shape, source.id, tile, record["crop"], counts, record["seed"])


def _value(source: _Source, attribute: str) -> str:
    if attribute not in source.attributes:
        raise KaryobenchError(
            f"patches.oversample.by: image '{source.id}' of dataset '{source.dataset}' has no attribute '{attribute}'"
            f"{nearest(attribute, source.attributes)}"
        )
    return str(source.attributes[attribute])


# ---------------------------------------------------------------------- what each patch has


@dataclass(frozen=True)
class _Content:
    """What each patch of a set has beside its image: layers, or one of the classes."""

    layers: tuple[str, ...]
    classes: tuple[str, ...]


def _content(sources: list[_Source], name: str, classes: Sequence[str]) -> _Content:
    kinds = {_kind(source): source.dataset for source in sources}
    if len(kinds) > 1:
        raise KaryobenchError(
            f"patches '{name}': dataset '{kinds[_INSTANCES]}' has {_INSTANCES}, dataset '{kinds[_LABEL]}' has "
            f"{_LABEL}; a system learns from one of them, so make a patch set of each"
        )
    if _LABEL in kinds and not classes:
        raise KaryobenchError(
            f"patches '{name}': the images of dataset '{kinds[_LABEL]}' have {_LABEL}; set its `objects` to classes "
            "and list its `classes`"
        )
    layers = ("instances",) if _INSTANCES in kinds else ()
    if any("ignore" in source.holds for source in sources):
        layers += ("ignore",)
    return _Content(layers, tuple(classes) if _LABEL in kinds else ())


def _kind(source: _Source) -> str:
    """What the truth of an image is. Raises KaryobenchError where there is none to learn from."""
    if "instances" in source.holds:
        return _INSTANCES
    if "label" in source.attributes:
        return _LABEL
    where = f"dataset '{source.dataset}': image '{source.id}'"
    if "points" in source.holds:
        raise KaryobenchError(
            f"{where} has the centres of its objects alone, neither an instance map nor a class label, so no patch "
            "can be cut from it; leave the dataset out of `train`"
        )
    raise KaryobenchError(
        f"{where} has no instance map and no class label, so nothing can be learnt from it; "
        "put it in the split 'unused'"
    )


# ---------------------------------------------------------------------- writing


def _write(group: h5py.Group, plan: _Plan, record: dict[str, Any], content: _Content) -> None:
    """Write the patches of a plan, one image in memory at a time, and count what is in them."""
    crop, total = record["crop"], sum(len(origins) for _, origins in plan)
    writer = Writer(group, record["codec"], total, crop, content.layers)
    nuclei = []
    for source, origins in plan:
        arrays = _arrays(source, content.layers)
        for row, column in origins:
            patch = _cut(arrays, row, column, crop)
            writer.add(**patch)
            nuclei.append(int(patch["instances"].max()) if "instances" in patch else 0)
    _write_origins(group.create_group("origin"), plan)
    about = {"images": len(plan), "patches": total, "patches_by_image_type": _counted(plan, "image_type")}
    store.write_attributes(group, about)
    if content.classes:
        _write_labels(group, plan, content.classes)
    else:
        store.write_attributes(group, {"empty_patches": nuclei.count(0), "nuclei": sum(nuclei)})
    log.info("%s: %d patches of %d images with %d nuclei", group.name, total, len(plan), sum(nuclei))


def _cut(arrays: dict[str, np.ndarray], row: int, column: int, crop: int) -> dict[str, np.ndarray]:
    cutters = {"instances": sampling.cut_instances}
    return {name: cutters.get(name, sampling.cut)(array, row, column, crop) for name, array in arrays.items()}


def _arrays(source: _Source, layers: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Image and layers of a source; nothing is ignored where the source does not say so."""
    arrays = {"image": source.images.image(source.id)}
    if "instances" in layers:
        arrays["instances"] = source.images.instances(source.id)
    if "ignore" in layers:
        arrays["ignore"] = source.images.layers(source.id).get("ignore", np.zeros(source.shape, np.uint8))
    return arrays


def _counted(plan: _Plan, attribute: str) -> str:
    """Canonical JSON of the number of patches by the value of an attribute."""
    return files.canonical(Counter(source.attributes[attribute] for source, origins in plan for _ in origins))


def _write_labels(group: h5py.Group, plan: _Plan, classes: tuple[str, ...]) -> None:
    labels = [_place(source, classes) for source, origins in plan for _ in origins]
    group.create_dataset("label", data=np.array(labels, np.int32))
    store.write_attributes(group, {"classes": classes, "patches_by_label": _counted(plan, "label")})


def _place(source: _Source, classes: tuple[str, ...]) -> int:
    return place(source.attributes["label"], classes, f"dataset '{source.dataset}': image '{source.id}'")


def _write_origins(group: h5py.Group, plan: _Plan) -> None:
    rows = [
        (source.id, source.dataset, source.attributes["image_type"], row, column)
        for source, origins in plan
        for row, column in origins
    ]
    kinds = [h5py.string_dtype()] * 3 + [np.int64] * 2
    for index, (name, kind) in enumerate(zip(("image", "dataset", "image_type", "row", "column"), kinds, strict=True)):
        group.create_dataset(name, data=[row[index] for row in rows], shape=(len(rows),), dtype=kind)
