"""GlaS / Warwick-QU: glands of the colon. `<image>.bmp`, the label map `<image>_anno.bmp`, and `Grade.csv`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import csv_tables, images, members, patterns
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_IMAGE = r"(?P<id>(?:train|testA|testB)_\d+)"
_NAME, _PATIENT, _LABEL = "name", "patient ID", "grade (GlaS)"
_GRADE = "grade (Sirinukunwattana et al. 2015)"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per image, sorted, with a label per gland.

    Attributes: `part` (train, testA, testB), `label` (benign, malignant), `grade` (the finer one of 2015) and
    `patient`, which is also the group.
    """
    with members.collected(raw, receipt) as files:
        dataset = receipt["dataset"]
        pictures = patterns.by_id(files.names, rf"{_IMAGE}\.bmp", dataset)
        truths = patterns.by_id(files.names, rf"{_IMAGE}_anno\.bmp", dataset)
        patterns.refuse_orphans(truths, pictures, dataset)
        grades = _grades(files, dataset)
        for name, member in pictures.items():
            if name not in grades:
                raise KaryobenchError(f"dataset '{dataset}': Grade.csv has no row '{name}'; download it again")
            image, notes = images.read_image(files.read(member), files.where(member), record.get("intensity"))
            truth = patterns.required(truths, name, "label map", dataset)
            labels = images.read_labels(files.read(truth), files.where(truth))
            yield Field(
                name, image, labels, {"source_file": member, "part": name.split("_")[0], **grades[name], **notes}
            )


def _grades(files: Members, dataset: str) -> dict[str, dict[str, str]]:
    """Attributes of each image that Grade.csv tells."""
    table = patterns.required(patterns.by_id(files.names, r"(?P<id>Grade)\.csv", dataset), "Grade", "table", dataset)
    rows = csv_tables.records(files.read(table), files.where(table), (_NAME, _PATIENT, _LABEL, _GRADE))
    return {
        row[_NAME]: {
            "label": row[_LABEL],
            "grade": row[_GRADE],
            "patient": row[_PATIENT],
            "group": f"patient-{row[_PATIENT]}",
        }
        for row in rows
    }
