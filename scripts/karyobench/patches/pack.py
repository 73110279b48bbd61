"""Training patches in one HDF5 file: packing them, and reading them back in any order.

Groups `train` and `val`, each: `image` uint8 (N, c, c, 3), `instances` int32 (N, c, c) labelled 1..n per patch, one
chunk per patch; `origin/` with the columns image, dataset, image_type, row, column; attributes with counts.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from karyobench import files
from karyobench.datasets import splits, store
from karyobench.errors import KaryobenchError, nearest
from karyobench.patches import sampling
from karyobench.patches.tiling import grid

log = logging.getLogger("karyobench")


class Patches:
    """Random access to the patches of one group."""

    def __init__(self, group: h5py.Group) -> None:
        self._images, self._instances = group["image"], group["instances"]

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Patches in the order asked for: images uint8 (B, c, c, 3) and instances int32 (B, c, c)."""
        images = np.empty((len(indices), *self._images.shape[1:]), np.uint8)
        instances = np.empty((len(indices), *self._instances.shape[1:]), np.int32)
        for place, index in enumerate(indices):
            self._images.read_direct(images, np.s_[index], np.s_[place])
            self._instances.read_direct(instances, np.s_[index], np.s_[place])
        return images, instances


@contextmanager
def reading(path: str | Path) -> Iterator[tuple[Patches, Patches]]:
    """Open a patch file: its training and its validation patches. Raises KaryobenchError when it cannot be read."""
    with store.open_hdf5(path) as file:
        yield Patches(file["train"]), Patches(file["val"])


@dataclass(frozen=True)
class _Source:
    """An image that patches are cut from."""

    images: store.Store
    dataset: str
    id: str
    shape: tuple[int, int]
    attributes: dict[str, Any]


_Plan = list[tuple[_Source, list[tuple[int, int]]]]


def pack(
    images: Sequence[str | Path], split_files: Sequence[str | Path], output: str | Path, config: dict[str, Any]
) -> None:
    """Cut the training and validation patches of a patch set and write them to one file.

    images, split_files: datasets (store schema) and their splits, in the order of the record's `train`. config: the
    slice {"name": patch set, "patches": record}. Raises KaryobenchError when nothing can be learnt from the patches:
    no training image, an image without truth, no nucleus in any training patch.
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
        file = stack.enter_context(store.create_hdf5(output))
        file.attrs.update(
            {"name": name, "datasets": datasets, "crop": record["crop"], "config": files.canonical(record)}
        )
        nuclei = _write(file.create_group("train"), train, record["crop"])
        _write(file.create_group("val"), val, record["crop"])
        if not nuclei:
            raise KaryobenchError(
                f"patches '{name}': no nucleus in any training patch of {', '.join(datasets)}; "
                "check the truth and the split of these datasets, or cut more patches (crops_per_tile)"
            )


def _sources(listed: list[tuple[store.Store, str, dict[str, str]]], wanted: str) -> list[_Source]:
    return [
        _Source(images, dataset, image_id, images.shape(image_id), images.attributes(image_id))
        for images, dataset, parts in listed
        for image_id in sorted(parts)
        if parts[image_id] == wanted
    ]


def _training_plan(sources: list[_Source], name: str, record: dict[str, Any]) -> _Plan:
    if not sources:
        raise KaryobenchError(f"patches '{name}': no image of {', '.join(record['train'])} is in the training split")
    factors = _factors(sources, record)
    return [
        (source, _origins(source, record, record["tile"], factor * record["crops_per_tile"]))
        for source, factor in zip(sources, factors, strict=True)
    ]


def _validation_plan(sources: list[_Source], record: dict[str, Any]) -> _Plan:
    return [(source, _origins(source, record, max(source.shape), record["val_crops"])) for source in sources]


def _origins(source: _Source, record: dict[str, Any], tile: int, count: int) -> list[tuple[int, int]]:
    return sampling.origins(*source.shape, source.id, tile, record["crop"], count, record["seed"])


def _factors(sources: list[_Source], record: dict[str, Any]) -> list[int]:
    """Oversampling factor of each image."""
    rule = record.get("oversample")
    if not rule:
        return [1] * len(sources)
    values = [_value(source, rule["by"]) for source in sources]
    crops = [len(grid(*source.shape, record["tile"])) * record["crops_per_tile"] for source in sources]
    factors = sampling.oversampling(zip(values, crops, strict=True), rule["at_most"])
    log.info("oversampling by %s: %s", rule["by"], factors)
    return [factors[value] for value in values]


def _value(source: _Source, attribute: str) -> str:
    if attribute not in source.attributes:
        raise KaryobenchError(
            f"patches.oversample.by: image '{source.id}' of dataset '{source.dataset}' has no attribute '{attribute}'"
            f"{nearest(attribute, source.attributes)}"
        )
    return str(source.attributes[attribute])


def _write(group: h5py.Group, plan: _Plan, crop: int) -> int:
    """Write the patches of a plan, one image in memory at a time; the number of nuclei in them."""
    total = sum(len(origins) for _, origins in plan)
    images = store.create_array(group, "image", (total, crop, crop, 3), np.uint8, (1, crop, crop, 3))
    instances = store.create_array(group, "instances", (total, crop, crop), np.int32, (1, crop, crop))
    nuclei = []
    for source, origins in plan:
        image, truth = source.images.image(source.id), _truth(source)
        for row, column in origins:
            patch, labels = sampling.cut(image, truth, row, column, crop)
            images[len(nuclei)], instances[len(nuclei)] = patch, labels
            nuclei.append(int(labels.max()))
    _write_origins(group.create_group("origin"), plan)
    types = Counter(source.attributes["image_type"] for source, origins in plan for _ in origins)
    group.attrs.update(
        images=len(plan),
        patches=total,
        empty_patches=nuclei.count(0),
        nuclei=sum(nuclei),
        patches_by_image_type=files.canonical(types),
    )
    log.info("%s: %d patches of %d images with %d nuclei", group.name, total, len(plan), sum(nuclei))
    return sum(nuclei)


def _truth(source: _Source) -> np.ndarray:
    truth = source.images.instances(source.id)
    if truth is None:
        raise KaryobenchError(
            f"dataset '{source.dataset}': image '{source.id}' has no instance map, so nothing can be learnt from it; "
            "put it in the split 'unused'"
        )
    return truth


def _write_origins(group: h5py.Group, plan: _Plan) -> None:
    rows = [
        (source.id, source.dataset, source.attributes["image_type"], row, column)
        for source, origins in plan
        for row, column in origins
    ]
    kinds = [h5py.string_dtype()] * 3 + [np.int64] * 2
    for index, (name, kind) in enumerate(zip(("image", "dataset", "image_type", "row", "column"), kinds, strict=True)):
        group.create_dataset(name, data=[row[index] for row in rows], shape=(len(rows),), dtype=kind)
