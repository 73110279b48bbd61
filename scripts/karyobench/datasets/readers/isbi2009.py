"""Hand-segmented nuclei of Coelho, Shariff and Murphy (ISBI 2009): the archive of the authors' repository.

Members are `data/images/dna-images/<collection>/dna-<n>.png` and the label maps
`data/preprocessed-data/<collection>/dna-<n>.png`, below a folder or not; collections are gnf (U2OS) and ic100 (NIH3T3).
A second observer outlined the first five images of each in red, in the Photoshop files
`data/images/segmented-ashariff/<collection>/dna-<n>.psd`; they become labels as in the authors' programs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images, members, patterns
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field

_CELLS = {"gnf": "U2OS", "ic100": "NIH3T3"}
_ID = r"(?P<id>(?:gnf|ic100)/dna-\d+)"
_DISCARDED = ("gnf/dna-31", "gnf/dna-43", "ic100/dna-25")
_DOUBLY_ANNOTATED = 5
_LEAST_AREA = 32


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """Fields `gnf-<n>` and `ic100-<n>`, sorted, less the three that the paper discards: they have no label map.

    Attributes: `collection`, the cell line; `doubly_annotated`, 1 for the images on which the paper's merging
    algorithm was trained and not tested. Layer `second`: the second observer, where the archive holds it.
    Raises KaryobenchError naming an image without a label map, or a label map without an image.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, rf"data/images/dna-images/{_ID}\.png", dataset)
        labels = patterns.by_id(found.names, rf"data/preprocessed-data/{_ID}\.png", dataset)
        second = patterns.by_id(found.names, rf"data/images/segmented-ashariff/{_ID}\.psd", dataset)
        patterns.refuse_orphans(labels, pictures, dataset)
        for key, picture in pictures.items():
            if key not in _DISCARDED:
                truth = patterns.required(labels, key, "label map", dataset)
                yield _field(found, key, picture, truth, second.get(key), record)


def _field(found: Members, key: str, picture: str, truth: str, second: str | None, record: dict[str, Any]) -> Field:
    image, notes = images.read_image(found.read(picture), found.where(picture), record.get("intensity"))
    labels = images.read_labels(found.read(truth), found.where(truth))
    layers = {"second": _outlined(found, second)} if second else {}
    collection, number = key.split("/dna-")
    notes |= {"source_file": picture, "collection": _CELLS[collection]}
    notes |= {"doubly_annotated": int(int(number) < _DOUBLY_ANNOTATED)}
    return Field(f"{collection}-{number}", image, labels, notes, layers)


def _outlined(found: Members, member: str) -> np.ndarray:
    """Instance map int32 (H, W) of a drawing with red outlines: the parts of at least 32 pixels that they enclose.

    Red is where the first channel exceeds the second; parts are 4-connected, and the largest is the background.
    """
    from scipy import ndimage

    drawing, _ = images.read_image(found.read(member), found.where(member))
    parts, _ = ndimage.label(drawing[..., 0] <= drawing[..., 1])
    areas = np.bincount(parts.ravel(), minlength=2)
    kept = areas >= _LEAST_AREA
    kept[[0, 1 + areas[1:].argmax()]] = False
    return np.where(kept, kept.cumsum(), 0)[parts].astype(np.int32)
