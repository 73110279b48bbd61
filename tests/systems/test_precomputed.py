"""Label maps from a folder: every file type, cuts of a parent, and each kind of unfit file."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from karyobench.errors import KaryobenchError
from karyobench.systems.base import Tile
from karyobench.systems.precomputed import predict

LABELS = np.zeros((12, 15), np.uint16)
LABELS[2:6, 3:9] = 7
LABELS[8:11, 1:14] = 300


def write(path, labels=LABELS):
    if path.suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, labels)
    elif path.suffix == ".png":
        Image.fromarray(labels).save(path)
    elif path.suffix == ".npy":
        np.save(path, labels)
    else:
        np.savez_compressed(path, labels)


def tile_of(box=(0, 0, 12, 15), parent="a", parent_box=(0, 0, 12, 15)):
    return Tile(np.zeros((box[2] - box[0], box[3] - box[1], 3), np.uint8), "a", box, parent, parent_box, "he")


def found(folder, tile=None):
    return predict(None, tile or tile_of(), {"predict": {"folder": str(folder), "tile": None}})


@pytest.mark.parametrize("suffix", ["tif", "tiff", "png", "npy", "npz"])
def test_each_file_type_is_read_exactly(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}")
    assert np.array_equal(found(tmp_path), LABELS)


def test_a_tile_is_its_part_of_the_map(tmp_path):
    write(tmp_path / "a.png")
    assert np.array_equal(found(tmp_path, tile_of((2, 5, 9, 15))), LABELS[2:9, 5:15])


def test_an_image_is_cut_from_the_map_of_its_parent(tmp_path):
    write(tmp_path / "slide.tif")
    tile = tile_of((1, 2, 5, 6), "slide", (3, 4, 10, 12))
    assert np.array_equal(found(tmp_path, tile), LABELS[4:8, 6:10])


def test_the_map_of_the_image_goes_before_its_parents(tmp_path):
    write(tmp_path / "slide.tif")
    write(tmp_path / "a.npy", np.full((7, 8), 5))
    assert (found(tmp_path, tile_of((0, 0, 7, 8), "slide", (3, 4, 10, 12))) == 5).all()


def test_no_file_is_a_missing_prediction(tmp_path):
    write(tmp_path / "another.png")
    assert found(tmp_path) is None


def test_no_folder_is_a_mistake(tmp_path):
    with pytest.raises(KaryobenchError, match=r"predict.folder'.*no folder .*nowhere"):
        found(tmp_path / "nowhere")


def test_two_files_for_one_image_are_refused(tmp_path):
    write(tmp_path / "a.tif")
    write(tmp_path / "a.npz")
    with pytest.raises(KaryobenchError, match=r"holds a.tif and a.npz; keep one"):
        found(tmp_path)


def test_a_map_of_another_shape_is_refused_with_both_shapes(tmp_path):
    write(tmp_path / "a.png", LABELS[:, :-1])
    with pytest.raises(KaryobenchError, match=r"a.png has shape \(12, 14\), but image 'a' \(12, 15\)"):
        found(tmp_path)


def test_a_parent_that_ends_before_the_image_is_refused(tmp_path):
    write(tmp_path / "slide.png")
    with pytest.raises(KaryobenchError, match=r"slide.png has shape \(12, 15\), but image 'a' .*\(3, 4, 13, 12\)"):
        found(tmp_path, tile_of((0, 0, 10, 8), "slide", (3, 4, 13, 12)))


@pytest.mark.parametrize("suffix", ["tif", "png", "npy", "npz"])
def test_colours_are_no_labels(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}", np.zeros((12, 15, 3), np.uint8))
    with pytest.raises(KaryobenchError, match=rf"a.{suffix}: .*\(12, 15, 3\)"):
        found(tmp_path)


@pytest.mark.parametrize("suffix", ["tif", "npy", "npz"])
def test_floats_are_no_labels(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}", LABELS.astype(np.float32))
    with pytest.raises(KaryobenchError, match=rf"a.{suffix}: .*float32"):
        found(tmp_path)


def test_an_archive_of_several_arrays_is_ambiguous(tmp_path):
    np.savez(tmp_path / "a.npz", inst=LABELS, type=LABELS)
    with pytest.raises(KaryobenchError, match=r"a.npz: must hold one array.*inst, type"):
        found(tmp_path)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[{"a": 1}]], dtype=object))
    with pytest.raises(KaryobenchError, match=r"a.npy: damaged, truncated, or no array"):
        found(tmp_path)


@pytest.mark.parametrize("suffix", ["tif", "png", "npy", "npz"])
def test_a_truncated_file_is_named(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write(path, np.random.default_rng(0).integers(0, 9, (12, 15)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(KaryobenchError, match=rf"a.{suffix}: .*replace the file"):
        found(tmp_path)
