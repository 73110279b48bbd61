"""CAMELYON17: slides of lymph nodes with the outlines of metastases of breast cancer.

`patient_<nnn>_node_<n>.tif` (pyramids, as files of their own), ASAP outlines in `patient_<nnn>_node_<n>.xml`, and
`stages.csv`, which tells the stage of every slide. Ten slides of each centre have outlines: of all metastases, though
not of all isolated tumour cells.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import asap_xml, csv_tables, members, patterns, polygons, slides
from karyobench.datasets.members import Members
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

_SLIDE = r"(?P<id>patient_\d{3}_node_\d)"
_PATIENTS_PER_CENTRE = 20
_TRAINING_PATIENTS = 100
_TUMOUR, _EXCLUDED = "metastases", "normal"


def read(raw: Path, receipt: dict[str, Any], record: dict[str, Any]) -> Iterator[Field]:
    """One field per slide, sorted: its level `record["level"]`, and the metastases there as label 1.

    What the group `normal` outlines is cut out of the group `metastases`; other groups are only counted. A slide
    without outlines has no metastases where its stage is negative; else its truth is not known.
    Attributes: `group` (the patient), `centre` (0 to 4; unknown for the patients of the test set), `label` (the stage:
    negative, itc, micro, macro), `level`, `downsample`, `slide_height`, `slide_width`, `mpp` (of the level) and
    `other_annotations`. Raises KaryobenchError naming a slide that cannot be read or an outline that is no such.
    """
    if record.get("level") is None:
        raise KaryobenchError(f"dataset '{receipt['dataset']}': set `level`, the level of the slides' pyramids to read")
    with members.collected(raw, receipt) as files:
        pictures = patterns.by_id(files.names, rf"{_SLIDE}\.tif", receipt["dataset"])
        outlined = patterns.by_id(files.names, rf"{_SLIDE}\.xml", receipt["dataset"])
        patterns.refuse_orphans(outlined, pictures, receipt["dataset"])
        stages = _stages(files, receipt["dataset"])
        for name, member in pictures.items():
            level = slides.read_level(files.path(member), record["level"])
            about = {"source_file": member, **_placed(name), **_sized(level), "level": record["level"]}
            if name in stages:
                about["label"] = stages[name]
            if name in outlined:
                truth, about["other_annotations"] = _regions(files, outlined[name], level)
            else:
                truth = np.zeros(level.image.shape[:2], np.int32) if stages.get(name) == "negative" else None
            yield Field(name, level.image, truth, about)


def _stages(files: Members, dataset: str) -> dict[str, str]:
    """Stage of each slide that the table lists; it also lists patients."""
    table = patterns.by_id(files.names, r"(?P<id>stage)(?:s|_labels)\.csv", dataset).get("stage")
    if table is None:
        return {}
    rows = csv_tables.records(files.read(table), files.where(table), ("patient", "stage"))
    return {row["patient"].removesuffix(".tif"): row["stage"] for row in rows}


def _placed(name: str) -> dict[str, str]:
    patient = name[:11]
    number = int(patient[-3:])
    known = number < _TRAINING_PATIENTS
    return {"group": patient, "centre": str(number // _PATIENTS_PER_CENTRE) if known else "unknown"}


def _sized(level: slides.Level) -> dict[str, Any]:
    about = {"downsample": level.downsample, "slide_height": level.whole[0], "slide_width": level.whole[1]}
    return about if level.mpp is None else {**about, "mpp": level.mpp}


def _regions(files: Members, member: str, level: slides.Level) -> tuple[np.ndarray, int]:
    """Metastases int32 (H, W) with label 1, and the number of outlines of other groups."""
    import shapely

    groups = asap_xml.outlines(files.read(member), files.where(member))
    if _TUMOUR not in groups:
        raise KaryobenchError(
            f"{files.where(member)}: no outline is in the group '{_TUMOUR}' (groups: {sorted(groups)})"
        )
    shape = level.image.shape[:2]
    tumour, excluded = (
        polygons.rasterize([shapely.Polygon(line / level.downsample) for line in groups.get(group, [])], shape)[0] > 0
        for group in (_TUMOUR, _EXCLUDED)
    )
    others = sum(len(lines) for group, lines in groups.items() if group not in (_TUMOUR, _EXCLUDED))
    return (tumour & ~excluded).astype(np.int32), others
