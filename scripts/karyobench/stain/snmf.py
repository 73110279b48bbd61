"""Sparse non-negative factorisation of optical densities into two stains: the minimum, on the full data, repeatable.

Over W (3, 2), non-negative with columns of unit length, and H (2, n), non-negative, minimise the mean over pixels of

    1/2 |v - W h|^2 + sparsity (h_1 + h_2)

(Vahadane et al., "Structure-preserving color normalization and sparse stain separation for histological images", IEEE
TMI 2016, eq. 5). Columns of at most unit length, as in online dictionary learning (Mairal et al., JMLR 2010), have the
same minimum: a shorter column, made longer, needs less of h.

For a given W the best h of a pixel is a lasso with two atoms, solved by cases: both stains, either, or none. Between
two passes over the data these supports are kept, and the data enter only by the moments of the pixels of each support.
Then h and the columns of W in turn are minimised exactly, to convergence, without a pass. This model has the value, the
slope and the curvature of the objective at the W of the pass, so the passes converge quadratically: five or six on H&E,
where alternating minimisation takes twenty to a hundred. Where the model has led uphill, the pass is taken again with a
single alternation, which cannot, and with twice as many after each that has led down. It ends when a pass lowers the
objective by less than 1e-9.

It starts from the mean density and one standard deviation to either side of it, in the direction across it in which the
densities vary most. Sums run over blocks of fixed size, added in order: the result is the same, bit for bit, with any
number of threads.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange

_TOLERANCE = 1e-9
_PASSES = 100
_STEPS = 100
_STILL = 1e-9
_PARALLEL = 1e-12
_BLOCK = 1 << 9

# Places of the ten sums of a support (see _moments) in the moment matrix of (red, green, blue, 1).
_PLACES = np.array([[4, 5, 6, 1], [5, 7, 8, 2], [6, 8, 9, 3], [1, 2, 3, 0]])

_compiled = njit(cache=True, error_model="numpy")
# Reassociation lets sums become vector instructions; their order is then fixed by the machine code, not by the threads.
_vectors = njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
_parallel = njit(cache=True, error_model="numpy", parallel=True)


@dataclass(frozen=True)
class Factors:
    """A factorisation. matrix: float64 (3, 2), W. objectives: the objective after each pass that lowered it."""

    matrix: np.ndarray
    objectives: tuple[float, ...]


def factorise(densities: np.ndarray, weights: np.ndarray, sparsity: float) -> Factors:
    """The W of the least objective. Its column with more red, for its length, than the other comes first.

    densities: float64 (3, m), C-contiguous, m > 0: distinct ones will do. weights: (m,), positive: how many pixels have
    each. sparsity: the weight of h in the objective, in the densities' unit.
    """
    weights = weights / weights.sum()
    total = _total(densities, weights)
    power = np.trace(total[:3, :3]) / 2
    matrix, steps, objectives = _start(total), _STEPS, []
    for _ in range(_PASSES):
        moments = _supports(densities, weights, matrix, sparsity)
        reached = power + _value(moments, matrix, sparsity)
        if not objectives or reached <= objectives[-1]:
            objectives.append(reached)
            best = moments, matrix
            steps = min(2 * steps, _STEPS)
            if len(objectives) > 1 and objectives[-2] - reached < _TOLERANCE:
                break
        elif steps == 1:
            break
        else:
            steps = 1
        matrix = _alternate(*best, sparsity, steps)
    matrix = best[1]
    return Factors(matrix[:, ::-1].copy() if matrix[0, 0] < matrix[0, 1] else matrix, tuple(objectives))


def objective(densities: np.ndarray, weights: np.ndarray, matrix: np.ndarray, sparsity: float) -> float:
    """Mean over pixels of the objective with the best H. matrix: float64 (3, 2), W, with columns of unit length."""
    weights = weights / weights.sum()
    moments = _supports(densities, weights, matrix, sparsity)
    return np.trace(_total(densities, weights)[:3, :3]) / 2 + _value(moments, matrix, sparsity)


def _start(total: np.ndarray) -> np.ndarray:
    """The mean, a standard deviation to either side, along the direction across it in which the densities vary most."""
    mean = total[:3, 3]
    across = np.eye(3) - np.outer(mean, mean) / (mean @ mean)
    variances, directions = np.linalg.eigh(across @ total[:3, :3] @ across)
    deviation = directions[:, 2] * np.sqrt(max(variances[2], 0))
    columns = np.maximum(np.stack([mean + deviation, mean - deviation], axis=1), 0)
    return columns / np.linalg.norm(columns, axis=0)


def _total(densities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 (4, 4): weighted moments of (red, green, blue, 1) of all pixels."""
    return _all_moments(densities, weights).sum(axis=0)[_PLACES]


def _supports(densities: np.ndarray, weights: np.ndarray, matrix: np.ndarray, sparsity: float) -> np.ndarray:
    """float64 (3, 4, 4): weighted moments of (red, green, blue, 1) of the pixels with both stains, with the first, with
    the second.
    """
    return _moments(densities, weights, matrix, sparsity).sum(axis=0)[:, _PLACES]


