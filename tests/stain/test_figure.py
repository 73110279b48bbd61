"""Which images a stain's figure shows, and what it tells of them."""

import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.stain import macenko
from karyobench.stain.figure import choose, examples

RECORD = {"method": "macenko", "beta": 0.15, "alpha": 1, "reference": {"dataset": "lab", "image": "a"}}


def organs(**of: str | None) -> dict[str, dict]:
    return {i: {"image_type": "he"} | ({"organ": organ} if organ else {}) for i, organ in of.items()}


def test_the_first_image_of_each_organ_is_chosen():
    images = organs(e="lung", a="lung", b="liver", d="liver", c="colon", f="brain", g="bladder")
    assert choose(images) == ["g", "f", "c", "b"]


def test_fewer_organs_are_filled_up_at_even_distances():
    assert choose(organs(**dict.fromkeys("abcdefghij"))) == ["a", "c", "f", "i"]
    assert choose(organs(a="lung", b="lung", c="liver")) == ["c", "a", "b"]


def test_collections_stand_for_organs_and_other_types_are_left_out():
    images = {"a": {"image_type": "fluorescence"}, "b": {"image_type": "he", "collection": "y"}}
    images["c"] = {"image_type": "he", "collection": "x"}
    assert choose(images) == ["c", "b"]
    assert choose({"a": {"image_type": "brightfield"}}) == []


@pytest.fixture
def files(tmp_path, painted, stains, other_stains):
    """Paths of a dataset before and after; its normalised images are its own painted otherwise."""
    notes = {"a": "normalised", "blank": "passed unchanged: blank"}
    before = {"a": painted(stains, side=300), "blank": np.full((40, 50, 3), 250, np.uint8)}
    after = before | {"a": painted(other_stains, side=300)}
    reference = macenko.fit(after["a"], 0.15, 1).matrix
    for name, images, about in (("before", before, {}), ("after", after, {"stain_matrix": reference})):
        with store.writing(tmp_path / f"{name}.h5", {"dataset": "lab"} | about) as writer:
            for i, image in images.items():
                note = {"stain_note": notes[i]} if about else {}
                writer.add(store.Field(i, image, None, {"image_type": "he", "organ": f"organ of {i}"} | note))
    return tmp_path / "before.h5", tmp_path / "after.h5"


def test_examples_tell_what_the_files_hold(files, painted, stains):
    shown, reference = examples(*files, RECORD)
    first, blank = shown
    assert (first.id, first.group, first.note) == ("a", "organ of a", "normalised")
    np.testing.assert_array_equal(first.before.crop, painted(stains, side=300)[22:278, 22:278])
    np.testing.assert_array_equal(first.before.vectors, macenko.fit(painted(stains, side=300), 0.15, 1).matrix)
    np.testing.assert_array_equal(first.after.vectors, reference)
    assert blank.before.vectors is None
    assert blank.note == "passed unchanged: blank"
    assert blank.after.crop.shape == (40, 50, 3)
    assert first.before.colours.shape == (1500, 3)


def test_methods_without_stain_vectors_are_told_by_macenkos(files):
    with store.reading(files[1]) as done:
        fields = [done.field(i) for i in done.ids]
    with store.writing(files[1], {"dataset": "lab"}) as writer:
        for item in fields:
            writer.add(item)
    shown, reference = examples(*files, {"method": "reinhard", "reference": RECORD["reference"]})
    assert reference is None
    assert shown[0].after.vectors.shape == (3, 2)
