"""Reading patches: bit for bit what was written, in any order, with any number of threads, and clear about damage."""

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karyobench.datasets import store
from karyobench.errors import KaryobenchError
from karyobench.patches.codecs import CODECS, Writer
from karyobench.patches.reading import reading

CROP = 16
KINDS = st.sampled_from(["noise", "grey", "blank", "blocks"])


def images_of(kind: str, count: int, crop: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (N, c, c, 3)."""
    if kind == "grey":
        return np.repeat(rng.integers(0, 256, (count, crop, crop, 1), np.uint8), 3, axis=3)
    if kind == "blank":
        return np.full((count, crop, crop, 3), rng.integers(256), np.uint8)
    noise = rng.integers(0, 256, (count, crop, crop, 3), np.uint8)
    return noise if kind == "noise" else noise // 64


def labels_of(kind: str, count: int, crop: int, rng: np.random.Generator) -> np.ndarray:
    """int32 (N, c, c), up to the largest label that fits."""
    noise = rng.integers(0, 2**16, (count, crop, crop)).astype(np.int32)
    return {"noise": noise, "grey": noise % 3, "blank": noise * 0 + 2**16 - 1, "blocks": noise // 2**14}[kind]


def written(path: Path, codec: str, images: np.ndarray, **layers: np.ndarray) -> Path:
    """A patch file whose training patches these are; it has no validation patches."""
    with store.create_hdf5(path) as file:
        for name, count in (("train", len(images)), ("val", 0)):
            writer = Writer(file.create_group(name), codec, count, images.shape[1], layers)
            for n in range(count):
                writer.add(images[n], **{layer: array[n] for layer, array in layers.items()})
    return path


@pytest.fixture(params=sorted(CODECS))
def patch_file(tmp_path, request) -> Path:
    """Nine patches of noise with instances and an `ignore` layer."""
    rng = np.random.default_rng(0)
    images, labels = images_of("noise", 9, CROP, rng), labels_of("noise", 9, CROP, rng)
    return written(tmp_path / "p.h5", request.param, images, instances=labels, ignore=labels.astype(np.uint8) % 2)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    codec=st.sampled_from(sorted(CODECS)),
    kinds=st.tuples(KINDS, KINDS),
    crop=st.integers(1, 70),
    threads=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_was_written_comes_back_bit_for_bit(tmp_path, codec, kinds, crop, threads, seed):
    rng = np.random.default_rng(seed)
    images, labels = images_of(kinds[0], 3, crop, rng), labels_of(kinds[1], 3, crop, rng)
    path = written(tmp_path / "p.h5", codec, images, instances=labels)
    order = rng.integers(0, 3, rng.integers(0, 6))
    with reading(path, threads) as (train, _):
        batch = train.batch(order)
    got, instances = batch.images, batch.instances
    assert (got.dtype, instances.dtype) == (np.uint8, np.int32)
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, images[order])
    np.testing.assert_array_equal(instances, labels[order])


def test_plain_hdf5_reads_the_same(patch_file):
    assert hdf5plugin.get_config().registered_filters["zstd"]
    with h5py.File(patch_file) as file, reading(patch_file) as (train, _):
        batch = train.batch(range(9))
        stored = file["train/image"][()]
        planes = store.read_attributes(file["train"])["codec"] == "zstd"
        assert file["train/image"].chunks == ((1, 3, CROP, CROP) if planes else (1, CROP, CROP, 3))
        np.testing.assert_array_equal(np.moveaxis(stored, 1, -1) if planes else stored, batch.images)
        np.testing.assert_array_equal(file["train/instances"][()], batch.instances)
        np.testing.assert_array_equal(file["train/ignore"][()], batch.ignore)
        assert file["train/instances"].dtype == np.uint16


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_threads_change_nothing(patch_file, threads):
    order = np.random.default_rng(0).integers(0, 9, 25)
    with reading(patch_file) as (alone, _), reading(patch_file, threads) as (shared, _):
        for name in ("images", "instances", "ignore"):
            np.testing.assert_array_equal(*(getattr(patches.batch(order), name) for patches in (alone, shared)))


def test_a_batch_is_the_callers_own(patch_file):
    with reading(patch_file) as (train, _):
        first = train.batch([0])
        kept = first.images.copy()
        first.images[:], first.instances[:] = 0, 0
        np.testing.assert_array_equal(train.batch([0]).images, kept)


def test_no_patches_are_an_empty_batch(patch_file):
    with reading(patch_file, 2) as (train, val):
        assert len(val) == 0
        for patches in (train, val):
            batch = patches.batch([])
            assert (batch.images.shape, batch.instances.shape) == ((0, CROP, CROP, 3), (0, CROP, CROP))


def test_a_patch_that_is_not_there(patch_file):
    with reading(patch_file, 2) as (train, _), pytest.raises(IndexError):
        train.batch([0, 9])


def replaced(path: Path, name: str, index: int, data: bytes) -> None:
    """Put other bytes in the place of a chunk."""
    with h5py.File(path, "r+") as file:
        chunks = file[name]
        chunks.id.write_direct_chunk((index, *(0 for _ in chunks.shape[1:])), data)


@pytest.mark.parametrize("name", ["image", "instances"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_damaged_patch_is_named(patch_file, name, threads):
    replaced(patch_file, f"train/{name}", 4, b"not compressed")
    with reading(patch_file, threads) as (train, _):
        train.batch([3, 5])
        with pytest.raises(KaryobenchError, match=rf"p\.h5: /train/{name}: patch 4 is damaged .*; delete the file"):
            train.batch([3, 4, 5])


def test_a_patch_with_too_few_pixels_is_named(patch_file):
    import imagecodecs

    with h5py.File(patch_file) as file:
        codec = store.read_attributes(file["train"])["codec"]
    encode = imagecodecs.zstd_encode if codec == "zstd" else imagecodecs.zlib_encode
    replaced(patch_file, "train/image", 0, encode(bytes(10)))
    with reading(patch_file) as (train, _), pytest.raises(KaryobenchError, match=r"patch 0 is damaged \(cut short\)"):
        train.batch([0])


@pytest.mark.parametrize("share", [0.3, 0.98])
def test_a_truncated_file_is_named(patch_file, share):
    content = patch_file.read_bytes()
    patch_file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(KaryobenchError, match=r"p\.h5: cannot be read"), reading(patch_file):
        pass


def test_a_file_of_another_kind_is_named(tmp_path):
    with store.create_hdf5(tmp_path / "p.h5") as file:
        file.create_group("train")
    with pytest.raises(KaryobenchError, match=r"p\.h5: no patch file of this version"), reading(tmp_path / "p.h5"):
        pass


def test_more_objects_than_labels_are_refused(tmp_path):
    labels = np.full((1, CROP, CROP), 2**16, np.int32)
    with pytest.raises(KaryobenchError, match="more than 65535 objects; lower `crop`"):
        written(tmp_path / "p.h5", "zstd", np.zeros((1, CROP, CROP, 3), np.uint8), instances=labels)
    assert not list(tmp_path.iterdir())
