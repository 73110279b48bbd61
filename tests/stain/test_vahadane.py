"""Vahadane's fit and transform: recovery of known stains, the definition pixel by pixel, images without two stains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import nnls

from karyobench.stain import density, snmf, vahadane
from karyobench.stain.density import StainFit

BETA, SPARSITY = 0.15, 0.1


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two vectors."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def stains_of(vectors: np.ndarray, maxima: tuple[float, float]) -> StainFit:
    return StainFit((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T, np.array(maxima))


def optical(image: np.ndarray) -> np.ndarray:
    return -np.log((image.reshape(-1, 3).astype(float) + 1) / 240)


def concentrations(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(n, 2): by an active-set solver, pixel by pixel."""
    return np.array([nnls(matrix, pixel)[0] for pixel in optical(image)]).reshape(-1, 2)


def by_definition(image: np.ndarray, source: StainFit, reference: StainFit) -> np.ndarray:
    """The rebuild step by step in float64, not rounded."""
    scaled = concentrations(image, source.matrix) * (reference.maxima / source.maxima)
    light = (240 * np.exp(-(scaled @ reference.matrix.T)) - 1).clip(0, 255).reshape(image.shape)
    return np.where((image >= 239).all(axis=2, keepdims=True), image, light)


def test_known_stains_are_recovered(painted, stains, other_stains):
    for known in (stains, other_stains):
        fit = vahadane.fit(painted(known), BETA, SPARSITY)
        assert angle(fit.matrix[:, 0], known[0]) < 1
        assert angle(fit.matrix[:, 1], known[1]) < 1
        np.testing.assert_allclose(np.linalg.norm(fit.matrix, axis=0), 1)
        assert fit.matrix.min() >= 0


def test_stains_of_mixtures_alone_are_found_by_sparsity(stains):
    """No pixel holds one stain alone: the factorisation lies inside of the stains, and the nearer the less is mixed."""
    rng = np.random.default_rng(2)
    unit = stains / np.linalg.norm(stains, axis=1, keepdims=True)
    errors = []
    for least in (0.0, 0.1, 0.2):
        share = rng.uniform(least, 1 - least, (100, 100, 1))
        amount = rng.uniform(0.8, 1.5, (100, 100, 1))
        light = 240 * np.exp(-amount * (share * unit[0] + (1 - share) * unit[1])) - 1
        fit = vahadane.fit(np.rint(light).astype(np.uint8), BETA, SPARSITY)
        errors.append(max(angle(fit.matrix[:, n], stains[n]) for n in (0, 1)))
    assert errors == sorted(errors)
    assert errors[0] < 6


def test_maxima_are_the_percentiles_of_the_definition(painted, stains):
    image = painted(stains, side=60)
    fit = vahadane.fit(image, BETA, SPARSITY)
    expected = np.percentile(concentrations(image, fit.matrix), 99, axis=0)
    np.testing.assert_allclose(fit.maxima, expected, atol=2e-6)


def test_matrix_is_the_factorisation_of_the_tissue(painted, stains):
    image = painted(stains, side=80)
    tissue = optical(image)
    tissue = np.ascontiguousarray(tissue[(tissue >= BETA).all(axis=1)].T)
    factors = snmf.factorise(tissue, np.ones(tissue.shape[1]), SPARSITY)
    fit = vahadane.fit(image, BETA, SPARSITY)
    np.testing.assert_allclose(fit.matrix, factors.matrix, atol=1e-6)


def test_transform_equals_the_definition_within_rounding(stains, other_stains):
    image = np.random.default_rng(2).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    source, reference = stains_of(stains, (1.4, 1.1)), stains_of(other_stains, (1.9, 0.8))
    rebuilt = vahadane.transform(image, source, reference)
    assert rebuilt.dtype == np.uint8
    assert np.abs(rebuilt - by_definition(image, source, reference)).max() <= 0.51


def test_own_stains_give_back_what_the_stains_explain(stains):
    fit = stains_of(stains, (1.2, 1.3))
    amounts = np.random.default_rng(3).uniform(0, 1.5, (10_000, 2))
    image = np.rint(240 * np.exp(-(amounts @ fit.matrix.T)) - 1).astype(np.uint8).reshape(100, 100, 3)
    assert np.abs(vahadane.transform(image, fit, fit).astype(int) - image).max() <= 2


