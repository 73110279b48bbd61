"""Normalisation after Vahadane et al., "Structure-preserving color normalization and sparse stain separation for
histological images", IEEE TMI 2016.

Rules where the paper leaves room. Optical density is that of `density` (Io = 240, +1). A pixel is tissue when its
optical density is at least beta, and above zero, in every channel. The stain matrix W is the minimum of the sparse
non-negative factorisation of the tissue (see `snmf` for the objective, its start and when it ends), hematoxylin being
the column with more red density. The concentrations of a pixel, tissue or not, are the h >= 0 that minimise |v - W
h|^2; the maximum concentrations are their 99th percentiles over all pixels of the image, background included. An
image is rebuilt from its own concentrations, scaled by the ratio of the maxima, in the stains of the reference.
Pixels without density in any channel stay as they are.

The paper takes the concentrations from the factorisation, so the sparsity is taken off each of them. That makes an
image normalised to its own stains paler, and paler again with each turn (6 grey levels on MoNuSeg at 0.1). Here, as
in most implementations, the sparsity is spent on finding W alone.

Concentrations are told apart to 2**-24 of the largest possible.
"""

from functools import partial

import numpy as np
from numba import njit, prange

from karyobench.stain import colours, kernels, ranks, snmf
from karyobench.stain.density import GREY_DENSITY, StainFit, Unfit, pixels
from karyobench.stain.macenko import MIN_ANGLE, MIN_TISSUE_PIXELS, MIN_TISSUE_SHARE

_MAXIMUM = 99
_TABLE = (GREY_DENSITY / np.log(2)).astype(np.float32)
_ZERO, _ONE = np.float32(0), np.float32(1)
_DIGIT = 12
_BINS = (kernels.KEYS >> _DIGIT) + 1
_PARTS = 16

_compiled = njit(cache=True, error_model="numpy")
_parallel = njit(cache=True, error_model="numpy", parallel=True)


def fit(image: np.ndarray, beta: float, sparsity: float) -> StainFit:
    """Stains of an H&E image.

    image: uint8 (H, W, 3). beta: least optical density of tissue. sparsity: lambda of the paper, in optical density.
    Depends on which colours there are and how often, to the last bit, not on where they lie or on the threads.
    Raises Unfit when the image holds too little tissue or a single stain.
    """
    flat = pixels(image)
    found, counts = colours.count(flat)
    tissue = (found < np.count_nonzero((beta <= GREY_DENSITY) & (GREY_DENSITY > 0))).all(axis=0)
    number = counts[tissue].sum()
    if number < max(MIN_TISSUE_PIXELS, MIN_TISSUE_SHARE * len(flat)):
        raise Unfit(f"{number} of {len(flat)} pixels are tissue, too few to tell the stains")
    densities = GREY_DENSITY[found.compress(tissue, axis=1)]
    matrix = snmf.factorise(densities, counts[tissue], sparsity).matrix
    angle = np.arccos(min(matrix[:, 0] @ matrix[:, 1], 1))
    if angle < MIN_ANGLE:
        raise Unfit(f"the stains are {np.degrees(angle):.1f} degrees apart, too close to be two")
    maxima = _maximum_concentrations(found, counts, matrix)
    if not maxima.min() > 0:
        raise Unfit("the stain concentrations are not positive")
    return StainFit(matrix, maxima)


def transform(image: np.ndarray, source: StainFit, reference: StainFit) -> np.ndarray:
    """Rebuild an image from its own concentrations with the reference's stain matrix and maximum concentrations.

    image: uint8 (H, W, 3), whose own stains are `source`. Returns uint8 (H, W, 3).
    """
    operator = np.zeros((3, 3), np.float32)
    operator[:, :2] = reference.matrix * (reference.maxima / source.maxima)
    return _rebuild(pixels(image), _TABLE, source.matrix.astype(np.float32), operator).reshape(image.shape)


