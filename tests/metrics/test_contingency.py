"""The table of pairs: against numpy on maps of every type, in bands, in blocks, on many threads and many objects."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from karyobench.errors import KaryobenchError
from karyobench.metrics import contingency as module
from karyobench.metrics import pairs
from karyobench.metrics.contingency import contingency, contingency_of_blocks

TYPES = ["?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", ">u2", ">i4"]


def entries(table):
    """Original labels and pixels of every entry."""
    truth, predicted = table.truth_labels[table.truth], table.predicted_labels[table.predicted]
    return list(zip(truth.tolist(), predicted.tolist(), table.pixels.tolist(), strict=True))


def by_numpy(truth, predicted):
    """Labels and pixels of every pair, in order."""
    both = np.stack([truth.ravel().astype(np.int64), predicted.ravel().astype(np.int64)])
    found, pixels = np.unique(both, axis=1, return_counts=True)
    return [(*pair, n) for pair, n in zip(found.T.tolist(), pixels.tolist(), strict=True)]


def grid(side, step, rng):
    """Touching squares of `step` pixels, with labels drawn at random from the 31-bit numbers."""
    count = -(-side // step)
    labels = rng.choice(2**31 - 1, count * count, replace=False).astype(np.int32).reshape(count, count)
    return np.kron(labels, np.ones((step, step), np.int32))[:side, :side]


def maps_of(kind):
    top = 1 if kind == "?" else min(np.iinfo(kind).max, 2**31 - 1)
    return hnp.arrays(np.dtype(kind), (4, 5), elements=st.sampled_from(sorted({0, 1, min(2, top), top})))


MAPS = st.sampled_from(TYPES).flatmap(maps_of)


@settings(max_examples=80)
@given(MAPS, MAPS)
def test_equals_numpy_for_every_pair_of_types(truth, predicted):
    assert entries(contingency(truth, predicted)) == by_numpy(truth, predicted)


@settings(max_examples=60)
@given(hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 3)), st.integers(1, 9), st.integers(1, 9))
def test_blocks_in_any_order_equal_the_whole(truth, height, width):
    predicted = np.roll(truth, 1, axis=1)
    boxes = [np.s_[r : r + height, c : c + width] for r in range(0, 6, height) for c in range(0, 7, width)]
    blocks = contingency_of_blocks((truth[box], predicted[box]) for box in reversed(boxes))
    assert entries(blocks) == entries(contingency(truth, predicted))


def test_blocks_are_put_together_before_they_pile_up(monkeypatch):
    monkeypatch.setattr(module, "_PENDING_PAIRS", 50)
    held = []
    joined = module._joined
    monkeypatch.setattr(module, "_joined", lambda parts: (held.append(sum(p[0].size for p in parts)), joined(parts))[1])
    truth = grid(120, 10, np.random.default_rng(0))
    rows = [(truth[r : r + 1], np.roll(truth, 3, axis=0)[r : r + 1]) for r in range(120)]
    table = contingency_of_blocks(iter(rows))
    assert entries(table) == by_numpy(truth, np.roll(truth, 3, axis=0))
    assert max(held) < 3 * table.pixels.size < sum(len(by_numpy(*row)) for row in rows)


def test_ten_thousand_objects():
    rng = np.random.default_rng(1)
    truth, predicted = grid(500, 5, rng), grid(500, 5, rng)
    predicted = np.roll(predicted, 2, axis=(0, 1))
    table = contingency(truth, predicted)
    assert table.n_true == 10_000
    assert entries(table) == by_numpy(truth, predicted)


@pytest.mark.parametrize("labels", [np.arange(1, 10_001), np.arange(1, 10_001) * 4096, np.arange(1, 10_001) << 17])
def test_regular_labels_spread_over_the_hash_table(labels):
    # A hash that keeps only the lower bits of the product sends such keys to a few slots.
    empty = np.zeros((1 << 16, 2), np.int64)
    slots = [pairs._slot(empty, key, 16) for key in (labels << pairs.LABEL_BITS | labels).tolist()]
    _, crowd = np.unique(slots, return_counts=True)
    assert crowd.max() <= 6


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 4095, 4096, 4097, 8192, 8193])
def test_runs_across_the_kernels_blocks(size):
    rng = np.random.default_rng(size)
    truth = np.repeat(rng.integers(0, 5, size), rng.integers(1, 40, size))[:size].astype(np.int32)
    keys, pixels, *_ = pairs.count_pairs(truth, truth[::-1].copy())
    assert sorted(zip((keys >> 32).tolist(), (keys & 0xFFFFFFFF).tolist(), pixels.tolist(), strict=True)) == by_numpy(
        truth, truth[::-1]
    )


@pytest.mark.parametrize("threads", [1, 2])
def test_table_does_not_depend_on_threads_or_layout(threads, monkeypatch):
    monkeypatch.setattr(module, "_BAND_PIXELS", 500)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    truth = grid(100, 7, np.random.default_rng(2))
    predicted = np.asfortranarray(np.roll(truth, 2, axis=1))
    predicted.flags.writeable = False
    assert entries(contingency(truth, predicted)) == by_numpy(truth, predicted)
    assert entries(contingency(truth[::2, ::3], predicted[::2, ::3])) == by_numpy(truth[::2, ::3], predicted[::2, ::3])


@pytest.mark.parametrize("bad", [np.int64(-1), np.int64(2**31), np.int64(2**40), np.uint64(2**63), np.int8(-1)])
def test_labels_out_of_range_are_refused_wherever_they_lie(bad):
    good, wrong = np.zeros((3, 5000), np.uint8), np.zeros((3, 5000), bad.dtype)
    wrong[2, 4096] = bad
    with pytest.raises(KaryobenchError, match="truth: labels must lie in"):
        contingency(wrong, good)
    with pytest.raises(KaryobenchError, match="prediction: labels must lie in"):
        contingency_of_blocks([(good, good), (good, wrong)])


def test_no_block_is_refused():
    with pytest.raises(KaryobenchError, match="no block"):
        contingency_of_blocks([])
