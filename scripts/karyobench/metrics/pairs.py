"""Compiled pass over two label maps: pixels of each pair of labels, by runs of equal pairs and a hash table.

Neighbours are mostly alike, so a block that fits the innermost cache is first turned into one flag per pixel (does the
pair change here?), which becomes vector instructions; only the ends of runs, one pixel in ten or so, reach the table.

The compiled code is kept where `cli.keep_compiled_code` says, or in NUMBA_CACHE_DIR.
"""

import numpy as np
from numba import njit

LABEL_BITS = 32

_BLOCK = 1 << 12
_WORD = 8
_FIRST_BITS = 10
# Slots per pair: probes stay short, and a table of 10,000 pairs still fits the second cache.
_ROOM = 4
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_GATHER = np.uint64(0x0102040810204080)
# Of each pattern of eight flags: the places of the first and the second, if there are, and how many there are.
_SET = [[place for place in range(_WORD) if pattern >> place & 1] for pattern in range(1 << _WORD)]
_PLACES = np.array([[*[*places, 0, 0][:2], len(places)] for places in _SET])

_compiled = njit(cache=True, nogil=True)


@_compiled
def count_pairs(truth, predicted):
    """Pixels of each pair of labels in two flat label maps.

    truth, predicted: int32 (n,), n > 0. Returns int64 (k,) keys, truth << LABEL_BITS | predicted, and
    int64 (k,) pixels, in no order; and the bitwise or of all labels of either map, which tells whether one is negative.
    """
    flags, ends = np.zeros(_BLOCK, np.uint8), np.empty(_BLOCK + _WORD, np.int64)
    table, bits, used, start = np.zeros((1 << _FIRST_BITS, 2), np.int64), _FIRST_BITS, 0, 0
    seen = np.zeros(2, np.int64)
    for first in range(0, truth.size, _BLOCK):
        last = min(first + _BLOCK, truth.size - 1)
        _flag_changes(truth[first : last + 1], predicted[first : last + 1], flags)
        found = _flagged(flags, first, ends)
        if first + _BLOCK >= truth.size:
            ends[found] = truth.size - 1
            found += 1
        while _ROOM * (used + found) > len(table):
            bits += 1
            table = _grown(table, bits)
        added, start = _add_runs(truth, predicted, ends[:found], start, table, bits, seen)
        used += added
    filled = np.flatnonzero(table[:, 1])
    return table[filled, 0], table[filled, 1], seen[0], seen[1]


@_compiled
def _flag_changes(truth, predicted, flags):
    """Flag each pixel whose pair differs from the next pixel's; the last pixel has no next one and is not flagged."""
    for i in range(truth.size - 1):
        flags[i] = np.uint8((truth[i + 1] != truth[i]) | (predicted[i + 1] != predicted[i]))
    flags[truth.size - 1 :] = 0


@_compiled
def _flagged(flags, first, ends):
    """Write the places of the flags, counted from `first`, and return how many there are."""
    words, found = flags.view(np.uint64), 0
    for word in range(words.size):
        # The product gathers the lowest bits of the eight bytes in its highest byte.
        pattern, start = np.int64((words[word] * _GATHER) >> np.uint64(56)), first + _WORD * word
        # Always written and kept only if flagged: a branch on whether a flag is there would be guessed wrong too often.
        ends[found] = start + _PLACES[pattern, 0]
        ends[found + 1] = start + _PLACES[pattern, 1]
        if _PLACES[pattern, 2] > 2:
            at = found
            for i in range(_WORD):
                ends[at] = start + i
                at += np.int64(flags[_WORD * word + i])
        found += _PLACES[pattern, 2]
    return found


@_compiled
def _add_runs(truth, predicted, ends, start, table, bits, seen):
    """Add the runs that end at `ends`, the first beginning at `start`; how many pairs are new, and the next start.

    table: int64 (2**bits, 2), rows of key and pixels; a row without pixels is free.
    """
    added, true_bits, pred_bits = 0, seen[0], seen[1]
    for end in ends:
        true, pred = np.int64(truth[end]), np.int64(predicted[end])
        true_bits |= true
        pred_bits |= pred
        key = (true << LABEL_BITS) | pred
        slot = _slot(table, key, bits)
        added += np.int64(table[slot, 1] == 0)
        table[slot, 0] = key
        table[slot, 1] += end + 1 - start
        start = end + 1
    seen[0], seen[1] = true_bits, pred_bits
    return added, start


@_compiled
def _slot(table, key, bits):
    """Row of the key, or the free row where it belongs."""
    # The upper bits of the product depend on all bits of the key; the lower ones would send every object of a row of
    # pixels to neighbouring slots.
    slot = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(64 - bits))
    while table[slot, 1] and table[slot, 0] != key:
        slot = (slot + 1) & (len(table) - 1)
    return slot


@_compiled
def _grown(table, bits):
    wider = np.zeros((1 << bits, 2), np.int64)
    for row in range(len(table)):
        if table[row, 1]:
            slot = _slot(wider, table[row, 0], bits)
            wider[slot, 0], wider[slot, 1] = table[row, 0], table[row, 1]
    return wider
