"""The HDF5 schema: what is written comes back, the same bytes each time."""

import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.errors import KaryobenchError

ATTRIBUTES: dict[str, Any] = {
    "text": "µm, naïve",
    "empty": "",
    "long": "x" * 100_000,
    "texts": ["a", "bcé"],
    "number": 3,
    "fraction": 0.5,
    "numbers": [0, 0, 60, 70],
    "nothing": [],
}


def write(path: Path) -> Path:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (300, 20, 3), np.uint8)
    layers = {"ignore": np.ones((300, 20), np.uint8), "points": np.zeros((0, 2))}
    with store.writing(path, ATTRIBUTES) as writer:
        writer.add(store.Field("b", image, rng.integers(0, 9, (300, 20)).astype(np.int32), ATTRIBUTES, layers))
        writer.add(store.Field("a", image, None, {}))
    return path


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with store.reading(write(tmp_path / "d.h5")) as images:
        assert images.ids == ["a", "b"]
        assert images.about == images.attributes("b") == ATTRIBUTES
        field = images.field("b")
        assert np.array_equal(field.image, rng.integers(0, 256, (300, 20, 3), np.uint8))
        assert np.array_equal(field.instances, rng.integers(0, 9, (300, 20)))
        assert field.layers["points"].shape == (0, 2)
        assert images.instances("a") is None
        assert images.holds("b") == {"image", "instances", "ignore", "points"}


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    first = write(tmp_path / "d.h5").read_bytes()
    time.sleep(1.1)  # HDF5 keeps times in seconds, where it keeps them
    assert write(tmp_path / "d.h5").read_bytes() == first


def test_texts_are_of_fixed_length_and_arrays_have_checksums(tmp_path: Path) -> None:
    """Texts of variable length lie in a heap without checksum, in which HDF5 may read for ever."""
    with h5py.File(write(tmp_path / "d.h5")) as file:
        kinds = [item.attrs.get_id(name).dtype for item in (file, file["b"]) for name in item.attrs]
        assert not any(h5py.check_string_dtype(kind) and h5py.check_string_dtype(kind).length is None for kind in kinds)
        assert all(file["b"][name].fletcher32 for name in ("image", "instances", "ignore"))


def test_an_image_that_is_not_there(tmp_path: Path) -> None:
    with (
        store.reading(write(tmp_path / "d.h5")) as images,
        pytest.raises(KaryobenchError, match=r"d\.h5: no image 'c'"),
    ):
        images.image("c")


@pytest.mark.parametrize("content", [None, b"", b"no HDF5"])
def test_files_that_are_none(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "d.h5").write_bytes(content)
    with pytest.raises(KaryobenchError, match=r"d\.h5: cannot be read as HDF5"), store.reading(tmp_path / "d.h5"):
        pass