@_parallel
def _all_moments(densities, weights):
    """float64 (blocks, 10): the weight, 3 sums, and the products 00 01 02 11 12 22."""
    size = len(weights)
    blocks = (size + _BLOCK - 1) // _BLOCK
    found = np.empty((blocks, 10))
    for block in prange(blocks):
        first = block * _BLOCK
        _sums(densities, first, weights[first : first + _BLOCK], found[block])
    return found


@_parallel
def _moments(densities, weights, matrix, sparsity):
    """float64 (blocks, 3, 10): the sums of `_all_moments` for each support."""
    size = len(weights)
    blocks = (size + _BLOCK - 1) // _BLOCK
    found = np.empty((blocks, 3, 10))
    for block in prange(blocks):
        first, length = block * _BLOCK, min(_BLOCK, size - block * _BLOCK)
        parts = np.empty((3, _BLOCK))
        _part(densities, first, weights[first : first + length], matrix, sparsity, parts)
        for support in range(3):
            _sums(densities, first, parts[support, :length], found[block, support])
    return found


@_vectors
def _part(densities, start, weights, matrix, sparsity, parts):
    """Write each weight into the row of the pixel's support, and zero into the other rows."""
    (a0, b0), (a1, b1), (a2, b2) = matrix
    cosine = a0 * b0 + a1 * b1 + a2 * b2
    apart = 1 - cosine * cosine > _PARALLEL
    for i in range(len(weights)):
        red, green, blue = densities[0, start + i], densities[1, start + i], densities[2, start + i]
        first = a0 * red + a1 * green + a2 * blue - sparsity
        second = b0 * red + b1 * green + b2 * blue - sparsity
        has_first = first > cosine * second
        has_second = second > cosine * first
        both = has_first & has_second & apart
        parts[0, i] = weights[i] if both else 0.0
        parts[1, i] = weights[i] if has_first & (not both) & (first > 0) else 0.0
        parts[2, i] = weights[i] if (not has_first) & (second > 0) else 0.0


@_vectors
def _sums(densities, start, weights, found):
    s = s0 = s1 = s2 = s00 = s01 = s02 = s11 = s12 = s22 = 0.0
    for i in range(len(weights)):
        red, green, blue = densities[0, start + i], densities[1, start + i], densities[2, start + i]
        x, y, z = weights[i] * red, weights[i] * green, weights[i] * blue
        s += weights[i]
        s0 += x
        s1 += y
        s2 += z
        s00 += x * red
        s01 += x * green
        s02 += x * blue
        s11 += y * green
        s12 += y * blue
        s22 += z * blue
    found[0], found[1], found[2], found[3] = s, s0, s1, s2
    found[4], found[5], found[6], found[7], found[8], found[9] = s00, s01, s02, s11, s12, s22


@_compiled
def _codings(matrix, sparsity):
    """float64 (3, 2, 4): of each support the matrix that makes h out of (red, green, blue, 1)."""
    codings = np.zeros((3, 2, 4))
    cosine = (matrix[:, 0] * matrix[:, 1]).sum()
    apart = 1 - cosine * cosine
    for stain in range(2):
        codings[1 + stain, stain, :3] = matrix[:, stain]
        codings[1 + stain, stain, 3] = -sparsity
        if apart > _PARALLEL:
            codings[0, stain, :3] = (matrix[:, stain] - cosine * matrix[:, 1 - stain]) / apart
            codings[0, stain, 3] = -sparsity / (1 + cosine)
    return codings


@_compiled
def _products(moments, matrix, sparsity):
    """Means of h h^T (2, 2), of v h^T (3, 2) and of h_1 + h_2, with the supports kept."""
    codings = _codings(matrix, sparsity)
    gram, cross = np.zeros((2, 2)), np.zeros((4, 2))
    for support in range(3):
        for stain in range(2):
            for i in range(4):
                mixed = 0.0
                for k in range(4):
                    mixed += moments[support, i, k] * codings[support, stain, k]
                cross[i, stain] += mixed
                gram[0, stain] += codings[support, 0, i] * mixed
                gram[1, stain] += codings[support, 1, i] * mixed
    return gram, cross[:3], cross[3, 0] + cross[3, 1]


@_compiled
def _value(moments, matrix, sparsity):
    """The objective less half the mean of |v|^2."""
    gram, cross, total = _products(moments, matrix, sparsity)
    cosine = (matrix[:, 0] * matrix[:, 1]).sum()
    return (gram[0, 0] + gram[1, 1]) / 2 + cosine * gram[0, 1] - (matrix * cross).sum() + sparsity * total


@_compiled
def _alternate(moments, matrix, sparsity, steps):
    """W after minimising over h and over each column in turn, `steps` times or until it stays."""
    matrix = matrix.copy()
    for _ in range(steps):
        before = matrix.copy()
        gram, cross, _ = _products(moments, matrix, sparsity)
        for stain in range(2):
            other = 1 - stain
            column = np.maximum(cross[:, stain] - gram[stain, other] * matrix[:, other], 0)
            length = np.sqrt((column * column).sum())
            if length > 0:
                matrix[:, stain] = column / length
        if np.abs(matrix - before).max() < _STILL:
            break
    return matrix
