"""The summary of a dataset against numbers worked out by hand."""

from typing import Any

import pytest

from karyobench.datasets.summary import summarise

IMAGES: dict[str, dict[str, Any]] = {
    "a": {"box": [0, 0, 10, 20], "n_instances": 4, "image_type": "he", "organ": "liver", "image_type_known": "he"},
    "b": {"box": [5, 5, 25, 15], "n_instances": 0, "image_type": "he", "organ": "colon"},
    "c": {"box": [0, 0, 30, 30], "n_instances": 5, "image_type": "fluorescence", "image_type_known": "he"},
}
CHECKS = [{"check": "grey images", "images": 1, "amount": 1, "note": ""}]


def made(
    record: dict[str, Any] | None = None, subset: str = "", images: dict[str, Any] | None = None
) -> dict[str, Any]:
    return summarise({"dataset": "d", "truth": "manual"} | (record or {}), subset, images or IMAGES, CHECKS)


def test_all_keys() -> None:
    found = made(subset="3 of 9")
    assert {key: found[key] for key in found.keys() - {"rows"}} == {
        **{"dataset": "d", "objects": "nuclei", "truth": "manual", "subset": "3 of 9"},
        **{"checks": CHECKS, "published": [], "typing": None},
    }


def test_rows_of_all_and_of_each_attribute_value() -> None:
    rows = {(row["by"], row["value"]): row for row in made()["rows"]}
    assert list(rows) == [
        *[("all", "all"), ("image_type", "fluorescence"), ("image_type", "he"), ("organ", "colon"), ("organ", "liver")]
    ]
    assert rows["all", "all"] == {
        **{"by": "all", "value": "all", "images": 3, "objects": 9, "empty": 1},
        **{"objects_min": 0, "objects_mean": 3.0, "objects_max": 5},
        **{"height_min": 10, "height_mean": 20.0, "height_max": 30},
        **{"width_min": 10, "width_mean": 20.0, "width_max": 30},
    }
    he = rows["image_type", "he"]
    assert (he["images"], he["objects"], he["objects_mean"], he["height_mean"], he["width_max"]) == (
        2,
        4,
        2.0,
        15.0,
        20,
    )
    assert rows["organ", "liver"]["images"] == 1


def test_rows_of_two_attributes_together() -> None:
    kept = {"box": [0, 0, 9, 9], "image_type": "he"}
    known = {"a": ("benign", 40), "b": ("benign", 100), "c": ("malignant", 40), "d": ("benign", 40)}
    images = {name: {**kept, "label": label, "magnification": power} for name, (label, power) in known.items()}
    images["e"] = {**kept, "magnification": 40}
    rows = {row["value"]: row["images"] for row in made(images=images)["rows"] if row["by"] == "magnification+label"}
    assert rows == {"100 benign": 1, "40 benign": 2, "40 malignant": 1}


@pytest.mark.parametrize(("objects", "empty"), [("classes", None), ("vessels", 1)])
def test_what_has_no_objects_counts_none(objects: str, empty: int | None) -> None:
    kept = ("box", "image_type") if objects == "classes" else ("box", "image_type", "n_instances")
    images = {name: {key: about[key] for key in kept} for name, about in IMAGES.items()}
    row = made({"objects": objects}, images=images)["rows"][0]
    assert [row[key] for key in ("objects", "objects_min", "objects_mean", "objects_max")] == [None] * 4
    assert (row["images"], row["empty"], row["width_max"]) == (3, empty, 30)


def test_published_counts_that_differ_are_explained() -> None:
    counts = {"images": 3, "objects": 12, "why": "corrected since"}
    assert made({"counts": counts}, "a part")["published"] == [
        {"what": "images", "stated": 3, "found": 3, "why": ""},
        {"what": "objects", "stated": 12, "found": 9, "why": "subset: a part; corrected since"},
    ]
    assert made({"counts": {"objects": 8}})["published"][0]["why"] == "no reason is known"


def test_the_confusion_is_that_of_images_whose_type_was_known() -> None:
    assert made({"image_type": "kmeans"})["typing"] == {
        "known": {"he": 2},
        "confusion": {"he": {"fluorescence": 1, "he": 1}},
    }
    unknown = {name: {key: about[key] for key in ("box", "image_type")} for name, about in IMAGES.items()}
    assert made({"image_type": "kmeans"}, images=unknown)["typing"] == {"known": {}, "confusion": {}}
