"""Damaged and hostile raw files: whatever a reader is given, it makes whole output or says what is wrong with what."""

import importlib.util
import json
import shutil
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import corruption
from karyobench.datasets import readers, receipts, store
from karyobench.datasets.ingest import ingest
from karyobench.datasets.receipts import Origin
from karyobench.datasets.sources import Owner
from karyobench.errors import KaryobenchError

READERS = sorted(path.stem for path in Path(readers.__file__).parent.glob("*.py") if path.stem != "__init__")
FORMS = {"folder": ("labels", "masks", "geojson", "coco")}
SAMPLES = [f"{reader}-{form}".strip("-") for reader in READERS for form in FORMS.get(reader, ("",))]
OBJECTS = {"breakhis": "classes", "camelyon17": "regions", "glas": "glands"}
OBJECTS |= dict.fromkeys(("icpr2012", "mitos14"), "mitoses")
OBJECTS |= dict.fromkeys(("drive", "stare", "chase_db1", "hrf"), "vessels")
FEW = 40
"""Variants of each sample that the fast test tries."""

HOSTILE = {
    "member ": "points outside the archive",
    "entities": "declares a document type",
    "an external entity": "declares a document type",
}
"""What is said of variants, by how their names begin."""

pytestmark = [pytest.mark.usefixtures("bounds"), pytest.mark.filterwarnings("ignore:Duplicate name")]


@dataclass(frozen=True)
class Sample:
    """Raw files that a reader understands, by name, and the record of their dataset."""

    record: dict[str, Any]
    raw: dict[str, bytes]


def sample(name: str, folder: Path) -> Sample:
    """What `make` of the reader's own test writes. name: the reader's and, where it reads several, the format's."""
    reader, *form = name.split("-")
    path = Path(__file__).with_name(f"test_reader_{reader}.py")
    if not path.is_file():
        pytest.fail(
            f"the reader '{reader}' has no {path.name}; write one whose make(raw) fills a folder with tiny files"
        )
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder.mkdir()
    record = {"dataset": "d", "reader": reader, "truth": "manual", "mpp": None, "image_type": "he"}
    record |= {"objects": OBJECTS.get(reader, "nuclei"), **module.make(folder, *form)}
    raw = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files_in(folder)}
    shutil.rmtree(folder)
    return Sample(record, raw)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def outcome(record: dict[str, Any], raw: dict[str, bytes], folder: Path) -> str | None:
    """Ingest raw files; None when it made whole output, else what the user is told. Nothing else may be left."""
    receipt = folder / "raw" / "source.json"
    for name, data in raw.items():
        (receipt.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (receipt.parent / name).write_bytes(data)
    found = {name: receipts.entry(receipt.parent / name) for name in raw}
    receipts.write(
        receipt, Owner("datasets", "d"), {"url": "https://example.org/a.zip"}, found, Origin("official", verified=True)
    )
    before, output, summary = files_in(Path.cwd()), folder / "d.h5", folder / "d.json"
    told = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ingest(record, receipt, output, summary)
    except KaryobenchError as error:
        told = str(error)
    made = sorted([output, summary]) if told is None else []
    assert sorted(set(files_in(Path.cwd())) - set(before)) == [path.absolute() for path in made]
    assert all((receipt.parent / name).read_bytes() == data for name, data in raw.items())
    if told is None:
        assert_sane(output, summary)
    shutil.rmtree(folder)
    return told


def assert_sane(output: Path, summary: Path) -> None:
    """Shapes that fit, labels without gaps, and numbers that are numbers."""
    json.dumps(json.loads(summary.read_text()), allow_nan=False)
    with store.reading(output) as images:
        for image_id in images.ids:
            field = images.field(image_id)
            height, width, channels = field.image.shape
            assert field.image.dtype == np.uint8 and height and width and channels == 3
            json.dumps(field.attributes, allow_nan=False)
            if field.instances is not None:
                labels = np.unique(field.instances)
                assert field.instances.shape == (height, width)
                assert labels.tolist() in ([*range(len(labels))], [*range(1, len(labels) + 1)])
            for name, layer in field.layers.items():
                assert np.isfinite(layer).all()
                assert layer.shape == (height, width) if name != "points" else layer.shape[1] == 2


def sweep(made: Sample, seed: int, most: int | None = None) -> None:
    """Try the variants of each file, alone; `most` of them, drawn by `seed`, or all."""
    rng = np.random.default_rng(seed)
    cases = [(name, *variant) for name, data in made.raw.items() for variant in corruption.variants(name, data, rng)]
    chosen = sorted(rng.permutation(len(cases))[:most])
    failed = []
    for number in chosen:
        name, told, data = cases[number]
        try:
            outcome(made.record, made.raw | {name: data}, Path.cwd() / f"case{number}")
        except Exception as error:
            failed.append(f"{name}: {told}: {type(error).__name__}: {error}")
    assert not failed, "\n".join(failed)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sample_is_read(name: str, tmp_path: Path) -> None:
    """Else the variants below would tell nothing."""
    made = sample(name, tmp_path / "sample")
    assert outcome(made.record, made.raw, tmp_path / "whole") is None


@pytest.mark.parametrize("name", SAMPLES)
def test_damaged_raw_files(name: str, tmp_path: Path) -> None:
    sweep(sample(name, tmp_path / "sample"), 0, FEW)


@pytest.mark.parametrize("name", SAMPLES)
def test_hostile_raw_files_are_told_for_what_they_are(name: str, tmp_path: Path) -> None:
    """Names that lead out of an archive, and XML that grows or reads other files."""
    made = sample(name, tmp_path / "sample")
    rng = np.random.default_rng(0)
    for file, data in made.raw.items():
        for told, variant in corruption.variants(file, data, rng):
            means = [message for what, message in HOSTILE.items() if told.split(": ")[-1].startswith(what)]
            if means and not file.endswith(".npz"):
                said = outcome(made.record, made.raw | {file: variant}, tmp_path / "case")
                assert said is not None and means[0] in said, f"{file}: {told}: {said}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("name", SAMPLES)
def test_many_damaged_raw_files(name: str, seed: int, tmp_path: Path) -> None:
    sweep(sample(name, tmp_path / "sample"), seed)
