"""One-to-one assignment over a sparse list of possible pairs: least total cost, leaving out what costs too much.

The compiled code is kept where `cli.keep_compiled_code` says, or in NUMBA_CACHE_DIR.
"""

import heapq
from typing import NamedTuple

import numpy as np
from numba import njit

_compiled = njit(cache=True, nogil=True)


class _Graph(NamedTuple):
    """Possible pairs by row; those of row r lie at starts[r]..starts[r + 1]."""

    starts: np.ndarray
    row: np.ndarray
    column: np.ndarray
    cost: np.ndarray


class _State(NamedTuple):
    """Chosen pair of each row and owner of each column (-1 for none), prices, and the search for the next row."""

    chosen: np.ndarray
    owner: np.ndarray
    row_price: np.ndarray
    column_price: np.ndarray
    distance: np.ndarray
    reached_by: np.ndarray
    settled: np.ndarray
    touched: np.ndarray


def cheapest(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray, unassigned: float) -> np.ndarray:
    """int64, ascending: indices of the pairs of an assignment of least total cost.

    rows, columns: int64 (K,), each pair once. costs: float64 (K,), 0 or more. unassigned: what a row without a column
    costs, 0 or more. Every row and every column is in at most one chosen pair. Which of several assignments of equal
    cost is chosen depends on the order of rows and columns alone. Memory grows with K; time with K times the length of
    the chains in which rows compete for columns, which are short between label maps.

    Method: shortest augmenting paths with prices (Jonker and Volgenant, Computing 38, 1987), row by row; each row has
    one column more of its own, which stands for no column.
    """
    _, row, in_row = np.unique(rows, return_inverse=True, return_counts=True)
    _, column, in_column = np.unique(columns, return_inverse=True, return_counts=True)
    # Most pairs compete with no other, and need no search.
    alone = (in_row[row] == 1) & (in_column[column] == 1)
    others = np.flatnonzero(~alone)
    found = others[_searched(row[others], column[others], costs[others], unassigned)]
    return np.sort(np.append(np.flatnonzero(alone & (costs < unassigned)), found))


def most(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """As `cheapest`, among the assignments with the most pairs. costs: float64 (K,) in 0..1."""
    # One pair less can save at most 1 in each of the others.
    return cheapest(rows, columns, costs, unassigned=rows.size + 1)


def _searched(rows: np.ndarray, columns: np.ndarray, costs: np.ndarray, unassigned: float) -> np.ndarray:
    """As `cheapest`, in no order, by a search for each row."""
    if not rows.size:
        return np.empty(0, np.int64)
    known, row = np.unique(rows, return_inverse=True)
    taken, column = np.unique(columns, return_inverse=True)
    every = np.arange(known.size)
    row, column = np.append(row, every), np.append(column, taken.size + every)
    cost = np.append(costs, np.full(known.size, unassigned, np.float64))
    order = np.lexsort((column, row))
    starts = np.searchsorted(row[order], np.append(every, known.size))
    chosen = order[_assign(_Graph(starts, row[order], column[order], cost[order]), taken.size + known.size)]
    return chosen[chosen < rows.size]


@_compiled
def _assign(graph, n_columns):
    """Pair of each row."""
    n_rows = graph.starts.size - 1
    state = _State(
        np.full(n_rows, -1),
        np.full(n_columns, -1),
        np.zeros(n_rows),
        np.zeros(n_columns),
        np.full(n_columns, np.inf),
        np.full(n_columns, -1),
        np.zeros(n_columns, np.bool_),
        np.empty(n_columns, np.int64),
    )
    for source in range(n_rows):
        end, length, n_touched = _nearest_free_column(graph, state, source)
        state.row_price[source] += length
        for column in state.touched[:n_touched]:
            if state.settled[column]:
                state.row_price[state.owner[column]] += length - state.distance[column]
                state.column_price[column] -= length - state.distance[column]
        _change_owners(graph, state, source, end)
        for column in state.touched[:n_touched]:
            state.distance[column], state.reached_by[column], state.settled[column] = np.inf, -1, False
    return state.chosen


@_compiled
def _nearest_free_column(graph, state, source):
    """The free column that costs least to reach, its distance, and how many columns the search touched."""
    here, walked, n_touched, waiting = source, 0.0, 0, [(0.0, source)]
    heapq.heappop(waiting)
    while True:
        for pair in range(graph.starts[here], graph.starts[here + 1]):
            to = graph.column[pair]
            far = walked + graph.cost[pair] - state.row_price[here] - state.column_price[to]
            if far < state.distance[to] and not state.settled[to]:
                if state.reached_by[to] < 0:
                    state.touched[n_touched] = to
                    n_touched += 1
                state.distance[to], state.reached_by[to] = far, pair
                heapq.heappush(waiting, (far, to))
        walked, to = heapq.heappop(waiting)
        while state.settled[to]:
            walked, to = heapq.heappop(waiting)
        if state.owner[to] < 0:
            return to, walked, n_touched
        state.settled[to] = True
        here = state.owner[to]


@_compiled
def _change_owners(graph, state, source, end):
    """Hand each column on the way from `end` back to `source` to the row that reached it."""
    to = end
    while True:
        pair = state.reached_by[to]
        row = graph.row[pair]
        before = state.chosen[row]
        state.chosen[row], state.owner[to] = pair, row
        if row == source:
            return
        to = graph.column[before]
