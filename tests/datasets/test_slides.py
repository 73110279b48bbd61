"""One level of a pyramid is read as it was written, and its scale against the first level is right."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from karyobench.datasets import slides
from karyobench.errors import KaryobenchError
from slide_files import TILE, filled_up, pyramid, write_slide

LEVELS = pyramid((256, 320), 4)


@pytest.mark.parametrize("level", range(4))
def test_every_level_of_pages(level: int, tmp_path: Path) -> None:
    write_slide(tmp_path / "a.tif", LEVELS)
    found = slides.read_level(tmp_path / "a.tif", level)
    assert np.array_equal(found.image, LEVELS[level])
    assert (found.downsample, found.whole) == (2**level, (256, 320))
    assert found.mpp == pytest.approx(0.25 * 2**level)


def test_levels_in_subifds(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=True) as file:
        file.write(LEVELS[0], tile=(TILE, TILE), photometric="rgb", subifds=2, metadata=None)
        for level in LEVELS[1:3]:
            file.write(level, tile=(TILE, TILE), photometric="rgb", subfiletype=1, metadata=None)
    found = slides.read_level(tmp_path / "a.tif", 2)
    assert np.array_equal(found.image, LEVELS[2])
    assert found.downsample == 4


def test_jpeg_tiles(tmp_path: Path) -> None:
    """Slides are compressed so; a flat colour survives it but for the corner of a tile that is cut off."""
    flat = [np.full((256 >> k, 320 >> k, 3), (180, 90, 140), np.uint8) for k in range(2)]
    write_slide(tmp_path / "a.tif", flat, compression="jpeg")
    assert abs(slides.read_level(tmp_path / "a.tif", 1).image.astype(int) - (180, 90, 140)).max() <= 20


def test_levels_that_are_filled_up_to_whole_tiles(tmp_path: Path) -> None:
    """A level of 38 x 47 pixels, stored as 64 x 64, is still an eighth of 300 x 370."""
    levels = pyramid((300, 370), 4)
    write_slide(tmp_path / "a.tif", [levels[0], *map(filled_up, levels[1:])])
    for level in range(1, 4):
        found = slides.read_level(tmp_path / "a.tif", level)
        assert found.downsample == 2**level
        assert np.array_equal(found.image, filled_up(levels[level]))


class Page:
    """A page of a size."""

    def __init__(self, height: int, width: int) -> None:
        self.imagelength, self.imagewidth = height, width


@given(st.integers(20_000, 250_000), st.integers(20_000, 250_000), st.integers(0, 6), st.sampled_from([1, 256, 512]))
def test_the_scale_whatever_the_rounding(height: int, width: int, level: int, tile: int) -> None:
    """Sizes of real slides; rounded down or filled up to tiles of the scanner."""
    first = Page(height, width)
    sizes = [side >> level if tile == 1 else -(-side // (2**level * tile)) * tile for side in (height, width)]
    assert slides._downsample(first, Page(*sizes)) == 2**level


def test_a_file_that_does_not_tell_its_resolution(tmp_path: Path) -> None:
    write_slide(tmp_path / "none.tif", LEVELS, per_cm=None)
    write_slide(tmp_path / "default.tif", LEVELS, per_cm=28.3)
    assert slides.read_level(tmp_path / "none.tif", 1).mpp is None
    assert slides.read_level(tmp_path / "default.tif", 1).mpp is None


def test_levels_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_slide(tmp_path / "a.tif", LEVELS)
    with pytest.raises(KaryobenchError, match=r"a\.tif: has 4 levels, counted from 0, and no level 4"):
        slides.read_level(tmp_path / "a.tif", 4)
    monkeypatch.setattr(slides, "LIMIT", 128 * 160 - 1)
    assert slides.read_level(tmp_path / "a.tif", 2).image.shape == (64, 80, 3)
    with pytest.raises(KaryobenchError, match="level 1 has 128 x 160 pixels, more than 20479; choose a higher"):
        slides.read_level(tmp_path / "a.tif", 1)
    write_slide(tmp_path / "deep.tif", [level.astype(np.uint16) for level in LEVELS])
    with pytest.raises(KaryobenchError, match="of uint16, not 8-bit colour"):
        slides.read_level(tmp_path / "deep.tif", 0)


@pytest.mark.parametrize("size", [0, 7, 300, 4000, 100_000])
def test_files_cut_short(size: int, tmp_path: Path) -> None:
    write_slide(tmp_path / "a.tif", LEVELS)
    whole = (tmp_path / "a.tif").read_bytes()
    assert size < len(whole)
    (tmp_path / "a.tif").write_bytes(whole[:size])
    with pytest.raises(KaryobenchError, match=r"a\.tif: (damaged|has 0 levels)"):
        slides.read_level(tmp_path / "a.tif", 0)


def test_an_untiled_file(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", LEVELS[0])
    with pytest.raises(KaryobenchError, match="has 0 levels"):
        slides.read_level(tmp_path / "a.tif", 0)
