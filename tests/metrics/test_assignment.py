"""Assignments against scipy's on the dense matrix, and on chains in which every row wants what another has."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from karyobench.metrics.assignment import cheapest, most

# Few values, so that ties are the rule.
COSTS = hnp.arrays(
    float, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7), elements=st.sampled_from(range(9))
).map(lambda costs: costs / 8)
FORBIDDEN = 7 / 8


def chosen(assign, costs, *args):
    """Rows, columns and costs of the chosen pairs, out of those whose cost is not the forbidden one."""
    rows, columns = np.nonzero(costs != FORBIDDEN)
    picked = assign(rows, columns, costs[rows, columns], *args)
    assert picked.tolist() == sorted(picked)
    assert len(set(rows[picked])) == len(set(columns[picked])) == picked.size
    return rows[picked], columns[picked], costs[rows, columns][picked]


@settings(max_examples=300)
@given(COSTS, st.sampled_from([0, 0.5, 1, 3]))
def test_cheapest_equals_scipy_with_a_column_more_per_row(costs, unassigned):
    allowed = np.where(costs == FORBIDDEN, 1e6, costs)
    exits = np.full((len(costs), len(costs)), float(unassigned))
    dense = np.hstack([allowed, exits])
    best = dense[linear_sum_assignment(dense)].sum()
    rows, _, paid = chosen(cheapest, costs, unassigned)
    assert paid.sum() + unassigned * (len(costs) - rows.size) == pytest.approx(best)


@settings(max_examples=300)
@given(COSTS)
def test_most_has_the_most_pairs_and_then_the_least_cost(costs):
    dense = np.where(costs == FORBIDDEN, 100, costs)
    best = dense[linear_sum_assignment(dense)]
    _, _, paid = chosen(most, costs)
    assert paid.size == (best < 100).sum()
    assert paid.sum() == pytest.approx(best[best < 100].sum())


def test_no_pair():
    nothing = np.empty(0, np.int64)
    assert cheapest(nothing, nothing, np.empty(0), 1).tolist() == most(nothing, nothing, np.empty(0)).tolist() == []


def test_a_long_chain_moves_as_a_whole():
    # Row k may take column k for 0 or k + 1 for 1; the last row may take column 0 alone.
    size = 2000
    rows, columns = np.append(np.repeat(np.arange(size), 2), size), np.append(np.arange(size)[:, None] + [0, 1], 0)
    picked = most(rows, columns, np.append(np.tile([0.0, 1.0], size), 0))
    assert picked.size == size + 1
    assert columns[picked].tolist() == [*range(1, size + 1), 0]


def test_order_of_the_pairs_does_not_matter():
    rng = np.random.default_rng(0)
    rows, columns = np.nonzero(rng.random((30, 30)) < 0.2)
    costs, order = rng.random(rows.size), rng.permutation(rows.size)
    there, here = cheapest(rows[order], columns[order], costs[order], 1), cheapest(rows, columns, costs, 1)
    assert sorted(order[there]) == here.tolist()
