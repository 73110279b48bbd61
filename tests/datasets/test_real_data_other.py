"""Real files of the datasets other than nuclei: what the mirror holds is read as its README and the papers say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from karyobench.datasets import archives, csv_tables, readers, vessels
from karyobench.datasets.store import Field

GLANDS = {"testA_1": 9, "testB_1": 3, "train_1": 7, "train_10": 6, "train_12": 16, "train_22": 28}
GRADES = {"train": (37, 48), "testA": (33, 27), "testB": (4, 16)}


def read(mirror: Path, name: str, file: str) -> list[Field]:
    """Fields of one archive of the mirror."""
    path = mirror / file
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    return list(readers.find(name)(path.parent, {"dataset": name, "files": {path.name: {}}}, {}))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def test_breakhis_8_images_of_7_patients(mirror: Path) -> None:
    fields = read(mirror, "breakhis", "breakhis/BreaKHis_v1_subset.zip")
    assert Counter(field.attributes["label"] for field in fields) == {"benign": 4, "malignant": 4}
    assert {field.image.shape for field in fields} == {(460, 700, 3)}
    assert {field.attributes["magnification"] for field in fields} == {400}
    assert len({field.attributes["group"] for field in fields}) == 7
    for field in fields:
        folders = field.attributes["source_file"].split("/")
        assert field.attributes["label"] in folders
        assert field.attributes["subtype"].replace("tumour", "tumor").replace(" ", "_") in folders


def test_glas_glands_and_connected_labels(mirror: Path) -> None:
    fields = read(mirror, "glas", "glas/warwick_qu_subset.zip")
    assert {field.id: int(field.instances.max()) for field in fields} == GLANDS
    for field in fields:
        assert len(np.unique(field.instances)) == GLANDS[field.id] + 1
    assert {field.id: field.attributes["part"] for field in fields}["testB_1"] == "testB"


def test_glas_grades_of_all_165_images(mirror: Path) -> None:
    """The published parts share patients: 11 of the 16 have images in two or three of them."""
    path = mirror / "glas/warwick_qu_subset.zip"
    if not path.is_file():
        pytest.skip(f"the mirror has no {path}")
    with archives.opened(path) as archive:
        table = next(name for name in archives.members(archive) if name.endswith("Grade.csv"))
        rows = csv_tables.records(archives.read(archive, table), table, ("name", "patient ID", "grade (GlaS)"))
    counted = Counter((row["name"].split("_")[0], row["grade (GlaS)"]) for row in rows)
    assert {part: (counted[part, "benign"], counted[part, "malignant"]) for part in GRADES} == GRADES
    parts: dict[str, set[str]] = {}
    for row in rows:
        parts.setdefault(row["patient ID"], set()).add(row["name"].split("_")[0])
    assert len(parts) == 16
    assert sum(len(where) > 1 for where in parts.values()) == 11


def test_chase_db1_28_images_of_14_children(mirror: Path) -> None:
    fields = read(mirror, "chase_db1", "retina/CHASEDB1.zip")
    assert len(fields) == 28
    assert {field.image.shape for field in fields} == {(960, 999, 3)}
    assert set(Counter(field.attributes["group"] for field in fields).values()) == {2}
    for field in fields:
        assert set(np.unique(field.instances)) == set(np.unique(field.layers["second"])) == {0, 1}
        assert dice(field.instances > 0, field.layers["second"] > 0) > 0.6
        view = field.layers["ignore"] == 0
        assert 0.64 < view.mean() < 0.7
        assert (field.instances[~view] > 0).sum() < 0.006 * field.instances.sum()


def test_drive_6_images(mirror: Path) -> None:
    fields = read(mirror, "drive", "retina/DRIVE.zip")
    assert [field.id for field in fields] == [
        "01_test", "10_test", "21_training", "25_training", "30_training", "37_training",
    ]  # fmt: skip
    assert {field.image.shape for field in fields} == {(584, 565, 3)}
    for field in fields:
        assert ("second" in field.layers) == (field.attributes["part"] == "test")
        if "second" in field.layers:
            assert dice(field.instances > 0, field.layers["second"] > 0) > 0.75


def test_the_field_of_view_of_drive_is_found_again(mirror: Path) -> None:
    """Its masks are not used here, but made again, as for the sets that have none."""
    for field in read(mirror, "drive", "retina/DRIVE.zip"):
        view = field.layers["ignore"] == 0
        found = vessels.field_of_view(field.image, field.id)
        assert (found & view).sum() / (found | view).sum() > 0.98
