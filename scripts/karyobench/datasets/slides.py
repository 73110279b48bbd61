"""One level of a slide's pyramid, without the levels above it."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from karyobench.errors import KaryobenchError

LIMIT = 1 << 29
"""Most pixels that a level may have."""

_ROUNDED = 0.05
_COARSEST = 10
_UNITS = {2: 25_400.0, 3: 10_000.0}


@dataclass(frozen=True)
class Level:
    """One level of a slide.

    image: uint8 (H, W, 3). downsample: pixels of the first level per pixel of this one, a power of 2. whole: height
    and width of the first level. mpp: microns per pixel of this level; None where the file's resolution says nothing.
    """

    image: np.ndarray
    downsample: int
    whole: tuple[int, int]
    mpp: float | None


def read_level(path: Path, level: int) -> Level:
    """Read a level of a pyramidal, tiled TIFF whose levels halve each other; they may be pages or SubIFDs.

    Raises KaryobenchError naming a file that is damaged, no such TIFF, without this level, or too large at it.
    """
    try:
        with tifffile.TiffFile(path) as file:
            pages = _levels(file)
            _check(pages, path, level)
            downsample = _downsample(pages[0], pages[level])
            mpp = _mpp(pages[0])
            whole = pages[0].imagelength, pages[0].imagewidth
            return Level(pages[level].asarray(), downsample, whole, mpp and mpp * downsample)
    except (KaryobenchError, MemoryError):
        raise
    except Exception as error:
        # tifffile and the codecs raise exceptions of many unrelated kinds on damaged data; all mean the same here.
        raise KaryobenchError(f"{path}: damaged, truncated, or no tiled TIFF ({error}); download it again") from error


def _levels(file: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Tiled pages, the widest first; what is not tiled is a label or an overview.

    The library's own series are not asked for: they would parse metadata of the file as XML, with its entities.
    """
    first = file.pages[0]
    tiled = [page for page in [*file.pages, *(first.pages or [])] if page.is_tiled]
    return sorted(tiled, key=lambda page: -page.imagewidth)


def _check(pages: list[tifffile.TiffPage], path: Path, level: int) -> None:
    if not 0 <= level < len(pages):
        raise KaryobenchError(f"{path}: has {len(pages)} levels, counted from 0, and no level {level}; correct `level`")
    page = pages[level]
    if page.dtype != np.uint8 or page.shaped[-1] != 3:
        raise KaryobenchError(f"{path}: level {level} has shape {page.shape} of {page.dtype}, not 8-bit colour")
    if page.imagelength * page.imagewidth > LIMIT:
        size = f"{page.imagelength} x {page.imagewidth}"
        raise KaryobenchError(f"{path}: level {level} has {size} pixels, more than {LIMIT}; choose a higher `level`")


def _downsample(first: tifffile.TiffPage, page: tifffile.TiffPage) -> int:
    """The power of 2 by which a level is smaller.

    Scanners fill a level up to whole tiles, which makes it larger than its share, more so the higher it is: the axis
    that is filled up less is the better one, and the true factor the next power of 2.
    """
    ratio = max(first.imagewidth / page.imagewidth, first.imagelength / page.imagelength)
    return 2 ** max(0, math.ceil(math.log2(ratio) - _ROUNDED))


def _mpp(page: tifffile.TiffPage) -> float | None:
    """Microns per pixel from the resolution tags; what no scanner has, such as 72 dots per inch, tells nothing."""
    value, unit = page.tags.valueof("XResolution"), page.tags.valueof("ResolutionUnit", default=2)
    if value is None or 0 in value or unit not in _UNITS:
        return None
    mpp = _UNITS[unit] * value[1] / value[0]
    return mpp if mpp < _COARSEST else None
