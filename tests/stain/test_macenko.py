"""Macenko's fit: recovery of known stains, invariances, and images that have no stains."""

import numpy as np
import pytest

from karyobench.stain import density, macenko

BETA, ALPHA = 0.15, 1


def angle(first: np.ndarray, second: np.ndarray) -> float:
    """Degrees between two vectors."""
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def textbook_fit(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The method as usually written: densities of all pixels in float64, eigenvectors of numpy's covariance."""
    optical = -np.log((image.reshape(-1, 3).astype(float) + 1) / 240)
    tissue = optical[(optical >= BETA).all(axis=1)]
    plane = np.linalg.eigh(np.cov(tissue.T)).eigenvectors[:, [2, 1]]
    plane *= np.sign(plane.sum(axis=0))
    projected = tissue @ plane
    angles = np.percentile(np.arctan2(projected[:, 1], projected[:, 0]), [ALPHA, 100 - ALPHA])
    vectors = plane @ np.array([np.cos(angles), np.sin(angles)])
    matrix = vectors[:, np.argsort(-vectors[0])]
    concentrations = np.linalg.lstsq(matrix, optical.T, rcond=None)[0]
    return matrix, np.percentile(concentrations, 99, axis=1)


def test_known_stains_are_recovered(painted, stains, other_stains):
    for known in (stains, other_stains):
        fit = macenko.fit(painted(known), BETA, ALPHA)
        assert angle(fit.matrix[:, 0], known[0]) < 1
        assert angle(fit.matrix[:, 1], known[1]) < 1
        np.testing.assert_allclose(np.linalg.norm(fit.matrix, axis=0), 1)


def test_maxima_are_the_concentrations_painted(painted, stains):
    weak, strong = (macenko.fit(painted(stains, strength), BETA, ALPHA) for strength in (0.8, 1.6))
    np.testing.assert_allclose(strong.maxima, 1.6 * np.array([1.48, 1.48]), rtol=0.03)
    np.testing.assert_allclose(strong.maxima / weak.maxima, 2, rtol=0.03)


def test_fit_equals_the_textbook(painted, other_stains):
    image = painted(other_stains, seed=5)
    matrix, maxima = textbook_fit(image)
    fit = macenko.fit(image, BETA, ALPHA)
    np.testing.assert_allclose(fit.matrix, matrix, atol=1e-6)
    np.testing.assert_allclose(fit.maxima, maxima, atol=1e-5)


def test_normalising_gives_the_reference_its_stains(painted, stains, other_stains):
    image, target = painted(stains), painted(other_stains, 1.2, seed=9)
    source, reference = (macenko.fit(i, BETA, ALPHA) for i in (image, target))
    after = macenko.fit(density.transform(image, source, reference), BETA, ALPHA)
    assert angle(after.matrix[:, 0], reference.matrix[:, 0]) < 1
    assert angle(after.matrix[:, 1], reference.matrix[:, 1]) < 1
    np.testing.assert_allclose(after.maxima, reference.maxima, rtol=0.03)


def test_own_reference_is_nearly_identity(painted, stains):
    image = painted(stains)
    fit = macenko.fit(image, BETA, ALPHA)
    tissue = np.s_[12:]
    assert np.abs(density.transform(image, fit, fit).astype(int) - image)[tissue].max() <= 2


def single_stain(side: int = 60) -> np.ndarray:
    grey = np.random.default_rng(0).integers(30, 200, (side, side, 1))
    return np.repeat(grey, 3, axis=2).astype(np.uint8)


def few_tissue_pixels(share: float, side: int = 200) -> np.ndarray:
    image = np.full((side * side, 3), 250, np.uint8)
    count = int(share * side * side)
    image[:count] = np.random.default_rng(0).integers(40, 180, (count, 3))
    return image.reshape(side, side, 3)


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (np.full((100, 100, 3), 255, np.uint8), "0 of 10000 pixels are tissue"),
        (np.zeros((100, 100, 3), np.uint8), "0.0 degrees apart"),
        (np.full((100, 100, 3), (120, 60, 140), np.uint8), "0.0 degrees apart"),
        (single_stain(), "0.0 degrees apart"),
        (np.full((1, 1, 3), 90, np.uint8), "1 of 1 pixels are tissue"),
        (few_tissue_pixels(0.09), "3600 of 40000 pixels are tissue"),
    ],
    ids=["blank", "black", "uniform", "grey", "one pixel", "mostly blank"],
)
def test_images_without_two_stains_are_refused(image, reason):
    with pytest.raises(density.Unfit, match=reason):
        macenko.fit(image, BETA, ALPHA)


def test_grey_image_with_noise_is_one_stain():
    noise = np.random.default_rng(1).integers(-2, 3, (60, 60, 3))
    with pytest.raises(density.Unfit, match="too close to be two"):
        macenko.fit((single_stain() + noise).astype(np.uint8), BETA, ALPHA)


def test_enough_tissue_is_fitted():
    fit = macenko.fit(few_tissue_pixels(0.11), BETA, ALPHA)
    assert np.isfinite(fit.matrix).all()
    assert fit.maxima.min() > 0


def test_no_colour_is_dense_enough(painted, stains):
    with pytest.raises(density.Unfit, match="no colour is as dense as beta 6"):
        macenko.fit(painted(stains), 6, ALPHA)


def test_real_fields_are_normalised_as_the_textbook_has_it(real_field, real_images):
    reference = textbook_fit(real_field)
    for image in real_images[:3]:
        matrix, maxima = textbook_fit(image)
        optical = -np.log((image.reshape(-1, 3).astype(float) + 1) / 240)
        concentrations = np.linalg.lstsq(matrix, optical.T, rcond=None)[0] * (reference[1] / maxima)[:, None]
        light = np.rint(240 * np.exp(-(reference[0] @ concentrations)) - 1).clip(0, 255).T.reshape(image.shape)
        expected = np.where((image >= 239).all(axis=2, keepdims=True), image, light)
        done = density.transform(image, macenko.fit(image, BETA, ALPHA), density.StainFit(*reference))
        apart = np.abs(done - expected)
        assert (apart <= 1).mean() >= 0.9999
        assert (apart == 0).mean() >= 0.999


def test_real_field_keeps_its_own_look(real_field):
    fit = macenko.fit(real_field, BETA, ALPHA)
    change = np.abs(density.transform(real_field, fit, fit).astype(int) - real_field)
    assert np.median(change) <= 3
