"""Polygons to instance maps."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def rasterize(polygons: Iterable[Any], shape: tuple[int, int]) -> tuple[np.ndarray, int]:
    """Instance map int32 (H, W) of shapely polygons, and the number of pixels that more than one polygon claimed.

    The k-th polygon (from 1) becomes label k; it may be a MultiPolygon or have holes. Coordinates are x (column) and
    y (row) in pixels, with the corner of the first pixel at (0, 0): a pixel belongs to a polygon that holds its
    centre, at (0.5, 0.5). The first polygon keeps a pixel. What lies outside the map is cut off, and a polygon that
    holds no centre leaves no trace.
    """
    labels = np.zeros(shape, np.int32)
    contested = 0
    for label, polygon in enumerate(polygons, start=1):
        rows, columns = _pixels(polygon, shape)
        free = labels[rows, columns] == 0
        labels[rows[free], columns[free]] = label
        contested += int((~free).sum())
    return labels, contested


def _pixels(polygon: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of one polygon with its holes, or of a MultiPolygon's parts."""
    parts = [_part_pixels(part, shape) for part in getattr(polygon, "geoms", [polygon]) if not part.is_empty]
    if not parts:
        return np.zeros(0, int), np.zeros(0, int)
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([columns for _, columns in parts])


def _part_pixels(polygon: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = _ring_pixels(polygon.exterior, shape)
    if polygon.interiors:
        holes = [np.ravel_multi_index(_ring_pixels(ring, shape), shape) for ring in polygon.interiors]
        kept = ~np.isin(np.ravel_multi_index((rows, columns), shape), np.concatenate(holes))
        rows, columns = rows[kept], columns[kept]
    return rows, columns


def _ring_pixels(ring: Any, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    from skimage.draw import polygon

    x, y = np.asarray(ring.coords)[:, :2].T
    return polygon(y - 0.5, x - 0.5, shape)
