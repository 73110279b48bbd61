"""Data Science Bowl 2018, test sets: run lengths become instance maps, and images that do not count are left out."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from karyobench.datasets.readers import dsb2018_rle
from karyobench.errors import KaryobenchError
from reader_files import encoded, read, write_zip

HEADER = "ImageId,EncodedPixels,Height,Width,Usage"
GREY = np.full((4, 6), 12, np.uint8)


def write(raw: Path, names: list[str], *rows: str) -> None:
    """The archive of a stage with images of 4 x 6 pixels, and its CSV."""
    lit = np.eye(24, dtype=np.uint8).reshape(24, 4, 6)
    images = {f"{name}/images/{name}.png": encoded(GREY + lit[k], ".png") for k, name in enumerate(names)}
    write_zip(raw / "stage2_test_final.zip", images)
    (raw / "stage2_solution_final.csv").write_text("\r\n".join([HEADER, *rows]) + "\r\n", newline="")


def make(raw: Path) -> dict[str, Any]:
    """The official files of a stage with two scored images and one that is ignored."""
    rows = ["a,1 2 9 1,4,6,Private", "a,20 3,4,6,Private", "b,5 4,4,6,Private", "c,1 1,4,6,Ignored"]
    write(raw, ["a", "b", "c"], *rows)
    return {"image_type": "kmeans", "intensity": {"percentiles": [1, 99.8]}}


def test_runs_go_down_the_columns_from_pixel_1(tmp_path: Path) -> None:
    """Worked by hand: pixel 1 is (0, 0), 2 is (1, 0), 5 is (0, 1), 24 is (3, 5)."""
    write(tmp_path, ["a"], "a,1 2 5 1,4,6,Public", "a,23 2,4,6,Private", "a,2 1 24 1,4,6,Private", "a,24 1,4,6,Private")
    field = read("dsb2018_rle", tmp_path)["a"]
    expected = np.zeros((4, 6), int)
    expected[[0, 1, 0], [0, 0, 1]] = 1
    expected[[2, 3], [5, 5]] = 2
    assert np.array_equal(field.instances, expected)
    assert field.attributes["overlapping_pixels"] == 3
    assert field.attributes["lost_objects"] == 2
    assert field.attributes["image_type"] == "fluorescence"


def test_what_does_not_count_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["a,1 2,4,6,Private", "b,1 1,4,6,Ignored", "b,3 1,4,6,Ignored", "d,,4,6,Private"]
    write(tmp_path, ["a", "b", "c", "d"], *rows)
    with caplog.at_level(logging.INFO, "karyobench"):
        fields = read("dsb2018_rle", tmp_path)
    assert list(fields) == ["a", "d"]
    assert not fields["d"].instances.any()
    assert fields["d"].attributes["lost_objects"] == 0
    assert "1 images marked Ignored and 1 without truth left out" in caplog.text


@given(arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=2, max_side=7)), st.booleans())
def test_equals_counting_along_the_columns(mask: np.ndarray, joined: bool) -> None:
    """A brute-force twin; joined: runs of length 1 are written as the longest ones."""
    height, width = mask.shape
    pixels = [k for k in range(height * width) if mask[k % height, k // height]]
    runs: list[list[int]] = []
    for k in pixels:
        if joined and runs and sum(runs[-1]) == k + 1:
            runs[-1][1] += 1
        else:
            runs.append([k + 1, 1])
    text = " ".join(f"{start} {length}" for start, length in runs)
    row = {"EncodedPixels": text, "Height": str(height), "Width": str(width)}
    found = np.zeros(mask.shape, bool)
    found.reshape(-1)[dsb2018_rle._pixels(row, "row", mask.shape)] = True
    assert np.array_equal(found, mask)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,1 2 5,4,6,Private", r"row 2: no pairs of a start and a length"),
        ("a,1 x,4,6,Private", r"row 2: no pairs of a start and a length"),
        ("a,1 99999999999999999999,4,6,Private", r"row 2: no pairs of a start and a length"),
        ("a,1 2,four,6,Private", r"row 2: no pairs of a start and a length"),
        ("a,0 1,4,6,Private", r"row 2: has runs outside of its image"),
        ("a,1 0,4,6,Private", r"row 2: has runs outside of its image"),
        ("a,1 -1,4,6,Private", r"row 2: has runs outside of its image"),
        ("a,24 2,4,6,Private", r"row 2: has runs outside of its image"),
        ("a,9223372036854775807 9223372036854775807,4,6,Private", r"row 2: has runs outside of its image"),
        ("a,1 20 1 20,4,6,Private", r"row 2: has runs outside of its image, or too many"),
        ("a,1 2,6,4,Private", r"row 2: tells of shape \(6, 4\), its image has \(4, 6\)"),
        ("b,1 2,4,6,Private", r"image 'b' has no file"),
        ("a,1 2,4,6", r"row \['a', '1 2', '4', '6'\] has 4 values, not 5"),
    ],
)
def test_rows_that_do_not_fit(row: str, told: str, tmp_path: Path) -> None:
    write(tmp_path, ["a"], row)
    with pytest.raises(KaryobenchError, match=told):
        read("dsb2018_rle", tmp_path)


def test_a_table_without_its_columns(tmp_path: Path) -> None:
    write(tmp_path, ["a"])
    (tmp_path / "stage2_solution_final.csv").write_text("ImageId,EncodedPixels\na,1 2\n")
    with pytest.raises(KaryobenchError, match=r"stage2_solution_final\.csv: has no column 'Height'"):
        read("dsb2018_rle", tmp_path)
