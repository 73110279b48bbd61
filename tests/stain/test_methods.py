"""What every registered method promises, whatever it computes."""

import inspect
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import numba
import numpy as np
import pytest

from karyobench.datasets import store
from karyobench.stain import PARAMETERS, density
from karyobench.stain.normalize import METHODS, Method, normalised

AGAIN = {"macenko": 1, "reinhard": 1, "vahadane": 8}
"""Grey levels by which an image of two stains may change when it is normalised once more; sparsity is charged anew."""

EVERY_METHOD = pytest.mark.parametrize("name", sorted(METHODS))


def method_of(name: str) -> tuple[Method, Callable]:
    return METHODS[name], partial(METHODS[name].fit, **PARAMETERS[name])


def rebuilding(name: str, reference: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Function that normalises an image to a reference image."""
    method, fit = method_of(name)
    stains = fit(reference)
    return lambda image: method.transform(image, fit(image), stains)


def field(image: np.ndarray, image_type: str = "he") -> store.Field:
    return store.Field("a", image, None, {"image_type": image_type})


def odd_images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    grey = np.repeat(rng.integers(30, 200, (90, 80, 1)), 3, axis=2)
    two_colours = np.where(rng.random((80, 80, 1)) < 0.5, (200, 20, 120), (60, 30, 160))
    images = {
        "blank": np.full((60, 50, 3), 255),
        "nearly blank": rng.integers(235, 256, (64, 64, 3)),
        "black": np.zeros((60, 50, 3)),
        "nearly black": rng.integers(0, 3, (64, 64, 3)),
        "grey": grey,
        "noisy grey": grey + rng.integers(-2, 3, grey.shape),
        "one colour": np.full((70, 70, 3), (150, 60, 170)),
        "one colour and white": np.where(rng.random((80, 80, 1)) < 0.3, (150, 60, 170), 255),
        "two colours": two_colours,
        "primary colours": np.eye(3)[rng.integers(0, 3, (80, 80))] * 255,
        "saturated": np.where(rng.random((80, 80, 3)) < 0.5, 0, 255),
        "noise": rng.integers(0, 256, (90, 80, 3)),
        "single pixel": np.full((1, 1, 3), 120),
        "single row": rng.integers(0, 256, (1, 4000, 3)),
        "tiny": rng.integers(0, 256, (5, 7, 3)),
        "no pixels": np.zeros((0, 40, 3)),
    }
    return {name: image.astype(np.uint8) for name, image in images.items()}


def test_parameters_of_all_methods_are_declared():
    assert set(METHODS) == set(PARAMETERS)
    for name, method in METHODS.items():
        assert list(inspect.signature(method.fit).parameters)[1:] == list(PARAMETERS[name])


@EVERY_METHOD
def test_normalising_twice_is_normalising_once(name, painted, stains, other_stains):
    rebuild = rebuilding(name, painted(other_stains, 1.2, seed=9))
    once = rebuild(painted(stains))
    assert np.abs(once.astype(int) - rebuild(once)).max() <= AGAIN[name]


@EVERY_METHOD
def test_normalising_real_fields_again_moves_them_much_less(name, real_field, real_images):
    """Which pixels count as tissue changes with the colours, and extremes saturate: the second time is not nothing."""
    rebuild = rebuilding(name, real_field)
    for image in real_images[:3]:
        once = rebuild(image)
        first, second = (np.abs(a.astype(int) - b).mean() for a, b in ((image, once), (once, rebuild(once))))
        assert second < 0.4 * first


@EVERY_METHOD
def test_white_stays_white(name, painted, stains, other_stains):
    image = painted(stains)
    image[:12] = np.random.default_rng(3).integers(239, 256, (12, 120, 3))
    done = rebuilding(name, painted(other_stains, 1.6, seed=9))(image)
    np.testing.assert_array_equal(done[:12], image[:12])


@EVERY_METHOD
def test_fit_does_not_depend_on_where_pixels_lie(name, painted, stains):
    image = painted(stains, side=150)
    shuffled = np.random.default_rng(7).permutation(image.reshape(-1, 3))
    tiles = np.concatenate([part for row in np.split(image, 5) for part in np.split(row, 3, axis=1)])
    _, fit = method_of(name)
    expected = asdict(fit(image))
    for other in (shuffled.reshape(75, 300, 3), shuffled[::-1].reshape(1, -1, 3), tiles, image.transpose(1, 0, 2)):
        for key, value in asdict(fit(other)).items():
            np.testing.assert_array_equal(value, expected[key])


@EVERY_METHOD
@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="one processor only")
def test_the_number_of_threads_changes_nothing(name, painted, stains, other_stains):
    image, reference = painted(stains, side=300), painted(other_stains, 1.2, seed=9)
    many = rebuilding(name, reference)(image)
    before = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = rebuilding(name, reference)(image)
    finally:
        numba.set_num_threads(before)
    np.testing.assert_array_equal(alone, many)


@EVERY_METHOD
@pytest.mark.parametrize("kind", odd_images())
@pytest.mark.filterwarnings("error")
def test_odd_images_pass_unchanged_with_the_reason_or_give_an_image(name, kind, painted, stains):
    image = odd_images()[kind]
    before = image.copy()
    done = normalised(field(image), "s", rebuilding(name, painted(stains)))
    assert done.image.dtype == np.uint8
    assert done.image.shape == image.shape
    np.testing.assert_array_equal(image, before)
    if done.attributes["stain_note"] != "normalised":
        assert done.attributes["stain_note"].startswith("passed unchanged: ")
        np.testing.assert_array_equal(done.image, image)


@EVERY_METHOD
@pytest.mark.parametrize(
    "kind", ["blank", "nearly blank", "black", "grey", "noisy grey", "one colour", "single pixel", "tiny"]
)
def test_images_without_two_stains_have_none(name, kind):
    with pytest.raises(density.Unfit):
        method_of(name)[1](odd_images()[kind])


@EVERY_METHOD
def test_images_of_other_types_pass_unchanged(name, painted, stains, other_stains):
    image = painted(stains)
    for image_type in ("fluorescence", "brightfield", "ihc"):
        done = normalised(field(image, image_type), "s", rebuilding(name, painted(other_stains)))
        np.testing.assert_array_equal(done.image, image)
        assert done.attributes["stain_note"] == f"passed unchanged: image type is {image_type}, not he"


def crops(images: list[np.ndarray], count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(11)
    found = []
    for _ in range(count):
        image = images[rng.integers(len(images))]
        height, width = (int(rng.integers(16, min(512, side) + 1)) for side in image.shape[:2])
        row, column = (int(rng.integers(0, s - n + 1)) for s, n in zip(image.shape[:2], (height, width), strict=True))
        found.append(image[row : row + height, column : column + width])
    return found


def check_crops(name: str, reference: np.ndarray, images: list[np.ndarray], count: int) -> None:
    """Every crop is normalised, keeping its contrast, or is passed as it is; of the larger ones few are passed."""
    rebuild = rebuilding(name, reference)
    large = done_large = 0
    for crop in crops(images, count):
        done = normalised(field(crop), "s", rebuild)
        fitted = done.attributes["stain_note"] == "normalised"
        assert done.image.shape == crop.shape
        assert done.image.dtype == np.uint8
        if fitted:
            assert done.image.std() > 0.2 * crop.std()
        else:
            np.testing.assert_array_equal(done.image, crop)
        if min(crop.shape[:2]) >= 100:
            large, done_large = large + 1, done_large + fitted
    assert done_large > 0.8 * large > 0


@EVERY_METHOD
def test_crops_of_a_real_field(name, real_field):
    check_crops(name, real_field, [real_field], 60)


@pytest.mark.slow
@EVERY_METHOD
def test_a_thousand_crops_of_real_images(name, real_field, real_images):
    check_crops(name, real_field, [real_field, *real_images], 1000)
