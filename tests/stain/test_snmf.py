"""The sparse factorisation: its objective against a solver of another kind, descent, optimality, repeatability."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import nnls

from karyobench.stain import snmf

DENSITIES = hnp.arrays(np.float64, st.tuples(st.just(3), st.integers(1, 30)), elements=st.floats(0.01, 3))
SPARSITIES = st.sampled_from([0.0, 0.02, 0.1, 0.5])


def columns(rng: np.random.Generator) -> np.ndarray:
    """A random stain matrix."""
    drawn = rng.random((3, 2))
    return drawn / np.linalg.norm(drawn, axis=0)


def lasso(density: np.ndarray, matrix: np.ndarray, sparsity: float) -> np.ndarray:
    """The best h, by completing the square and an active-set solver of non-negative least squares; parallel columns
    do as one.
    """
    gram, drive = matrix.T @ matrix, matrix.T @ density - sparsity
    if np.linalg.det(gram) < 1e-10:
        return np.array([max(drive[0], 0), 0])
    root = np.linalg.cholesky(gram)
    return nnls(root.T, np.linalg.solve(root, drive))[0]


def slow_objective(densities: np.ndarray, weights: np.ndarray, matrix: np.ndarray, sparsity: float) -> float:
    """The definition, pixel by pixel."""
    total = 0.0
    for density, weight in zip(densities.T, weights, strict=True):
        h = lasso(density, matrix, sparsity)
        total += weight * (((density - matrix @ h) ** 2).sum() / 2 + sparsity * h.sum())
    return total / weights.sum()


def slow_factorise(densities: np.ndarray, matrix: np.ndarray, sparsity: float, rounds: int) -> np.ndarray:
    """Plain alternation: every h, then each column by least squares on what the other leaves."""
    for _ in range(rounds):
        h = np.array([lasso(density, matrix, sparsity) for density in densities.T]).T
        for stain in range(2):
            rest = densities - np.outer(matrix[:, 1 - stain], h[1 - stain])
            column = np.maximum(rest @ h[stain], 0)
            if column.any():
                matrix[:, stain] = column / np.linalg.norm(column)
    return matrix


def tissue(seed: int, size: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Densities of two known stains, a third of the pixels with each alone, with noise; and the stain matrix."""
    rng = np.random.default_rng(seed)
    matrix = np.array([[0.65, 0.25], [0.70, 0.88], [0.29, 0.40]])
    matrix /= np.linalg.norm(matrix, axis=0)
    amounts = rng.uniform(0.4, 2, (2, size))
    amounts[0, : size // 3] = amounts[1, size // 3 : 2 * size // 3] = 0
    return np.abs(matrix @ amounts + rng.normal(0, 0.02, (3, size))), matrix


@given(DENSITIES, SPARSITIES, st.integers(0, 1000))
def test_objective_is_the_definition(densities, sparsity, seed):
    rng = np.random.default_rng(seed)
    matrix, weights = columns(rng), rng.integers(1, 50, densities.shape[1])
    expected = slow_objective(densities, weights, matrix, sparsity)
    assert snmf.objective(densities, weights, matrix, sparsity) == pytest.approx(expected, abs=1e-9)


def test_objective_of_worked_numbers():
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    densities = np.array([[0.5, 0.05], [0.3, 0.4], [0.2, 0.0]])
    both = 0.4 * 0.1 + 0.2 * 0.1 + (0.1**2 + 0.1**2 + 0.2**2) / 2
    second = 0.3 * 0.1 + (0.05**2 + 0.1**2) / 2
    assert snmf.objective(densities, np.array([1, 3]), matrix, 0.1) == pytest.approx((both + 3 * second) / 4)


@given(DENSITIES, SPARSITIES)
@settings(max_examples=150)
def test_objective_never_rises_and_w_is_feasible(densities, sparsity):
    weights = np.arange(1, densities.shape[1] + 1)
    factors = snmf.factorise(densities, weights, sparsity)
    assert np.all(np.diff(factors.objectives) <= 0)
    assert factors.matrix.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(factors.matrix, axis=0), 1)
    assert factors.matrix[0, 0] >= factors.matrix[0, 1]
    assert factors.objectives[-1] == pytest.approx(
        slow_objective(densities, weights, factors.matrix, sparsity), abs=1e-6
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sparsity", [0.02, 0.1])
def test_no_small_step_lowers_the_objective(seed, sparsity):
    densities, _ = tissue(seed)
    weights = np.ones(densities.shape[1])
    factors = snmf.factorise(densities, weights, sparsity)
    rng = np.random.default_rng(seed)
    for size in (1e-1, 1e-2, 1e-3, 1e-4):
        for _ in range(50):
            other = np.maximum(factors.matrix + size * rng.normal(size=(3, 2)), 0)
            other /= np.linalg.norm(other, axis=0)
            assert snmf.objective(densities, weights, other, sparsity) > factors.objectives[-1] - 1e-9


def test_not_above_what_plain_alternation_reaches_from_anywhere():
    densities, truth = tissue(0, 90)
    weights = np.ones(densities.shape[1])
    reached = snmf.factorise(densities, weights, 0.1).objectives[-1]
    rng = np.random.default_rng(0)
    for start in (truth.copy(), columns(rng), columns(rng)):
        other = slow_factorise(densities, start, 0.1, 60)
        assert reached <= slow_objective(densities, weights, other, 0.1) + 1e-9


def test_few_passes_suffice():
    densities, _ = tissue(3, 5000)
    factors = snmf.factorise(densities, np.ones(5000), 0.1)
    assert len(factors.objectives) <= 10
    assert factors.objectives[-2] - factors.objectives[-1] < 1e-9


def test_repeated_pixels_are_as_good_as_weights():
    densities, _ = tissue(5, 200)
    weights = np.random.default_rng(5).integers(1, 9, 200)
    weighted = snmf.factorise(densities, weights, 0.1)
    repeated = snmf.factorise(np.repeat(densities, weights, axis=1), np.ones(weights.sum()), 0.1)
    np.testing.assert_allclose(weighted.matrix, repeated.matrix, atol=1e-7)
    assert weighted.objectives[-1] == pytest.approx(repeated.objectives[-1], abs=1e-12)


def test_same_bits_with_one_thread_and_again():
    densities, _ = tissue(6, 20_000)
    weights = np.random.default_rng(6).integers(1, 9, 20_000)
    first = snmf.factorise(densities, weights, 0.1)
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        alone = snmf.factorise(densities, weights, 0.1)
    finally:
        numba.set_num_threads(before)
    for other in (alone, snmf.factorise(densities, weights, 0.1)):
        assert other.matrix.tobytes() == first.matrix.tobytes()
        assert other.objectives == first.objectives


@pytest.mark.parametrize(
    "densities",
    [np.full((3, 1), 0.5), np.full((3, 70), 5.4), np.linspace(0.2, 3, 50) * np.ones((3, 1)), np.eye(3) + 1e-3],
    ids=["one colour", "black", "grey", "three primaries"],
)
@pytest.mark.parametrize("sparsity", [0.0, 0.1, 20.0])
def test_degenerate_densities_give_numbers(densities, sparsity):
    factors = snmf.factorise(densities, np.ones(densities.shape[1]), sparsity)
    assert np.isfinite(factors.matrix).all() and np.isfinite(factors.objectives).all()
    assert factors.matrix.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(factors.matrix, axis=0), 1)
