"""An image file beside a label file, as listed under the record's key `pairs`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import images
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError, nearest


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """Fields of `record["pairs"]`, each {id, image, labels} with names relative to the folder of raw files."""
    for pair in record.get("pairs") or []:
        image, labels = (_listed(receipt, pair, key) for key in ("image", "labels"))
        pixels, notes = images.read_image((raw / image).read_bytes(), str(raw / image), record.get("intensity"))
        truth = images.read_labels((raw / labels).read_bytes(), str(raw / labels))
        yield Field(pair["id"], pixels, truth, {"source_file": image, **notes})


def _listed(receipt: dict[str, Any], pair: dict[str, Any], key: str) -> str:
    name = pair[key]
    if name not in receipt["files"]:
        raise KaryobenchError(
            f"dataset '{receipt['dataset']}': pair '{pair['id']}': there is no {key} file "
            f"'{name}'{nearest(name, receipt['files'])}"
        )
    return name
