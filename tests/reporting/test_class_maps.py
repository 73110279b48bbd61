"""Class maps: 255 where a nucleus is, one picture per image, from the step's command line."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from karyobench.datasets.store import create_hdf5, write_array
from karyobench.errors import KaryobenchError
from karyobench.reporting import class_maps

ROOT = Path(__file__).resolve().parents[2]
LABELS = np.array([[0, 1, 1, 7], [0, 0, 300, 0]], np.int32)


def merged(path, name="instances"):
    with create_hdf5(path) as target:
        write_array(target.create_group("a.b"), name, LABELS)
        write_array(target.create_group("bad:name"), name, 0 * LABELS)
    return path


def test_class_maps_are_class_times_255(tmp_path):
    source = merged(tmp_path / "m.h5")
    command = [sys.executable, ROOT / "scripts" / "class_maps.py", "--merged", source, "--output", tmp_path / "maps"]
    subprocess.run(command, check=True, capture_output=True)
    pictures = sorted((tmp_path / "maps").iterdir())
    assert len(pictures) == 2
    with Image.open(tmp_path / "maps" / "a.b.png") as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.asarray(picture), [[0, 255, 255, 255], [0, 0, 255, 0]])
    with Image.open(pictures[1]) as picture:
        assert np.asarray(picture).shape == LABELS.shape
        assert not np.asarray(picture).any()


def test_a_file_of_classes_is_refused(tmp_path):
    with pytest.raises(KaryobenchError, match=r"m.h5: image 'a.b' has no instance map"):
        class_maps.write(merged(tmp_path / "m.h5", "probabilities"), tmp_path / "maps")
