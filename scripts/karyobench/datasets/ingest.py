"""Raw files of a dataset to one HDF5 file of the schema."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from karyobench import files
from karyobench.datasets import classes, image_types, receipts, regions, store
from karyobench.datasets.readers import find
from karyobench.datasets.store import Field
from karyobench.datasets.summary import summarise
from karyobench.datasets.verify import Checks
from karyobench.errors import KaryobenchError

log = logging.getLogger("karyobench")

_LAYERS = {"ignore": np.uint8, "second": np.int32, "points": np.float64}
_Attributes = dict[str, dict[str, Any]]


def ingest(record: dict[str, Any], receipt_path: Path, output: Path, summary_path: Path) -> None:
    """Read a dataset with its reader, cut it into regions where the record says so, and write `output`.

    record: the dataset's record {reader, image_type, mpp, truth, objects, classes, counts, regions, ...} and its name
    under "dataset". Each image gets the attributes dataset, image_type, group, parent, box, truth, source_file, sha256
    (of shape and pixels, whatever the file format), n_instances (labels, or else points; none where the truth is a
    class), mpp where known, and region_split where cut; the file gets dataset, truth, objects, subset ("" for all of
    it), n_images and n_instances. Labels become 1..n in the reader's order.
    Where image_type is `kmeans`, images are typed when all are read, by the attribute `colour_statistics` (see
    image_types; of the image unless the reader gives it), and a type that the reader names is kept as
    `image_type_known`. The JSON file `summary_path` tells counts, sizes and what `verify` found, see `summary`.
    Raises KaryobenchError naming the dataset and an image whose truth does not fit, that is of none of the `classes`,
    or that occurs twice.
    """
    receipt = receipts.read(receipt_path)
    raw = receipts.checked_folder(receipt_path, receipt)
    fields = find(record["reader"])(raw, receipt, record)
    checks = Checks(record["dataset"], record.get("objects", "nuclei"))
    with store.create_hdf5(output) as file:
        images = _write(store.Writer(file), _prepared(fields, record, checks))
        if not images:
            raise KaryobenchError(f"dataset '{record['dataset']}': the reader '{record['reader']}' found no images")
        if record.get("image_type") == image_types.KMEANS:
            _name_types(file, images)
        store.write_attributes(file, _about(record, receipt, images))
        found = summarise(record, receipt["subset"] or "", images, checks.report())
        files.write_json(summary_path, found)
    _tell(found)


def _write(writer: store.Writer, fields: Iterable[Field]) -> _Attributes:
    """Write the images as they come; their attributes."""
    written = {}
    for item in fields:
        writer.add(item)
        written[item.id] = item.attributes
    return written


def _prepared(fields: Iterable[Field], record: dict[str, Any], checks: Checks) -> Iterator[Field]:
    """Checked, cut and labelled images with all their attributes, of which no two may leak into one another's split."""
    whole = (_whole(field, record, checks) for field in fields)
    for item in regions.cut(whole, record["regions"]) if record.get("regions") else whole:
        ready = _described(item)
        if record.get("image_type") == image_types.KMEANS and "colour_statistics" not in ready.attributes:
            ready.attributes["colour_statistics"] = image_types.statistics(ready.image).tolist()
        checks.stored(ready)
        yield ready


def _whole(field: Field, record: dict[str, Any], checks: Checks) -> Field:
    """A reader's field with the dataset's attributes; the record's image type goes before the reader's."""
    checks.whole(field)
    if "classes" in record:
        where = f"dataset '{record['dataset']}': image '{field.id}'"
        classes.place(field.attributes.get("label"), record["classes"], where)
    about = {"dataset": record["dataset"], "truth": record["truth"], "group": field.id, "parent": field.id}
    about |= {"box": [0, 0, *field.image.shape[:2]], **field.attributes}
    named = about.pop("image_type", None)
    if record.get("image_type") == image_types.KMEANS:
        about |= {"image_type_known": named} if named else {}
    elif record.get("image_type") or named:
        about["image_type"] = record.get("image_type") or named
    else:
        raise KaryobenchError(
            f"dataset '{record['dataset']}': image '{field.id}': the reader '{record['reader']}' names no image type; "
            "set `image_type`"
        )
    if record.get("mpp"):
        about["mpp"] = record["mpp"]
    return replace(field, attributes=about)


def _described(field: Field) -> Field:
    """The field with labels 1..n and the attributes that follow from its pixels."""
    from skimage.segmentation import relabel_sequential

    labels = field.instances
    about = {**field.attributes, "sha256": files.digest(repr(field.image.shape).encode() + field.image.tobytes())}
    if labels is not None:
        # Decoders give arrays that may not be written to, which scikit-image refuses.
        labels = relabel_sequential(np.require(labels, requirements="W"))[0].astype(np.int32)
        about["n_instances"] = int(labels.max())
    elif "points" in field.layers:
        about["n_instances"] = len(field.layers["points"])
    layers = {name: layer.astype(_LAYERS[name]) for name, layer in field.layers.items()}
    return replace(field, instances=labels, attributes=about, layers=layers)


def _name_types(file: h5py.File, images: _Attributes) -> None:
    """Type all images by their colours, in the file and in `images`."""
    statistics = {image_id: np.array(about["colour_statistics"]) for image_id, about in images.items()}
    for image_id, kind in image_types.named(statistics).items():
        images[image_id]["image_type"] = kind
        store.write_attributes(file[image_id], {"image_type": kind})


def _about(record: dict[str, Any], receipt: dict[str, Any], images: _Attributes) -> dict[str, Any]:
    """Attributes of the whole file."""
    return {
        "dataset": record["dataset"],
        "truth": record["truth"],
        "objects": record.get("objects", "nuclei"),
        "subset": receipt["subset"] or "",
        "n_images": len(images),
        "n_instances": sum(about.get("n_instances", 0) for about in images.values()),
    }


def _tell(found: dict[str, Any]) -> None:
    """Log the counts, and what is odd or differs from what is published."""
    total = found["rows"][0]
    counted = "" if total["objects"] is None else f", {total['objects']} {found['objects']}"
    log.info("%s: %d images%s", found["dataset"], total["images"], counted)
    for check in found["checks"]:
        if check["images"]:
            log.info("  %s: %d in %d images (%s)", check["check"], check["amount"], check["images"], check["note"])
    for stated in found["published"]:
        if stated["why"]:
            log.info("  %s: %s, published are %s: %s", *(stated[k] for k in ("what", "found", "stated", "why")))
    if found["typing"]:
        log.info("  image types, known: named: %s", found["typing"]["confusion"])
