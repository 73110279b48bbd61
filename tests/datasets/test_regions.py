"""Regions of different splits keep their guard, and are cut where they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.datasets import regions
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

FIELD = Field(
    "slide",
    np.random.default_rng(0).integers(0, 256, (60, 100, 3), np.uint8),
    np.arange(6000, dtype=np.int32).reshape(60, 100),
    {"group": "patient", "box": [0, 0, 60, 100], "parent": "slide"},
)


def cut(boxes: dict[str, list[list[int]]], guard: int = 10) -> list[Field]:
    """Regions of FIELD."""
    return list(regions.cut([FIELD], {"guard": guard, "boxes": {"slide": boxes}}))


def test_regions_are_named_cut_and_described() -> None:
    made = cut({"train": [[0, 0, 60, 50]], "test": [[0, 60, 30, 100], [30, 60, 60, 100]]})
    assert [item.id for item in made] == ["slide-train1", "slide-test1", "slide-test2"]
    assert np.array_equal(made[2].image, FIELD.image[30:, 60:])
    assert np.array_equal(made[2].instances, FIELD.instances[30:, 60:])
    about = {"group": "patient", "parent": "slide", "box": [30, 60, 60, 100], "region_split": "test"}
    assert made[2].attributes == about


@pytest.mark.parametrize(
    ("test_box", "apart"),
    [([0, 59, 60, 100], 9), ([0, 50, 60, 100], 0), ([10, 10, 20, 20], -10), ([0, 40, 60, 100], -10)],
)
def test_too_near_is_refused_naming_both_boxes(test_box: list[int], apart: int) -> None:
    with pytest.raises(KaryobenchError) as told:
        cut({"train": [[0, 0, 60, 50]], "test": [test_box]})
    for text in ("slide-train1", "[0, 0, 60, 50]", "slide-test1", str(test_box), f"{apart} px apart", "guard of 10"):
        assert text in str(told.value)


def test_the_guard_counts_along_one_axis() -> None:
    """Diagonal neighbours: 10 px apart in rows, none in columns."""
    assert len(cut({"train": [[0, 0, 20, 50]], "val": [[30, 40, 60, 100]]})) == 2


def test_regions_of_one_split_may_touch_but_not_overlap() -> None:
    assert len(cut({"test": [[0, 0, 30, 50], [30, 0, 60, 50]]})) == 2
    with pytest.raises(KaryobenchError, match="need no overlap"):
        cut({"test": [[0, 0, 31, 50], [30, 0, 60, 50]]})


@pytest.mark.parametrize("box", [[0, 0, 61, 50], [0, 0, 60, 101], [-1, 0, 60, 50], [30, 0, 30, 50], [0, 50, 60, 40]])
def test_boxes_must_lie_in_their_field(box: list[int]) -> None:
    with pytest.raises(KaryobenchError, match=r"'slide-val1' is not within its field of \(60, 100\)"):
        cut({"val": [box]})


def test_every_field_has_boxes_and_all_boxes_a_field() -> None:
    with pytest.raises(KaryobenchError, match=r"field 'slide' has none \(did you mean 'slides'\?\)"):
        list(regions.cut([FIELD], {"guard": 1, "boxes": {"slides": {}}}))
    boxes = {"slide": {"train": [[0, 0, 9, 9]]}, "other": {"train": [[0, 0, 9, 9]]}}
    with pytest.raises(KaryobenchError, match="no field 'other'"):
        list(regions.cut([FIELD], {"guard": 1, "boxes": boxes}))


boxes = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, boxes)
def test_gap_equals_the_smallest_chebyshev_distance_of_pixels(a: regions.Box, b: regions.Box) -> None:
    """Two pixels at Chebyshev distance d have d - 1 pixels between them."""
    rows = [abs(r - s) for r in range(a[0], a[2]) for s in range(b[0], b[2])]
    columns = [abs(r - s) for r in range(a[1], a[3]) for s in range(b[1], b[3])]
    between = max(min(rows), min(columns)) - 1
    assert max(regions.gap(a, b), -1) == between
    assert regions.gap(a, b) == regions.gap(b, a)
