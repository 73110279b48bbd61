"""The colours of an image and how often each occurs: what a fit that ignores places needs to know of it.

The pixels are sorted into buckets by the upper bits of their channels, then each bucket is counted in a table that fits
the innermost cache. Neither a table of all 2**24 colours nor a sort of the pixels is needed.
"""

import numpy as np
from numba import njit, prange

_BITS = 4
_LOW = 8 - _BITS
_BUCKETS = 1 << 3 * _BITS
_CODES = 1 << 3 * _LOW
_MASK = (1 << _LOW) - 1
_PARTS = 16
_GROUPS = 64

_compiled = njit(cache=True, error_model="numpy")
_parallel = njit(cache=True, error_model="numpy", parallel=True)


def count(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct colours of pixels, in an order that depends on the colours alone, and the number of pixels of each.

    pixels: uint8 (n, 3), C-contiguous, fewer than 2**32. Returns uint8 (3, m) and uint32 (m,).
    """
    sizes = _bucket_sizes(pixels)
    ends = np.cumsum(sizes.T.ravel())
    starts = (ends - sizes.T.ravel()).reshape(sizes.T.shape).T.copy()
    codes = _sorted_codes(pixels, starts)
    bounds = np.concatenate([[0], ends[len(sizes) - 1 :: len(sizes)]])
    groups = np.searchsorted(bounds, np.linspace(0, len(pixels), _GROUPS + 1))
    groups[-1] = _BUCKETS
    firsts = np.concatenate([[0], np.cumsum(_distinct(codes, bounds, groups))])
    return _counted(codes, bounds, groups, firsts)


@_parallel
def _bucket_sizes(pixels):
    """int64 (parts, buckets): how many pixels of each part of the image fall into each bucket."""
    sizes = np.zeros((_PARTS, _BUCKETS), np.int64)
    for part in prange(_PARTS):
        for i in range(part * len(pixels) // _PARTS, (part + 1) * len(pixels) // _PARTS):
            sizes[part, _bucket(pixels[i])] += 1
    return sizes


@_parallel
def _sorted_codes(pixels, starts):
    """uint16 (n,): the lower bits of all pixels, bucket after bucket. starts: (parts, buckets), used up."""
    codes = np.empty(len(pixels), np.uint16)
    for part in prange(_PARTS):
        for i in range(part * len(pixels) // _PARTS, (part + 1) * len(pixels) // _PARTS):
            bucket = _bucket(pixels[i])
            codes[starts[part, bucket]] = _code(pixels[i])
            starts[part, bucket] += 1
    return codes


@_parallel
def _distinct(codes, bounds, groups):
    """int64 (buckets,): number of different codes in each bucket."""
    found = np.zeros(_BUCKETS, np.int64)
    for group in prange(_GROUPS):
        last_seen = np.full(_CODES, -1, np.int32)
        for bucket in range(groups[group], groups[group + 1]):
            for i in range(bounds[bucket], bounds[bucket + 1]):
                found[bucket] += last_seen[codes[i]] != bucket
                last_seen[codes[i]] = bucket
    return found


@_parallel
def _counted(codes, bounds, groups, firsts):
    """The colours, bucket after bucket, and their counts. firsts: (buckets + 1,), where each bucket's colours begin."""
    colours, counts = np.empty((3, firsts[-1]), np.uint8), np.empty(firsts[-1], np.uint32)
    for group in prange(_GROUPS):
        tally = np.zeros(_CODES, np.uint32)
        for bucket in range(groups[group], groups[group + 1]):
            if firsts[bucket] < firsts[bucket + 1]:
                for i in range(bounds[bucket], bounds[bucket + 1]):
                    tally[codes[i]] += np.uint32(1)
                _empty_into(tally, bucket, firsts[bucket], colours, counts)
    return colours, counts


@_compiled
def _empty_into(tally, bucket, place, colours, counts):
    for code in range(_CODES):
        if tally[code]:
            for channel in range(3):
                high = bucket >> _BITS * (2 - channel) & ((1 << _BITS) - 1)
                low = code >> _LOW * (2 - channel) & _MASK
                colours[channel, place] = high << _LOW | low
            counts[place] = tally[code]
            tally[code] = 0
            place += 1


@_compiled
def _bucket(pixel):
    return (pixel[0] >> _LOW << 2 * _BITS) | (pixel[1] >> _LOW << _BITS) | pixel[2] >> _LOW


@_compiled
def _code(pixel):
    return (pixel[0] & _MASK) << 2 * _LOW | (pixel[1] & _MASK) << _LOW | pixel[2] & _MASK
