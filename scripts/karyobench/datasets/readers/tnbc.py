"""Triple-negative breast cancer of Naylor et al. (2017, 2019): folders `Slide_<p>` and `GT_<p>` of PNG files.

An image and its truth have the same file name; `<p>` is the number of the patient. Version 1.0 has 11 patients, later
ones have more, among them brain tissue.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import images, masks, members, patterns
from karyobench.datasets.store import Field

_ID = r"(?P<id>\d+/[^/]+)"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted by patient and name. The truth is a mask or a label map, see `masks.instances`.

    Attributes: `patient`, the number of the folder, and `group`. Raises KaryobenchError naming an image or a truth
    without the other.
    """
    with members.collected(raw, receipt) as found:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(found.names, rf"Slide_{_ID}\.png", dataset)
        truths = patterns.by_id(found.names, rf"GT_{_ID}\.png", dataset)
        patterns.refuse_orphans(truths, pictures, dataset)
        for key, member in pictures.items():
            truth = patterns.required(truths, key, "truth", dataset)
            image, notes = images.read_image(found.read(member), found.where(member), record.get("intensity"))
            labels = images.read_labels(found.read(truth), found.where(truth))
            patient, name = key.split("/")
            notes |= {"source_file": member, "patient": patient, "group": f"patient-{patient}"}
            yield Field(name, image, masks.instances(labels), notes)
