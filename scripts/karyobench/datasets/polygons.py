"""Polygons to instance maps."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from karyobench.datasets import masks

_FAR = 1e15


def rasterize(polygons: Iterable[Any], shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Instance map int32 (H, W) of shapely polygons, and the number of pixels that more than one polygon claimed.

    The k-th polygon (from 1) becomes label k; it may be a MultiPolygon or have holes. Coordinates are x (column) and
    y (row) in pixels, with the corner of the first pixel at (0, 0): a pixel belongs to a polygon that holds its
    centre, at (0.5, 0.5). The first polygon keeps a pixel. What lies outside the map is cut off, and a polygon that
    holds no centre leaves no trace.
    """
    return masks.united((_pixels(polygon, shape) for polygon in polygons), shape)


def _pixels(polygon: Any, shape: tuple[int, int]) -> np.ndarray:
    """Flat indices of the pixels of one polygon with its holes, or of a MultiPolygon's parts."""
    parts = [_part_pixels(part, shape) for part in getattr(polygon, "geoms", [polygon]) if not part.is_empty]
    return np.concatenate([np.zeros(0, int), *parts])


def _part_pixels(polygon: Any, shape: tuple[int, int]) -> np.ndarray:
    pixels = _ring_pixels(polygon.exterior, shape)
    if not polygon.interiors:
        return pixels
    return pixels[~np.isin(pixels, np.concatenate([_ring_pixels(ring, shape) for ring in polygon.interiors]))]


def _ring_pixels(ring: Any, shape: tuple[int, int]) -> np.ndarray:
    from skimage.draw import polygon

    # Drawing overflows at coordinates of 2^63, which annotations may hold; those beyond _FAR are far outside as well.
    x, y = np.clip(np.asarray(ring.coords)[:, :2].T, -_FAR, _FAR)
    return np.ravel_multi_index(polygon(y - 0.5, x - 0.5, shape), shape)
