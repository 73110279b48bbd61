"""Splits of real images: what the readers tell of them is what the published rules need."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from karyobench.datasets import lists, readers, splits, store
from karyobench.datasets.split import split


def described(mirror: Path, reader: str, archive: str, path: Path) -> dict[str, dict[str, Any]]:
    """Write a dataset of 1 x 1 images with the attributes of an archive's images; these attributes by image id."""
    receipt = {"dataset": reader, "files": {archive: {}}}
    attributes = {}
    with store.writing(path / "d.h5") as writer:
        for field in readers.find(reader)(mirror, receipt, {}):
            about = {"group": field.id, "parent": field.id, **field.attributes}
            attributes[field.id] = about | {"n_instances": len(np.unique(field.instances)) - 1}
            writer.add(store.Field(field.id, np.zeros((1, 1, 3), np.uint8), None, attributes[field.id]))
    return attributes


def test_the_doubly_annotated_images_of_isbi2009_are_never_tested_on(mirror: Path, tmp_path: Path) -> None:
    archive = "isbi2009/Coelho2009_ISBI_NuclearSegmentation.zip"
    attributes = described(mirror, "isbi2009", archive, tmp_path)
    free = {image for image, about in attributes.items() if not about["doubly_annotated"]}
    assert 0 < len(free) < len(attributes)
    record = {"kind": "folds", "folds": 5, "by": "collection", "val": 0.2, "train_only": {"doubly_annotated": 1}}
    tested: list[set[str]] = []
    for fold in range(1, 6):
        split(record | {"fold": fold}, tmp_path / "d.h5", tmp_path / "d.csv")
        found = splits.read(tmp_path / "d.csv")
        tested.append({image for image, part in found.items() if part == "test"})
        assert {found[image] for image in attributes.keys() - free} == {"train"}
        assert {attributes[image]["collection"] for image in tested[-1]} == {"U2OS", "NIH3T3"}
    assert sorted(image for fold in tested for image in fold) == sorted(free)


def test_chase_db1_as_published(mirror: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The two eyes of a child stay together, in the published test images and in the validation images."""
    attributes = described(mirror, "chase_db1", "retina/CHASEDB1.zip", tmp_path)
    record = {"kind": "published", "list": "chase_db1", "val": 0.2, "seed": 0}
    split(record, tmp_path / "d.h5", tmp_path / "d.csv", lists.path("chase_db1"))
    found = splits.read(tmp_path / "d.csv")
    assert Counter(found.values()) == {"train": 16, "val": 4, "test": 8}
    parts = defaultdict(set)
    for image, part in found.items():
        parts[attributes[image]["group"]].add(part)
    assert len(parts) == 14
    assert all(len(part) == 1 for part in parts.values())
    assert "scores may be too high" not in caplog.text
