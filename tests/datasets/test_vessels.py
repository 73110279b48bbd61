"""The field of view is found where it is not given, and masks are masks."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import fundus
from karyobench.datasets import images, members, vessels
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError
from reader_files import encoded


@given(st.integers(0, 99), st.integers(0, 60))
def test_the_field_of_view_is_the_disc_with_its_holes(seed: int, dark: int) -> None:
    """However bright the noise of its surroundings is."""
    assert np.array_equal(vessels.field_of_view(fundus.photograph(seed, dark), "image"), fundus.VIEW)


def test_bright_writing_beside_the_disc_does_not_count() -> None:
    image = fundus.photograph(0)
    image[1:4, 1:8] = 255
    assert np.array_equal(vessels.field_of_view(image, "image"), fundus.VIEW)


def test_a_photograph_without_light() -> None:
    with pytest.raises(KaryobenchError, match="night: too dark"):
        vessels.field_of_view(np.full((8, 8, 3), 20, np.uint8), "night")


def field(folder: Path, first: np.ndarray, suffix: str = ".png") -> Field:
    (folder / "image.png").write_bytes(encoded(fundus.photograph(0), ".png"))
    (folder / f"first{suffix}").write_bytes(encoded(first, suffix))
    files = {"image.png": {}, f"first{suffix}": {}}
    with members.collected(folder, {"dataset": "d", "files": files}) as found:
        return vessels.field(found, "image", vessels.Sources("image.png", f"first{suffix}"), {})


@pytest.mark.parametrize("suffix", [".png", ".tif", ".gif", ".bmp", ".ppm.gz"])
def test_masks_of_any_format(suffix: str, tmp_path: Path) -> None:
    found = field(tmp_path, fundus.mask(fundus.FIRST), suffix)
    assert np.array_equal(found.instances, fundus.FIRST)
    assert found.instances.dtype == np.int32


def test_masks_of_one_bit_and_of_three_channels(tmp_path: Path) -> None:
    assert np.array_equal(field(tmp_path, fundus.FIRST, ".png").instances, fundus.FIRST)
    assert np.array_equal(field(tmp_path, np.dstack([fundus.mask(fundus.FIRST)] * 3)).instances, fundus.FIRST)


def test_an_empty_mask_is_one(tmp_path: Path) -> None:
    assert not field(tmp_path, np.zeros(fundus.SHAPE, np.uint8)).instances.any()


def test_a_tiff_whose_header_claims_more_than_memory() -> None:
    stream = io.BytesIO()
    tifffile.imwrite(stream, fundus.mask(fundus.FIRST), metadata=None)
    data = bytearray(stream.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        width = file.pages[0].tags["ImageWidth"]
        struct.pack_into(f"{file.byteorder}HII", data, width.offset + 2, 4, 1, 1 << 30)
    with pytest.raises(KaryobenchError, match=f"huge: damaged.*tells of {fundus.SHAPE[0] << 30} bytes"):
        images.read_image(bytes(data), "huge")


def test_what_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"first\.png: no pixel is brighter than 1; a mask is"):
        field(tmp_path, fundus.FIRST.astype(np.uint8))
    with pytest.raises(KaryobenchError, match=r"first\.png has shape \(95, 120\), its photograph \(96, 120\)"):
        field(tmp_path, fundus.mask(fundus.FIRST)[1:])
