"""Raw files of a dataset to one HDF5 file of the schema."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from karyobench import files
from karyobench.datasets import receipts, regions, store
from karyobench.datasets.readers import find
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")


def ingest(record: dict[str, Any], receipt_path: Path, output: Path) -> None:
    """Read a dataset with its reader, cut it into regions where the record says so, and write `output`.

    record: the dataset's record {reader, image_type, mpp, truth, regions, ...} and its name under "dataset".
    Each image gets the attributes dataset, image_type, group, parent, box, truth, source_file, sha256 (of shape and
    pixels, whatever the file format), n_instances, mpp where known, and region_split where cut; the file gets
    dataset, truth, subset ("" for all of it), n_images and n_instances. Labels become 1..n in the reader's order.
    Raises KaryobenchError naming the dataset and an image whose truth does not fit or that occurs twice.
    """
    receipt = receipts.read(receipt_path)
    raw = receipts.checked_folder(receipt_path, receipt)
    fields = find(record["reader"])(raw, receipt, record)
    with store.create_hdf5(output) as file:
        counted = _write(store.Writer(file), _prepared(fields, record))
        file.attrs.update({**counted, "dataset": record["dataset"], "truth": record["truth"]})
        file.attrs["subset"] = receipt["subset"] or ""
    log.info("%s: %d images, %d nuclei", record["dataset"], counted["n_images"], counted["n_instances"])


def _write(writer: store.Writer, fields: Iterable[Field]) -> dict[str, int]:
    instances = []
    for item in fields:
        writer.add(item)
        instances.append(item.attributes["n_instances"])
    return {"n_images": len(instances), "n_instances": sum(instances)}


def _prepared(fields: Iterable[Field], record: dict[str, Any]) -> Iterator[Field]:
    """Checked, cut and labelled images with all their attributes, none of which occurs twice."""
    seen: dict[str, str] = {}
    whole = (_whole(field, record) for field in fields)
    for item in regions.cut(whole, record["regions"]) if record.get("regions") else whole:
        ready = _described(item)
        first = seen.setdefault(ready.attributes["sha256"], ready.id)
        if first != ready.id:
            raise KaryobenchError(
                f"dataset '{record['dataset']}': images '{first}' and '{ready.id}' have the same pixels; remove one, "
                "else the same image may be in the training and the test split"
            )
        yield ready
    if not seen:
        raise KaryobenchError(f"dataset '{record['dataset']}': the reader '{record['reader']}' found no images")


def _whole(field: Field, record: dict[str, Any]) -> Field:
    """A reader's field with the dataset's attributes; the record's image type goes before the reader's."""
    where = f"dataset '{record['dataset']}': image '{field.id}'"
    _check(field, where)
    image_type = record.get("image_type") or field.attributes.get("image_type")
    if image_type is None:
        raise KaryobenchError(f"{where}: the reader '{record['reader']}' names no image type; set `image_type`")
    about = {"dataset": record["dataset"], "truth": record["truth"], "group": field.id, "parent": field.id}
    about |= {"box": [0, 0, *field.image.shape[:2]], **field.attributes, "image_type": image_type}
    if record.get("mpp"):
        about["mpp"] = record["mpp"]
    return replace(field, attributes=about)


def _check(field: Field, where: str) -> None:
    if field.id in ("", ".") or "/" in field.id:
        raise KaryobenchError(f"{where}: this cannot be an image id; ids are not empty and hold no '/'")
    size, truth_size = field.image.shape[:2], field.instances.shape
    if truth_size != size:
        raise KaryobenchError(f"{where}: the truth has shape {truth_size}, the image {size}; correct one of the files")
    if field.instances.min() < 0:
        raise KaryobenchError(f"{where}: the truth has the negative label {field.instances.min()}; correct its file")


def _described(field: Field) -> Field:
    """The field with labels 1..n and the attributes that follow from its pixels."""
    from skimage.segmentation import relabel_sequential

    labels = relabel_sequential(field.instances)[0].astype(np.int32)
    sha256 = files.digest(repr(field.image.shape).encode() + field.image.tobytes())
    found = {"sha256": sha256, "n_instances": int(labels.max())}
    return replace(field, instances=labels, attributes={**field.attributes, **found})
