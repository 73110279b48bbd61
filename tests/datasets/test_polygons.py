"""Polygons cover the pixels whose centres they hold; the first one keeps a pixel."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.datasets.polygons import rasterize


def test_a_rectangle_between_pixels_covers_exactly_its_pixels() -> None:
    labels, contested = rasterize([shapely.box(2, 1, 5, 4)], (6, 8))
    expected = np.zeros((6, 8), int)
    expected[1:4, 2:5] = 1
    assert np.array_equal(labels, expected)
    assert (labels.dtype, contested) == (np.int32, 0)


def test_the_first_polygon_keeps_a_pixel_and_labels_are_places_in_the_list() -> None:
    labels, contested = rasterize([shapely.box(0, 0, 4, 4), shapely.box(2, 0, 6, 4), shapely.box(2, 2, 3, 3)], (4, 6))
    assert [(labels == k).sum() for k in (1, 2, 3)] == [16, 8, 0]
    assert contested == 8 + 1


def test_holes_and_parts() -> None:
    ring = shapely.Polygon(shapely.box(0, 0, 6, 6).exterior, [shapely.box(1, 1, 3, 3).exterior])
    both = shapely.MultiPolygon([ring, shapely.box(7, 0, 8, 2)])
    labels, _ = rasterize([both, shapely.box(1, 1, 2, 2)], (6, 8))
    assert [(labels == k).sum() for k in (1, 2)] == [36 - 4 + 2, 1]


def test_what_lies_outside_is_cut_off() -> None:
    labels, _ = rasterize([shapely.box(-5, -5, 2, 2), shapely.box(50, 50, 60, 60), shapely.Polygon()], (4, 4))
    assert (labels == 1).sum() == 4
    assert labels.max() == 1


def test_a_polygon_without_a_pixel_centre_leaves_no_trace() -> None:
    assert not rasterize([shapely.box(1.6, 1.6, 2.4, 2.4)], (4, 4))[0].any()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.floats(0, 12, width=32)] * 2), min_size=3, max_size=7))
def test_equals_asking_for_each_centre(corners: list[tuple[float, float]]) -> None:
    """Brute force with shapely; a centre within rounding of the outline may fall either way."""
    hull = shapely.MultiPoint(corners).convex_hull
    if hull.geom_type != "Polygon":
        return
    labels, _ = rasterize([hull], (12, 12))
    centres = shapely.points(np.arange(12)[None] + 0.5, np.arange(12)[:, None] + 0.5)
    clear = shapely.distance(hull.exterior, centres) > 1e-4
    assert np.array_equal((labels == 1)[clear], shapely.contains(hull, centres)[clear])


@pytest.mark.parametrize("angle", [0.1, 0.7, 1.3])
def test_area_is_kept(angle: float) -> None:
    disc = shapely.affinity.rotate(shapely.Point(50.3, 49.8).buffer(30), angle, use_radians=True)
    assert (rasterize([disc], (100, 100))[0] > 0).sum() == pytest.approx(disc.area, rel=0.01)
