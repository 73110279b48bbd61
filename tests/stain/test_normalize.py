"""The step: which image is the reference, what passes unchanged and why, and that nothing else is touched."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.errors import KaryobenchError
from karyobench.stain import macenko
from karyobench.stain.normalize import normalised, normalize

ROOT = Path(__file__).resolve().parents[2]
RECORD = {"method": "macenko", "beta": 0.15, "alpha": 1, "reference": {"dataset": "lab", "choose": "median"}}


def field(image_id: str, image: np.ndarray, image_type: str = "he") -> store.Field:
    truth = np.arange(image.shape[0] * image.shape[1], dtype=np.int32).reshape(image.shape[:2])
    return store.Field(image_id, image, truth, {"dataset": "lab", "image_type": image_type, "mpp": 0.5})


@pytest.fixture
def lab(tmp_path, painted, stains, other_stains):
    """Function (fields, {image: split}) -> paths of a dataset and its split."""

    def write(fields: list[store.Field], splits: dict[str, str]) -> tuple[Path, Path]:
        with store.writing(tmp_path / "lab.h5", {"dataset": "lab"}) as writer:
            for item in fields:
                writer.add(item)
        rows = [f"{image},{split},{image},he" for image, split in splits.items()]
        (tmp_path / "lab.csv").write_text("\n".join(["image,split,group,stratum", *rows]) + "\n")
        return tmp_path / "lab.h5", tmp_path / "lab.csv"

    return write


def run(lab: tuple[Path, Path], record: dict = RECORD) -> Path:
    output = lab[0].with_name("out.h5")
    normalize(lab[0], *lab, output, {"name": "macenko-lab", "stain": record})
    return output


def test_median_is_the_most_typical_training_image(lab, painted, stains, other_stains):
    strengths = {"pale": 0.8, "middling": 1.0, "strong": 1.7, "test-middling": 1.0, "blank": 1.0}
    fields = [field(name, painted(stains, strength)) for name, strength in strengths.items()]
    fields[-1] = field("blank", np.full((120, 120, 3), 250, np.uint8))
    fields.append(field("other-type", painted(other_stains), "fluorescence"))
    split = {f.id: "train" for f in fields} | {"test-middling": "test"}
    with store.reading(run(lab(fields, split))) as done:
        assert done.about["stain_reference"] == "middling"
        fit = macenko.fit(fields[1].image, 0.15, 1)
        np.testing.assert_allclose(done.about["stain_matrix"], fit.matrix)
        np.testing.assert_allclose(done.about["stain_maxima"], fit.maxima)
        facts = {k: done.about[k] for k in ("dataset", "stain", "stain_method", "stain_beta", "stain_alpha")}
    assert facts == {
        "dataset": "lab",
        "stain": "macenko-lab",
        "stain_method": "macenko",
        "stain_beta": 0.15,
        "stain_alpha": 1,
    }


def test_ties_go_to_the_first_id(lab, painted, stains):
    fields = [field("b", painted(stains, 0.8)), field("a", painted(stains, 1.5))]
    with store.reading(run(lab(fields, {"a": "train", "b": "train"}))) as done:
        assert done.about["stain_reference"] == "a"


def test_test_images_never_serve_as_reference(lab, painted, stains):
    files = lab([field("a", painted(stains)), field("b", painted(stains))], {"a": "test", "b": "val"})
    with pytest.raises(KaryobenchError, match=r"lab\.h5: none of its training images of type he"):
        run(files)


def test_images_are_normalised_and_all_else_is_copied(lab, painted, stains, other_stains):
    fields = [
        field("first", painted(stains)),
        field("second", painted(other_stains, 1.3, seed=4)),
        field("blank", np.full((50, 40, 3), 250, np.uint8)),
        field("cells", painted(other_stains), "fluorescence"),
    ]
    record = RECORD | {"reference": {"dataset": "lab", "image": "first"}}
    with store.reading(run(lab(fields, {"first": "train"}), record)) as done:
        after = {item.id: done.field(item.id) for item in fields}
    for item in fields:
        kept = {k: v for k, v in after[item.id].attributes.items() if k not in ("stain", "stain_note")}
        assert kept == item.attributes
        assert after[item.id].attributes["stain"] == "macenko-lab"
        np.testing.assert_array_equal(after[item.id].instances, item.instances)
    assert {i: after[i].attributes["stain_note"] for i in after} == {
        "first": "normalised",
        "second": "normalised",
        "blank": "passed unchanged: 0 of 2000 pixels are tissue, too few to tell the stains",
        "cells": "passed unchanged: image type is fluorescence, not he",
    }
    for unchanged in ("blank", "cells"):
        np.testing.assert_array_equal(after[unchanged].image, next(f.image for f in fields if f.id == unchanged))
    reference, moved = (macenko.fit(i, 0.15, 1) for i in (fields[0].image, after["second"].image))
    np.testing.assert_allclose(moved.matrix, reference.matrix, atol=0.02)
    np.testing.assert_allclose(moved.maxima, reference.maxima, rtol=0.03)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "macenco"}, "unknown method 'macenco' .did you mean 'macenko'"),
        ({"gamma": 2}, "takes alpha, beta; given: alpha, beta, gamma"),
        ({"reference": {"dataset": "lab", "image": "nowhere"}}, r"lab\.h5: no image 'nowhere'"),
        ({"reference": {"dataset": "lab", "image": "cells"}}, "'cells' is of type fluorescence"),
        ({"reference": {"dataset": "lab", "image": "blank"}}, "'blank' cannot be the stain reference: 0 of"),
    ],
)
def test_bad_slices_are_refused_and_leave_nothing(lab, painted, stains, change, message):
    blank = np.full((120, 120, 3), 250, np.uint8)
    fields = [field("a", painted(stains)), field("cells", painted(stains), "fluorescence"), field("blank", blank)]
    files = lab(fields, {"a": "train"})
    with pytest.raises(KaryobenchError, match=message):
        run(files, RECORD | change)
    assert sorted(p.name for p in files[0].parent.iterdir()) == ["lab.csv", "lab.h5"]


def test_faults_of_the_program_are_not_hidden(painted, stains):
    def broken(image: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        normalised(field("a", painted(stains)), "s", broken)


def test_step_runs_by_hand(lab, painted, stains):
    dataset, split = lab([field("a", painted(stains))], {"a": "train"})
    output = dataset.with_name("new") / "lab.h5"
    command = [
        sys.executable,
        ROOT / "scripts" / "normalize.py",
        "--config",
        json.dumps({"name": "s", "stain": RECORD}),
    ]
    command += ["--dataset", dataset, "--reference", dataset, "--reference-split", split, "--output", output]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "image 'a': normalised" in done.stderr
    with store.reading(output) as written:
        assert written.ids == ["a"]
