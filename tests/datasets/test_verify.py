"""Checks at ingest: what is refused, with its name, and what is counted, against counting object by object."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from karyobench.datasets import verify
from karyobench.datasets.store import Field
from karyobench.errors import KaryobenchError

WHERE = "dataset 'd': image 'x'"
SIZE = (6, 7)


def field(**changes: Any) -> Field:
    """An image with one object, changed as told."""
    labels = np.zeros(SIZE, np.int32)
    labels[1:3, 1:3] = 1
    image = np.arange(np.prod(SIZE) * 3, dtype=np.uint8).reshape(*SIZE, 3)
    return Field(**{"id": "x", "image": image, "instances": labels, "attributes": {}, "layers": {}} | changes)


def report(*fields: Field, objects: str = "nuclei") -> dict[str, tuple[int, int]]:
    """Images and amount by check, after all fields have been seen whole and stored."""
    checks = verify.Checks("d", objects)
    for k, item in enumerate(fields):
        checks.whole(item)
        about = {"sha256": str(k), "group": item.id, "n_instances": 1} | item.attributes
        checks.stored(Field(item.id, item.image, item.instances, about))
    return {check["check"]: (check["images"], check["amount"]) for check in checks.report()}


def test_a_sound_image_passes_and_every_check_that_was_made_is_told() -> None:
    found = report(field())
    assert set(found) == {
        *(verify.NO_TRUTH, verify.EMPTY, verify.SPLIT, verify.GAPS, verify.REPEATED, verify.BLANK, verify.GREY)
    }
    assert set(found.values()) == {(0, 0)}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"id": "a/b"}, "cannot be an image id"),
        ({"image": np.zeros(SIZE, np.uint8)}, r"the image is uint8 \(6, 7\), not uint8 \(H, W, 3\)"),
        ({"image": np.zeros((*SIZE, 3))}, r"the image is float64 \(6, 7, 3\)"),
        ({"image": np.zeros((0, 7, 3), np.uint8)}, r"the image is uint8 \(0, 7, 3\)"),
        ({"instances": np.zeros((6, 6), int)}, r"the truth has shape \(6, 6\), the image \(6, 7\)"),
        ({"instances": np.zeros(SIZE)}, "the truth is float64; labels are integers"),
        ({"instances": np.full(SIZE, -3)}, "the truth has the negative label -3"),
        ({"layers": {"ignored": np.zeros(SIZE, np.uint8)}}, r"no layer 'ignored' \(did you mean 'ignore'\?\)"),
        ({"layers": {"ignore": np.zeros((7, 6), np.uint8)}}, r"its layer 'ignore' has shape \(7, 6\)"),
        ({"layers": {"ignore": np.full(SIZE, 255, np.uint8)}}, "its layer 'ignore' holds 255; it is 1 where"),
        ({"layers": {"second": np.zeros((7, 6), int)}}, r"its layer 'second' has shape \(7, 6\)"),
        ({"layers": {"second": np.zeros(SIZE, bool)}}, "its layer 'second' is bool"),
        ({"layers": {"points": np.zeros((2, 3))}}, r"its layer 'points' has shape \(2, 3\), not \(N, 2\)"),
        ({"layers": {"points": np.array([[5, 6], [6, 5.0]])}}, r"a point at \[6.0, 5.0\], outside the image \(6, 7\)"),
        ({"layers": {"points": np.array([[0, -0.5]])}}, r"a point at \[0.0, -0.5\]"),
        ({"layers": {"points": np.array([[np.nan, 1]])}}, r"a point at \[nan, 1.0\]"),
    ],
)
def test_structural_faults_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(KaryobenchError, match=rf"^{WHERE}: .*{told}" if "id" not in changes else told):
        verify.refuse(field(**changes), WHERE)


def test_layers_of_the_right_shape_pass() -> None:
    layers = {"ignore": np.ones(SIZE, np.uint8), "second": np.full(SIZE, 9), "points": np.array([[0, 0], [5, 6.9]])}
    verify.refuse(field(layers=layers), WHERE)
    verify.refuse(field(instances=None, layers={"points": np.zeros((0, 2))}), WHERE)


@given(hnp.arrays(np.int16, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=st.integers(0, 4)))
def test_split_objects_and_unused_labels_object_by_object(labels: np.ndarray) -> None:
    used = np.unique(labels[labels > 0]).tolist()
    pieces = [ndimage.label(labels == k, np.ones((3, 3)))[1] for k in used]
    expected = sum(count > 1 for count in pieces), len(set(range(1, max(used, default=0) + 1)) - set(used))
    assert verify.split_and_unused(labels) == expected


def test_corners_join_and_neighbours_of_other_labels_do_not() -> None:
    assert verify.split_and_unused(np.array([[1, 0, 2], [0, 1, 2], [3, 1, 3]])) == (1, 0)


def test_findings_are_counted_in_images_and_in_all() -> None:
    pieces = np.zeros(SIZE, np.int32)
    pieces[0, 0] = pieces[0, 6] = 2
    pieces[3, 0] = pieces[5, 6] = 5
    grey = np.repeat(np.arange(42, dtype=np.uint8).reshape(*SIZE, 1), 3, axis=2)
    found = report(
        field(instances=pieces, attributes={"overlapping_pixels": 7, "lost_objects": 2}),
        field(id="y", image=np.full((*SIZE, 3), 9, np.uint8), attributes={"overlapping_pixels": 0, "lost_objects": 0}),
        field(
            id="z", image=grey, instances=np.zeros(SIZE, int), attributes={"n_instances": 0, "overlapping_pixels": 5}
        ),
        field(id="u", instances=None),
    )
    assert found == {
        verify.NO_TRUTH: (1, 1),
        verify.EMPTY: (1, 1),
        verify.SPLIT: (1, 2),
        verify.GAPS: (1, 3),
        verify.OVERLAP: (2, 12),
        verify.LOST: (1, 2),
        verify.REPEATED: (0, 0),
        verify.BLANK: (1, 1),
        verify.GREY: (2, 2),
    }


@pytest.mark.parametrize("objects", ["vessels", "regions"])
def test_masks_are_not_taken_for_objects(objects: str) -> None:
    found = report(field(instances=np.eye(*SIZE, dtype=int) * 3), objects=objects)
    assert not {verify.SPLIT, verify.GAPS} & set(found)


@pytest.mark.parametrize("known", [{"attributes": {"label": "benign"}}, {"layers": {"points": np.zeros((0, 2))}}])
def test_a_class_and_points_are_truth(known: dict[str, Any]) -> None:
    assert report(field(instances=None, **known), objects="classes")[verify.NO_TRUTH] == (0, 0)


def stored(*places: tuple[str, str, str | None]) -> verify.Checks:
    """Checks that have seen images (id, group, split of the region) of the same pixels."""
    checks = verify.Checks("d", "nuclei")
    for image_id, group, region in places:
        about = {"sha256": "same", "group": group} | ({"region_split": region} if region else {})
        checks.stored(field(id=image_id, attributes=about))
    return checks


def test_the_same_pixels_within_a_group_are_counted() -> None:
    told = {check["check"]: check for check in stored(("a", "p1", None), ("b", "p1", None), ("c", "p1", None)).report()}
    assert (told[verify.REPEATED]["images"], told[verify.REPEATED]["amount"]) == (2, 2)


@pytest.mark.parametrize("second", [("b", "p2", None), ("b", "p1", "test")])
def test_the_same_pixels_that_may_part_are_refused(second: tuple[str, str, str | None]) -> None:
    first = ("a", "p1", "train" if second[2] else None)
    with pytest.raises(KaryobenchError, match="dataset 'd': images 'a' and 'b' have the same pixels"):
        stored(first, second)
