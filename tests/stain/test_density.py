"""Optical density and rebuilding, against the definition in float64."""

import numpy as np
import pytest

from karyobench.stain import density
from karyobench.stain.density import StainFit


def fit_of(stains: np.ndarray, maxima: tuple[float, float]) -> StainFit:
    matrix = (stains / np.linalg.norm(stains, axis=1, keepdims=True)).T
    return StainFit(matrix, np.array(maxima))


def by_definition(image: np.ndarray, source: StainFit, reference: StainFit) -> np.ndarray:
    """The rebuild step by step in float64, not rounded; pixels without density in any channel are kept."""
    optical = -np.log((image.reshape(-1, 3).astype(float) + 1) / 240)
    concentrations = np.linalg.lstsq(source.matrix, optical.T, rcond=None)[0]
    concentrations *= (reference.maxima / source.maxima)[:, None]
    light = 240 * np.exp(-(reference.matrix @ concentrations)) - 1
    blank = (image >= 239).all(axis=2, keepdims=True)
    return np.where(blank, image, light.clip(0, 255).T.reshape(image.shape))


def test_density_of_known_grey_levels():
    assert density.GREY_DENSITY[239] == 0
    assert density.GREY_DENSITY[0] == pytest.approx(np.log(240))
    assert density.GREY_DENSITY[255] == pytest.approx(-np.log(256 / 240))
    assert np.all(np.diff(density.GREY_DENSITY) < 0)


def test_transform_equals_the_definition_within_one_grey_level(stains, other_stains):
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (150, 140, 3), dtype=np.uint8)
    source, reference = fit_of(stains, (1.4, 1.1)), fit_of(other_stains, (1.9, 0.8))
    rebuilt = density.transform(image, source, reference)
    assert rebuilt.dtype == np.uint8
    assert np.abs(rebuilt - by_definition(image, source, reference)).max() <= 0.51


def test_own_stains_give_back_what_the_stains_explain(stains):
    fit = fit_of(stains, (1.2, 1.3))
    concentrations = np.random.default_rng(3).uniform(0, 1.5, (2, 10_000))
    light = 240 * np.exp(-(fit.matrix @ concentrations)) - 1
    image = np.rint(light).astype(np.uint8).T.reshape(100, 100, 3)
    assert np.abs(density.transform(image, fit, fit).astype(int) - image).max() <= 1


def test_white_stays_as_it_is(stains, other_stains):
    image = np.random.default_rng(4).integers(239, 256, (20, 30, 3), dtype=np.uint8)
    rebuilt = density.transform(image, fit_of(stains, (1.4, 1.1)), fit_of(other_stains, (1.9, 0.8)))
    np.testing.assert_array_equal(rebuilt, image)


@pytest.mark.parametrize("view", [np.s_[::2, 1::3], np.s_[:, :, ::-1], np.s_[3:3]], ids=["strided", "bgr", "empty"])
def test_views_are_rebuilt_as_their_copies(view, stains, other_stains):
    image = np.random.default_rng(5).integers(0, 256, (41, 50, 3), dtype=np.uint8)[view]
    source, reference = fit_of(stains, (1.4, 1.1)), fit_of(other_stains, (1.9, 0.8))
    expected = density.transform(image.copy(), source, reference)
    np.testing.assert_array_equal(density.transform(image, source, reference), expected)


def test_extreme_ratios_saturate_instead_of_overflowing(stains):
    weak, strong = fit_of(stains, (1e-3, 1e-3)), fit_of(stains, (5.0, 5.0))
    image = np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8)
    rebuilt = density.transform(image, weak, strong)
    assert rebuilt[0, 0].tolist() == [0, 0, 0]
    assert rebuilt[0, 1].tolist() == [255, 255, 255]
