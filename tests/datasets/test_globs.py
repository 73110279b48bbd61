"""Patterns of a user's paths: what a star, a double star and {name} stand for."""

import pytest

from karyobench.datasets import globs

PATHS = ["a.png", "images/a.png", "images/b.tif", "images/p1/a.png", "images/p1/deep/c.png", "imagesXa.png"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.png", ["a.png", "imagesXa.png"]),
        ("images/*.png", ["images/a.png"]),
        ("images/*", ["images/a.png", "images/b.tif"]),
        ("images/*/*.png", ["images/p1/a.png"]),
        ("images/**/*.png", ["images/a.png", "images/p1/a.png", "images/p1/deep/c.png"]),
        ("**/a.png", ["a.png", "images/a.png", "images/p1/a.png"]),
        ("images/[ab].png", []),
    ],
)
def test_stars(pattern: str, found: list[str]) -> None:
    assert globs.matching(reversed(PATHS), pattern) == found


EACH = {"a": ["images/a.png"], "p1/a": ["images/p1/a.png"], "p1/deep/c": ["images/p1/deep/c.png"]}


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("images/*.png", {"a": ["images/a.png"]}),
        (
            "images/**/*.png",
            {"a": ["images/a.png"], "p1/a": ["images/p1/a.png"], "p1/deep/c": ["images/p1/deep/c.png"]},
        ),
        ("images/{name}/a.png", {"p1": ["images/p1/a.png"]}),
        (
            "images/{name}.png",
            {"a": ["images/a.png"], "p1/a": ["images/p1/a.png"], "p1/deep/c": ["images/p1/deep/c.png"]},
        ),
        ("images/{name}/*", {"p1": ["images/p1/a.png"], "p1/deep": ["images/p1/deep/c.png"]}),
    ],
)
def test_names(pattern: str, names: dict[str, list[str]]) -> None:
    assert globs.named(PATHS, pattern) == names


def test_a_name_that_stands_twice() -> None:
    assert globs.named(["x/x_mask.png", "x/y_mask.png", "p/q/p/q_mask.png"], "{name}/{name}_mask.png") == {
        "p/q": ["p/q/p/q_mask.png"],
        "x": ["x/x_mask.png"],
    }


def test_suffixes_within_names() -> None:
    assert list(globs.named(["a.ome.tif", "b.c/d.png"], "**/*.*")) == ["a.ome", "b.c/d"]