def test_normalising_gives_the_reference_its_stains(painted, stains, other_stains):
    image, target = painted(stains), painted(other_stains, 1.2, seed=9)
    source, reference = (vahadane.fit(i, BETA, SPARSITY) for i in (image, target))
    after = vahadane.fit(vahadane.transform(image, source, reference), BETA, SPARSITY)
    assert angle(after.matrix[:, 0], reference.matrix[:, 0]) < 1
    assert angle(after.matrix[:, 1], reference.matrix[:, 1]) < 1
    np.testing.assert_allclose(after.maxima, reference.maxima, rtol=0.03)


def test_white_stays_as_it_is_and_black_is_a_colour(stains, other_stains):
    image = np.random.default_rng(4).integers(239, 256, (20, 30, 3), dtype=np.uint8)
    image[0, 0] = 0
    rebuilt = vahadane.transform(image, stains_of(stains, (1e-3, 1e-3)), stains_of(other_stains, (5.0, 5.0)))
    np.testing.assert_array_equal(rebuilt.reshape(-1, 3)[1:], image.reshape(-1, 3)[1:])
    assert rebuilt[0, 0].tolist() == [0, 0, 0]


def noisy(base: np.ndarray, spread: int) -> np.ndarray:
    noise = np.random.default_rng(1).integers(-spread, spread + 1, (60, 60, 3))
    return (base + noise).clip(0, 255).astype(np.uint8)


GREY = np.random.default_rng(0).integers(30, 200, (60, 60, 1))
ONE_STAIN = 240 * np.exp(-np.random.default_rng(0).uniform(0.3, 2, (60, 60, 1)) * [0.65, 0.70, 0.29]) - 1
FEW = np.full((200, 200, 3), 250, np.uint8)
FEW[:18] = np.random.default_rng(0).integers(40, 180, (18, 200, 3))


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((100, 100, 3), 255, np.uint8), "0 of 10000 pixels are tissue"),
        (np.zeros((0, 8, 3), np.uint8), "0 of 0 pixels are tissue"),
        (FEW, "3600 of 40000 pixels are tissue"),
        (np.zeros((100, 100, 3), np.uint8), "0.0 degrees apart"),
        (np.full((100, 100, 3), (120, 60, 140), np.uint8), "0.0 degrees apart"),
        (noisy(GREY, 0), "0.0 degrees apart"),
        (noisy(GREY, 3), "too close to be two"),
        (noisy(ONE_STAIN, 0), "too close to be two"),
        (noisy(ONE_STAIN, 2), "too close to be two"),
    ],
    ids=["blank", "empty", "mostly blank", "black", "uniform", "grey", "noisy grey", "one stain", "one noisy stain"],
)
def test_images_without_two_stains_are_refused(image, reason):
    with pytest.raises(density.Unfit, match=reason):
        vahadane.fit(image, BETA, SPARSITY)


def test_white_is_no_tissue_even_where_beta_is_zero():
    with pytest.raises(density.Unfit, match="0 of 2500 pixels are tissue"):
        vahadane.fit(np.full((50, 50, 3), 239, np.uint8), 0, SPARSITY)


@given(hnp.arrays(np.uint8, (40, 30, 3), elements=st.sampled_from([0, 30, 90, 150, 205, 206, 239, 255])))
@settings(max_examples=40)
@pytest.mark.filterwarnings("error")
def test_any_image_has_finite_stains_or_a_reason(image):
    try:
        fit = vahadane.fit(image, BETA, SPARSITY)
    except density.Unfit:
        return
    assert np.isfinite(fit.matrix).all() and fit.matrix.min() >= 0
    assert np.isfinite(fit.maxima).all() and fit.maxima.min() > 0
    assert vahadane.transform(image, fit, fit).shape == image.shape


def test_real_field_keeps_its_own_look(real_field):
    fit = vahadane.fit(real_field, BETA, SPARSITY)
    change = np.abs(vahadane.transform(real_field, fit, fit).astype(int) - real_field)
    assert np.median(change) <= 4
    assert abs((vahadane.transform(real_field, fit, fit).astype(int) - real_field).mean()) < 1
