"""Compiled passes over the pixels of an image: moments, ranks and rebuilding, near the speed of memory.

Pixels are uint8 (n, 3), C-contiguous; a density table is float32 (256,), the optical density of each grey level. Every
pass cuts the pixels into parts that threads take in any order, and adds up integers: no result depends on the number
of threads or on where the pixels lie. Within a part, a block that fits the innermost cache is first unpacked into one
plane per channel, since loops over planes become vector instructions and loops over pixels do not.

The compiled code is kept where `cli.keep_compiled_code` says, or in NUMBA_CACHE_DIR.
"""

import numpy as np
from numba import njit, prange

KEYS = 1 << 24
"""Ranked values are integer keys below it; it is itself the key of a pixel that is left out."""

DIGIT = 12
"""Bits of a digit: a key has an upper and a lower one."""

FIXED = 1 << 22
"""One in fixed point: a density takes 25 bits, so the squares of a block of 2**13 pixels fit into 63."""

_FIXED_BLOCK = 1 << 13
_BLOCK = 1 << 11
_PARTS = 16
_TABLES = 4
_DIGIT, _LOWER = np.uint32(DIGIT), np.uint32((1 << DIGIT) - 1)
_BINS = (KEYS >> DIGIT) + 1

# Numba widens an operation on a float32 and a plain number to float64.
_ZERO, _HALF, _TWO = np.float32(0), np.float32(0.5), np.float32(2)
_TINY = np.float32(1e-30)
_ANGLE_SCALE = np.float32(KEYS / 4)
_LAST_KEY = np.float32(KEYS - 1)
# Exponents of two: I + 1 below 2**-2 rounds to black, at 2**8 to white.
_DARKEST, _BRIGHTEST, _WHITE = np.float32(-2), np.float32(8), np.float32(np.log2(240))
# 2**f for f in 0..1 by least squares of the relative error, which stays below 2e-7.
_P0, _P1, _P2 = np.float32(0.999999925), np.float32(0.693153073), np.float32(0.240153619)
_P3, _P4, _P5 = np.float32(0.0558263136), np.float32(0.00898934542), np.float32(0.00187757457)

_compiled = njit(cache=True, error_model="numpy")
_parallel = njit(cache=True, error_model="numpy", parallel=True)


@_parallel
def moments(pixels, fixed, beta):
    """Count, sums and sums of products of the densities of the pixels with `beta` or more in every channel.

    fixed: int32 (256,), densities in units of 1 / FIXED, as beta is. Returns int64 (blocks, 10), a row per block of
    pixels: count, 3 sums, and the products 00 01 02 11 12 22. No row overflows; their sum may, in int64.
    """
    blocks = (len(pixels) + _FIXED_BLOCK - 1) // _FIXED_BLOCK
    found = np.empty((blocks, 10), np.int64)
    for block in prange(blocks):
        _sums(pixels[block * _FIXED_BLOCK : (block + 1) * _FIXED_BLOCK], fixed, beta, found[block])
    return found


@_parallel
def tally_angles(pixels, table, axes, beta, digits):
    """Count digits of the keys of the pixels' angles in a plane, for pixels of density `beta` or more in each channel.

    axes: float32 (2, 3), the directions of angle 0 and of a right angle. The key of an angle is its place on the
    square |x| + |y| = 1, walked from -pi to pi in KEYS steps: in the angles' order, without an arctangent.
    digits: int32 (2,), each for `_tally`. Returns uint32 (parts, 2, 4097) and int32 (parts, 2), its counts and keys.
    """
    parts = _parts(pixels)
    counts, above = np.empty((parts, 2, _BINS), np.uint32), np.empty((parts, 2), np.int32)
    for part in prange(parts):
        _tally_angles(_part(pixels, part, parts), table, axes, beta, digits, counts[part], above[part])
    return counts, above