def _maximum_concentrations(found: np.ndarray, counts: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """float64 (2,): 99th percentiles of the concentrations over all pixels."""
    scales = kernels.KEYS / (matrix.sum(axis=0) * GREY_DENSITY.max())
    drives = matrix.T[:, :, None] * GREY_DENSITY
    tally = partial(_tally, found, counts, drives, matrix[:, 0] @ matrix[:, 1], scales)
    return ranks.percentiles(tally, (_MAXIMUM, _MAXIMUM), counts.sum(), lambda keys: keys / scales)


@_parallel
def _tally(found, counts, drives, cosine, scales, digits):
    """Count digits of the keys of both concentrations of each colour, as many times as it occurs.

    drives: float64 (2, 3, 256), whose sums over the channels are W^T v. scales: float64 (2,), keys per unit.
    digits: int32 (2,), -1 for the upper digits, or the upper digit of the keys whose lower digits are counted. Returns
    uint32 (parts, 2, 4097) and int32 (parts, 2), the counts and the least key whose upper digit is greater (see ranks).
    """
    tables, above = np.zeros((_PARTS, 2, _BINS), np.uint32), np.full((_PARTS, 2), kernels.KEYS, np.int32)
    for part in prange(_PARTS):
        keys = np.empty(2, np.int32)
        for i in range(part * len(counts) // _PARTS, (part + 1) * len(counts) // _PARTS):
            red, green, blue = found[0, i], found[1, i], found[2, i]
            first = drives[0, 0, red] + drives[0, 1, green] + drives[0, 2, blue]
            second = drives[1, 0, red] + drives[1, 1, green] + drives[1, 2, blue]
            first, second = _least_squares(first, second, cosine)
            keys[0], keys[1] = first * scales[0], second * scales[1]
            for stain in range(2):
                digit = keys[stain] >> _DIGIT
                if digits[stain] < 0:
                    tables[part, stain, digit] += counts[i]
                elif digit == digits[stain]:
                    tables[part, stain, keys[stain] & ((1 << _DIGIT) - 1)] += counts[i]
                elif digit > digits[stain]:
                    above[part, stain] = min(above[part, stain], keys[stain])
    return tables, above


@_parallel
def _rebuild(flat, table, matrix, operator):
    """uint8 (n, 3): the pixels rebuilt. table: densities in octaves. operator: float32 (3, 3), its last column zero."""
    rebuilt, parts = np.empty_like(flat), kernels._parts(flat)
    for part in prange(parts):
        _rebuild_part(kernels._part(flat, part, parts), table, matrix, operator, kernels._part(rebuilt, part, parts))
    return rebuilt


@_compiled
def _rebuild_part(flat, table, matrix, operator, rebuilt):
    length = kernels._BLOCK
    planes, stains = np.empty((3, length), np.float32), np.empty((3, length), np.float32)
    levels = np.empty((3, length), np.uint8)
    for start in range(0, len(flat), length):
        size = min(length, len(flat) - start)
        kernels._unpack(flat[start : start + size], table, planes)
        _unmix(planes, matrix, stains)
        for channel in range(3):
            kernels._grey_levels(stains, planes[channel], operator[channel], levels[channel, :size])
        kernels._interleave(levels, rebuilt[start : start + size].reshape(-1))


@_compiled
def _unmix(planes, matrix, stains):
    """Both concentrations of each pixel, and its greatest density, by which the next step tells glass."""
    (a0, b0), (a1, b1), (a2, b2) = matrix
    cosine = a0 * b0 + a1 * b1 + a2 * b2
    for i in range(planes.shape[1]):
        red, green, blue = planes[0, i], planes[1, i], planes[2, i]
        first = a0 * red + a1 * green + a2 * blue
        second = b0 * red + b1 * green + b2 * blue
        stains[0, i], stains[1, i] = _least_squares(first, second, cosine)
        stains[2, i] = max(red, green, blue)


@_compiled
def _least_squares(first, second, cosine):
    """The h >= 0 that minimises 1/2 h^T G h - h^T (first, second), where G is 1 on and the cosine off its diagonal."""
    has_first, has_second = first > cosine * second, second > cosine * first
    both = has_first & has_second
    apart = _ONE - cosine * cosine
    alone = max(first if has_first else second, _ZERO)
    h_1 = (first - cosine * second) / apart if both else (alone if has_first else _ZERO)
    h_2 = (second - cosine * first) / apart if both else (_ZERO if has_first else alone)
    return h_1, h_2
