"""Damaged HDF5 files are told, and so are damaged receipts; HDF5 neither hangs nor gives other content."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import corruption
from karyobench.datasets import receipts, store
from karyobench.datasets.receipts import Origin
from karyobench.datasets.sources import Owner
from karyobench.errors import KaryobenchError
from karyobench.patches.pack import pack
from karyobench.patches.reading import reading
from karyobench.stain.normalize import normalize

PATCHES = {"train": ["d"], "tile": 50, "crop": 16, "crops_per_tile": 2, "val_crops": 2, "oversample": None, "seed": 0}
PATCHES |= {"codec": "zstd"}

pytestmark = pytest.mark.usefixtures("bounds")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A file of the schema that has everything: texts, numbers, layers; and a split of its images."""
    rng = np.random.default_rng(0)
    path = tmp_path / "whole.h5"
    with store.writing(path, {"dataset": "d", "subset": "", "truth": "manual", "n_images": 3}) as writer:
        for image_id in ("a", "b", "c"):
            labels = rng.integers(0, 3, (60, 70)).astype(np.int32)
            about = {"dataset": "d", "image_type": "he", "group": image_id, "box": [0, 0, 60, 70], "mpp": 0.5}
            layers = {"ignore": np.zeros((60, 70), np.uint8), "points": rng.random((4, 2))}
            writer.add(store.Field(image_id, rng.integers(0, 256, (60, 70, 3), np.uint8), labels, about, layers))
    path.with_suffix(".csv").write_text("image,split,group,stratum\na,train,a,\nb,train,b,\nc,val,c,\n")
    return path


def damaged(path: Path, count: int) -> Iterator[Path]:
    """The file with a part cut off or bytes changed, many times over."""
    data, rng = path.read_bytes(), np.random.default_rng(0)
    broken = path.with_name("broken.h5")
    for number in range(count):
        cut = data[: rng.integers(len(data))]
        reach = (len(data), 4000)[number % 2]
        broken.write_bytes(corruption.flipped(data, rng, reach, rng.integers(1, 20)) if number % 4 else cut)
        yield broken


def content(path: Path) -> str:
    """All that a file of the schema holds."""
    with store.reading(path) as images:
        held = []
        for field in (images.field(image_id) for image_id in images.ids):
            arrays = {"image": field.image, "instances": field.instances, **field.layers}
            held += [field.id, sorted(field.attributes.items()), [(k, v.tolist()) for k, v in sorted(arrays.items())]]
        return repr((sorted(images.about.items()), held))


def test_a_damaged_dataset_is_told_or_holds_what_it_held(dataset: Path) -> None:
    whole, told = content(dataset), 0
    for broken in damaged(dataset, 200):
        try:
            assert content(broken) == whole
        except KaryobenchError as error:
            assert str(broken) in str(error)
            told += 1
    assert told > 150


def test_damaged_datasets_are_neither_normalised_nor_cut(dataset: Path, tmp_path: Path) -> None:
    record = {"method": "macenko", "beta": 0.15, "alpha": 1, "reference": {"dataset": "d", "image": "a"}}
    split, outputs = dataset.with_suffix(".csv"), (tmp_path / "normalised.h5", tmp_path / "patches.h5")
    steps = (
        lambda path: normalize(path, dataset, split, outputs[0], {"name": "s", "stain": record}),
        lambda path: pack([path], [split], outputs[1], {"name": "p", "patches": PATCHES}),
    )
    for broken in damaged(dataset, 40):
        before = sorted(tmp_path.iterdir())
        for step, output in zip(steps, outputs, strict=True):
            try:
                step(broken)
                output.unlink()
            except KaryobenchError:
                assert sorted(tmp_path.iterdir()) == before


def test_damaged_patches_are_told(dataset: Path, tmp_path: Path) -> None:
    """Pixels have no checksum of their own here: what decodes, passes."""
    pack([dataset], [dataset.with_suffix(".csv")], tmp_path / "p.h5", {"name": "p", "patches": PATCHES})
    told = 0
    for broken in damaged(tmp_path / "p.h5", 200):
        try:
            with reading(broken) as both:
                for patches in both:
                    patches.batch(range(len(patches)))
        except KaryobenchError as error:
            assert str(broken) in str(error)
            told += 1
    assert told > 100


def test_receipts_that_are_damaged(tmp_path: Path) -> None:
    receipt = tmp_path / "source.json"
    receipts.write(
        receipt, Owner("datasets", "d"), {"url": "https://example.org/a.zip"}, {}, Origin("official", verified=True)
    )
    data = receipt.read_bytes()
    for text in (*(data[:size] for size in range(0, len(data) - 2, 7)), b"[]", b"3", b"null", b"{}", b"\xff"):
        receipt.write_bytes(text)
        with pytest.raises(KaryobenchError, match=r"source\.json: no receipt"):
            receipts.read(receipt)
