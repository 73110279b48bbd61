"""Which images the gallery shows, and what it says of them."""

from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karyobench.metrics.kinds import OBJECTS
from karyobench.reporting.gallery import choose, spread, with_card


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=9))
def test_best_median_and_worst_by_aji(scores: list[float]) -> None:
    names = [f"image{k}" for k in range(len(scores))]
    chosen = choose(pd.DataFrame({"image": names, "aji": scores}), "aji")
    image_of = {role: image for image, roles in chosen.items() for role in roles.split(" and ")}
    aji_of = dict(zip(names, scores, strict=True))
    assert set(image_of) == {"best", "median", "worst"}
    assert aji_of[image_of["best"]] == max(scores)
    assert aji_of[image_of["worst"]] == min(scores)
    assert aji_of[image_of["median"]] == sorted(scores)[(len(scores) - 1) // 2]
    assert image_of["best"] == min(n for n in names if aji_of[n] == max(scores))


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ({"a": 0.3}, {"a": "best and median and worst"}),
        ({"a": 0.3, "b": 0.6}, {"b": "best", "a": "median and worst"}),
        ({"a": 0.3, "b": 0.6, "c": 0.5}, {"b": "best", "c": "median", "a": "worst"}),
    ],
)
def test_few_images_share_the_roles(scores: dict[str, float], expected: dict[str, str]) -> None:
    chosen = choose(pd.DataFrame({"image": list(scores), "aji": list(scores.values())}), "aji")
    assert chosen == expected
    assert list(chosen) == list(expected)


def entry(**scores: float) -> SimpleNamespace:
    """What `with_card` reads of an entry."""
    images = pd.DataFrame({"image": list(scores), "aji": list(scores.values())})
    return SimpleNamespace(images=images, board=SimpleNamespace(kind=OBJECTS))


@given(st.lists(st.integers(), max_size=30), st.integers(-3, 40))
def test_a_spread_keeps_order_and_ends(listed: list[int], most: int) -> None:
    kept = spread(listed, most)
    assert len(kept) == min(len(listed), max(most, 0))
    places = iter(range(len(listed)))
    assert all(any(listed[place] == item for place in places) for item in kept)
    if len(kept) > 1:
        assert kept[0] is listed[0]
        assert kept[-1] is listed[-1]


def test_all_images_have_a_card_where_they_are_few() -> None:
    assert with_card([entry(b=0.5, a=0.1)], most=2) == ["a", "b"]


def test_of_many_images_the_best_median_and_worst_of_each_experiment_have_a_card() -> None:
    names = [f"i{k:02}" for k in range(40)]
    rising = entry(**{name: k / 40 for k, name in enumerate(names)})
    mixed = entry(**{name: (k * 7 % 40) / 40 for k, name in enumerate(names)})
    kept = with_card([rising, mixed], most=12)
    assert len(kept) == 12
    assert kept == sorted(kept)
    assert set(choose(rising.images, "aji")) | set(choose(mixed.images, "aji")) < set(kept)


def test_cards_that_are_needed_may_be_more_than_most() -> None:
    names = [f"i{k:02}" for k in range(9)]
    assert with_card([entry(**{name: k / 9 for k, name in enumerate(names)})], most=2) == ["i00", "i04", "i08"]
