"""Scores that are no means over images, over bootstrap draws: against the images of each draw, written out."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karyobench.metrics.classification import patient_rate, roc_auc
from karyobench.reporting import statistics
from karyobench.reporting.orderings import Ordering

IMAGES = st.lists(
    st.tuples(st.sampled_from("pqrs"), st.booleans(), st.integers(0, 3), st.booleans()), min_size=6, max_size=14
)


def compared(images: list[tuple[str, bool, int, bool]]) -> tuple[statistics.Comparison, list[str], list[list[int]]]:
    """Comparison with, beside the scores, a column per unit: its mean over a draw tells how often it was drawn."""
    groups = [group for group, *_ in images]
    kind, count = statistics.units(groups)
    names = sorted(set(groups)) if kind == "groups" else list(range(len(groups)))
    units = [[k for k, group in enumerate(groups) if (group if kind == "groups" else k) == name] for name in names]
    scores = {"rate": [float(right) for *_, right in images], "auc": np.nan}
    values = pd.DataFrame(scores | {f"unit{k}": np.isin(np.arange(len(images)), u) * 1.0 for k, u in enumerate(units)})
    positive, given_ = (np.array([image[k] for image in images]) for k in (1, 2))
    ordering = Ordering(positive, given_[None].astype(float))
    found = statistics.compare({"x": values}, groups, ["rate"], {"auc": {"x": [ordering]}})
    assert len(units) == count
    return found, groups, units


@settings(max_examples=10)
@given(IMAGES)
def test_draws_are_those_of_the_images_that_were_drawn(images: list[tuple[str, bool, int, bool]]) -> None:
    found, _, units = compared(images)
    if found.draws is None:
        assert len(units) < statistics.FEWEST_UNITS
        return
    positive, given_ = (np.array([image[k] for image in images]) for k in (1, 2))
    right = np.array([image[3] for image in images])
    for draw in range(0, statistics.RESAMPLES, 1999):
        rate, area, *shares = found.draws[0, :, draw]
        sizes = np.array([len(unit) for unit in units])
        times = _times(np.array(shares), sizes)
        picked = [k for unit, n in zip(units, times, strict=True) for _ in range(n) for k in unit]
        assert area == pytest.approx(roc_auc(positive[picked], given_[picked].astype(float)), nan_ok=True)
        patients = [f"{unit}-{copy}" for unit, n in enumerate(times) for copy in range(n) for _ in units[unit]]
        if found.unit == "groups":
            assert rate == pytest.approx(patient_rate(right[picked], np.ones(len(picked), bool), patients))


def _times(shares: np.ndarray, sizes: np.ndarray) -> list[int]:
    """How often each unit was drawn, from the share of the drawn images that are its own."""
    weights = shares / sizes
    return np.rint(weights / weights.sum() * len(sizes)).astype(int).tolist()


def test_the_whole_set_has_the_scores_of_the_definitions() -> None:
    images = [("p", True, 3, True), ("p", False, 1, True), ("q", True, 1, False), ("r", False, 2, False)]
    found, groups, _ = compared(images)
    rate, area, *_ = found.means[0]
    assert rate == pytest.approx(patient_rate([1, 1, 1, 1], [1, 1, 0, 0], groups)) == pytest.approx(1 / 3)
    assert area == roc_auc(np.array([True, False, True, False]), np.array([3.0, 1, 1, 2])) == 2.5 / 4


def test_an_area_is_averaged_over_seeds_and_over_classes() -> None:
    positive = np.array([True, True, False])
    seeds = np.array([[0.9, 0.8, 0.1], [0.9, 0.0, 0.5]])
    other = Ordering(~positive, np.array([[0.0, 0.0, 1.0]]))
    tables = {"x": pd.DataFrame({"auc": [np.nan] * 3})}
    orderings = {"auc": {"x": [Ordering(positive, seeds), other]}}
    means = statistics.compare(tables, ["a", "b", "c"], (), orderings).means
    assert means[0, 0] == pytest.approx(((1 + 0.5) / 2 + 1) / 2)
