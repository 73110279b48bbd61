"""The one way to cut an image into tiles, for training patches and for inference alike."""

from itertools import pairwise

from karyobench.errors import KaryobenchError

Box = tuple[int, int, int, int]
"""Rows r0:r1 and columns c0:c1, as (r0, c0, r1, c1)."""


def grid(height: int, width: int, tile: int, overlap: int = 0) -> list[Box]:
    """Boxes that cover an image, row by row from the top left, each at most `tile` pixels a side.

    The fewest tiles that fit, of sides as equal as whole pixels allow (so no sliver is left at the far borders), and
    neighbours share exactly `overlap` pixels: without overlap the boxes partition the image. An image no larger than
    the tile is one box. Raises KaryobenchError on an empty image, or unless 0 <= overlap < tile.
    """
    if not 0 <= overlap < tile:
        raise KaryobenchError(f"tile {tile}, overlap {overlap}: the overlap must be at least 0 and below the tile")
    if height < 1 or width < 1:
        raise KaryobenchError(f"an image of {height} x {width} pixels cannot be tiled")
    columns = _intervals(width, tile, overlap)
    return [(r0, c0, r1, c1) for r0, r1 in _intervals(height, tile, overlap) for c0, c1 in columns]


def _intervals(length: int, tile: int, overlap: int) -> list[tuple[int, int]]:
    if length <= tile:
        return [(0, length)]
    stretch = length - overlap
    count = -(-stretch // (tile - overlap))
    edges = [i * stretch // count for i in range(count + 1)]
    return [(start, stop + overlap) for start, stop in pairwise(edges)]