@_parallel
def tally_concentrations(pixels, table, weights, scales, digits):
    """Count digits of the keys of two weighted sums of each pixel's densities; sums below zero count as zero.

    weights: float32 (2, 3). scales: float32 (2,), keys per unit. digits, returns: as `tally_angles`.
    """
    parts = _parts(pixels)
    counts, above = np.empty((parts, 2, _BINS), np.uint32), np.empty((parts, 2), np.int32)
    for part in prange(parts):
        _tally_concentrations(_part(pixels, part, parts), table, weights, scales, digits, counts[part], above[part])
    return counts, above


@_parallel
def rebuild(pixels, table, operator):
    """Pixels whose densities were multiplied by a 3x3 matrix; those without density in any channel stay as they are.

    table: densities in octaves, log2(Io / (I + 1)). operator: float32 (3, 3). Returns uint8 (n, 3).
    """
    rebuilt, parts = np.empty_like(pixels), _parts(pixels)
    for part in prange(parts):
        _rebuild(_part(pixels, part, parts), table, operator, _part(rebuilt, part, parts))
    return rebuilt


@_compiled
def _parts(pixels):
    return max(1, min(_PARTS, len(pixels) // _BLOCK))


@_compiled
def _part(pixels, part, parts):
    return pixels[part * len(pixels) // parts : (part + 1) * len(pixels) // parts]


@_compiled
def _tally_angles(pixels, table, axes, beta, digits, counts, above):
    planes, keys = np.empty((3, _BLOCK), np.float32), np.empty(_BLOCK, np.int32)
    tables = np.zeros((2, _TABLES, _BINS), np.uint32)
    above[:] = KEYS
    for start in range(0, len(pixels), _BLOCK):
        size = min(_BLOCK, len(pixels) - start)
        _unpack(pixels[start : start + size], table, planes)
        _angle_keys(planes, axes, beta, keys[:size])
        above[0] = min(above[0], _tally(keys[:size], digits[0], tables[0]))
        if digits[1] != digits[0]:
            above[1] = min(above[1], _tally(keys[:size], digits[1], tables[1]))
    _add_up(tables[0], counts[0])
    _add_up(tables[1], counts[1])
    if digits[1] == digits[0]:
        counts[1], above[1] = counts[0], above[0]


@_compiled
def _tally_concentrations(pixels, table, weights, scales, digits, counts, above):
    planes, keys = np.empty((3, _BLOCK), np.float32), np.empty(_BLOCK, np.int32)
    tables = np.zeros((2, _TABLES, _BINS), np.uint32)
    above[:] = KEYS
    for start in range(0, len(pixels), _BLOCK):
        size = min(_BLOCK, len(pixels) - start)
        _unpack(pixels[start : start + size], table, planes)
        for stain in range(2):
            _linear_keys(planes, weights[stain], scales[stain], keys[:size])
            above[stain] = min(above[stain], _tally(keys[:size], digits[stain], tables[stain]))
    _add_up(tables[0], counts[0])
    _add_up(tables[1], counts[1])


@_compiled
def _rebuild(pixels, table, operator, rebuilt):
    planes, levels = np.empty((3, _BLOCK), np.float32), np.empty((3, _BLOCK), np.uint8)
    for start in range(0, len(pixels), _BLOCK):
        size = min(_BLOCK, len(pixels) - start)
        _unpack(pixels[start : start + size], table, planes)
        for channel in range(3):
            _grey_levels(planes, planes[channel], operator[channel], levels[channel, :size])
        _interleave(levels, rebuilt[start : start + size].reshape(-1))


@_compiled
def _interleave(levels, flat):
    """Planes into pixels: the stride has to be plain in the index for this loop to become vector instructions."""
    for i in range(len(flat) // 3):
        flat[3 * i] = levels[0, i]
        flat[3 * i + 1] = levels[1, i]
        flat[3 * i + 2] = levels[2, i]


@_compiled
def _add_up(tables, counts):
    for i in range(len(counts)):
        counts[i] = tables[0, i] + tables[1, i] + tables[2, i] + tables[3, i]


@_compiled
def _unpack(pixels, table, planes):
    for i in range(len(pixels)):
        planes[0, i] = table[pixels[i, 0]]
        planes[1, i] = table[pixels[i, 1]]
        planes[2, i] = table[pixels[i, 2]]


@_compiled
def _sums(pixels, fixed, beta, found):
    planes = np.empty((3, _FIXED_BLOCK), np.int32)
    _unpack(pixels, fixed, planes)
    count = s0 = s1 = s2 = s00 = s01 = s02 = s11 = s12 = s22 = np.int64(0)
    for i in range(len(pixels)):
        red, green, blue = planes[0, i], planes[1, i], planes[2, i]
        taken = min(red, green, blue) >= beta
        x = np.int64(red if taken else np.int32(0))
        y = np.int64(green if taken else np.int32(0))
        z = np.int64(blue if taken else np.int32(0))
        count += np.int64(taken)
        s0 += x
        s1 += y
        s2 += z
        s00 += x * x
        s01 += x * y
        s02 += x * z
        s11 += y * y
        s12 += y * z
        s22 += z * z
    found[0], found[1], found[2], found[3] = count, s0, s1, s2
    found[4], found[5], found[6], found[7], found[8], found[9] = s00, s01, s02, s11, s12, s22


@_compiled
def _angle_keys(planes, axes, beta, keys):
    x0, x1, x2 = axes[0]
    y0, y1, y2 = axes[1]
    for i in range(len(keys)):
        red, green, blue = planes[0, i], planes[1, i], planes[2, i]
        x = x0 * red + x1 * green + x2 * blue
        y = y0 * red + y1 * green + y2 * blue
        place = y / max(abs(x) + abs(y), _TINY)
        place = place if x >= _ZERO else np.copysign(_TWO, y) - place
        key = np.int32(min((place + _TWO) * _ANGLE_SCALE, _LAST_KEY))
        keys[i] = key if min(red, green, blue) >= beta else np.int32(KEYS)


@_compiled
def _linear_keys(planes, weights, scale, keys):
    w0, w1, w2 = weights
    for i in range(len(keys)):
        value = (w0 * planes[0, i] + w1 * planes[1, i] + w2 * planes[2, i]) * scale
        keys[i] = np.int32(min(max(value, _ZERO), _LAST_KEY))


@_compiled
def _tally(keys, digit, tables):
    """Count the upper digits of all keys (digit < 0), or the lower digits of those whose upper digit is `digit`.

    The counts are spread over several tables: neighbours are alike, and a count waits for the one before it in memory.
    Returns the least key whose upper digit is greater, or KEYS.
    """
    above = np.int32(KEYS)
    if digit < 0:
        for i in range(len(keys)):
            tables[i % _TABLES, np.uint32(keys[i]) >> _DIGIT] += np.uint32(1)
        return above
    for i in range(len(keys)):
        if keys[i] >> np.int32(_DIGIT) == digit:
            tables[0, np.uint32(keys[i]) & _LOWER] += np.uint32(1)
    ceiling = (digit + np.int32(1)) << np.int32(_DIGIT)
    for i in range(len(keys)):
        above = min(above, keys[i] if keys[i] >= ceiling else np.int32(KEYS))
    return above


@_compiled
def _grey_levels(planes, own, weights, levels):
    w0, w1, w2 = weights
    for i in range(len(levels)):
        red, green, blue = planes[0, i], planes[1, i], planes[2, i]
        density = w0 * red + w1 * green + w2 * blue
        density = density if max(red, green, blue) > _ZERO else own[i]
        exponent = min(max(_WHITE - density, _DARKEST), _BRIGHTEST)
        levels[i] = np.uint8(np.int32(_power_of_two(exponent) - _HALF))


@_compiled
def _power_of_two(exponent):
    whole = np.floor(exponent)
    f = exponent - whole
    power = ((((_P5 * f + _P4) * f + _P3) * f + _P2) * f + _P1) * f + _P0
    bits = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return power * np.int32(bits).view(np.float32)
