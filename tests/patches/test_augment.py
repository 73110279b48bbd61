"""Augmentation: the instance map moves exactly with the image, and only the image's light changes."""

import numpy as np
import pytest

from karyobench.patches.augment import augment
from karyobench.patches.batch import Batch


def augmented(
    images: np.ndarray, instances: np.ndarray, rng: np.random.Generator, config: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Images and instance maps, augmented with a generator for each, spawned from one."""
    moved = augment(Batch(images, instances), rng.spawn(len(images)), config)
    return moved.images, moved.instances


def batch(count: int, side: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Patches in which every pixel differs, and instance maps that are a copy of the first channel."""
    numbers = np.arange(count * side * side).reshape(count, side, side)
    images = np.stack([numbers % 251, numbers // 251, numbers % 7], axis=-1).astype(np.uint8)
    return images, images[..., 0].astype(np.int32)


@pytest.mark.parametrize("config", [{"flips": True}, {"rotations": True}, {"flips": True, "rotations": True}])
def test_instances_move_exactly_with_the_image(config):
    images, instances = batch(100)
    moved, labels = augmented(images, instances, np.random.default_rng(0), config)
    assert moved.dtype == np.uint8
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(moved[..., 0], labels)
    np.testing.assert_array_equal(np.sort(labels.reshape(100, -1)), np.sort(instances.reshape(100, -1)))


def orientations(config: dict, count: int = 4000) -> dict[bytes, float]:
    """Share of each distinct outcome for one patch."""
    images, instances = batch(1)
    repeated = np.repeat(images, count, axis=0), np.repeat(instances, count, axis=0)
    _, labels = augmented(*repeated, np.random.default_rng(0), config)
    outcomes, counts = np.unique(labels.reshape(count, -1), axis=0, return_counts=True)
    return {o.astype(np.int32).tobytes(): c / count for o, c in zip(outcomes, counts, strict=True)}


def test_each_flip_has_probability_one_half():
    instances = batch(1)[1][0]
    shares = orientations({"flips": True})
    for rows in (1, -1):
        for columns in (1, -1):
            assert shares[np.ascontiguousarray(instances[::rows, ::columns]).tobytes()] == pytest.approx(0.25, abs=0.03)


def test_half_the_patches_are_rotated():
    instances = batch(1)[1][0]
    shares = orientations({"rotations": True})
    expected = [0.5, 1 / 6, 1 / 6, 1 / 6]
    for turns in range(4):
        key = np.ascontiguousarray(np.rot90(instances, turns)).tobytes()
        assert shares[key] == pytest.approx(expected[turns], abs=0.03)


def test_jitter_changes_light_of_half_the_images_and_no_instance():
    images = np.random.default_rng(1).integers(60, 190, (400, 6, 6, 3), dtype=np.uint8)
    instances = batch(400, 6)[1]
    moved, labels = augmented(images, instances, np.random.default_rng(0), {"jitter": 0.1})
    np.testing.assert_array_equal(labels, instances)
    change = np.abs(moved.astype(int) - images).reshape(400, -1).max(axis=1)
    assert 160 < (change > 0).sum() < 240
    assert change.max() <= 0.1 * 255 + 0.1 * 130 + 1
    changed = change > 0
    ranks = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images[changed], moved[changed], strict=True)]
    assert min(ranks) > 0.99


def test_jitter_saturates_instead_of_wrapping():
    images = np.full((200, 4, 4, 3), 250, np.uint8)
    moved, _ = augmented(images, np.zeros((200, 4, 4), np.int32), np.random.default_rng(0), {"jitter": 0.5})
    assert moved.max() == 255
    assert moved.min() >= 250 - 128


def test_nothing_asked_changes_nothing():
    images, instances = batch(20)
    for config in ({}, {"flips": False, "rotations": False, "jitter": 0}):
        moved, labels = augmented(images, instances, np.random.default_rng(0), config)
        np.testing.assert_array_equal(moved, images)
        np.testing.assert_array_equal(labels, instances)


def test_inputs_are_left_alone_and_equal_seeds_give_equal_batches():
    images, instances = batch(50)
    before = images.copy(), instances.copy()
    config = {"flips": True, "rotations": True, "jitter": 0.2}
    first, second = (augmented(images, instances, np.random.default_rng(3), config) for _ in range(2))
    for kept, now in zip(before, (images, instances), strict=True):
        np.testing.assert_array_equal(kept, now)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


# ---------------------------------------------------------------------- warps

SIDE = 96
WARPS = {"perspective": 0.15, "crop": 0.4, "elastic": {"std": 6, "grid": 3}}


def ramps(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images whose first two channels are the pixel's column and row, and instance maps that number the pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    image = np.stack([columns, rows, np.full_like(rows, 200)], axis=-1).astype(np.uint8)
    return np.repeat(image[None], count, axis=0), np.repeat(
        (rows * SIDE + columns)[None].astype(np.int32), count, axis=0
    )


@pytest.mark.parametrize("name", [*WARPS, "all"])
def test_image_and_instances_go_through_the_same_warp(name):
    """Linear interpolation reproduces a ramp, so each pixel tells where it comes from; its label must agree."""
    config = WARPS if name == "all" else {name: WARPS[name]}
    images, labels = augmented(*ramps(40), np.random.default_rng(3), config)
    told = np.stack([labels % SIDE, labels // SIDE], axis=-1)
    assert np.abs(told - images[..., :2].astype(int)).max() <= 1
    assert (images[..., 2] == 200).all()
    moved = (told[:, [0, -1]][:, :, [0, -1]] != np.array([[[0, 0], [95, 0]], [[0, 95], [95, 95]]])).any(axis=(1, 2, 3))
    share = 1 - 0.5 ** len(config)
    assert moved.mean() == pytest.approx(share, abs=0.2)


def test_a_crop_fills_the_patch_with_a_square_window():
    _, labels = augmented(*ramps(200), np.random.default_rng(0), {"crop": 0.4})
    columns, rows = labels % SIDE, labels // SIDE
    width, height = np.ptp(columns, axis=(1, 2)), np.ptp(rows, axis=(1, 2))
    assert np.abs(width - height).max() <= 1
    assert width.min() >= 0.4 * (SIDE - 1) - 1
    assert width.min() < 0.5 * SIDE
    changed = width < SIDE - 1
    assert changed.mean() == pytest.approx(0.5, abs=0.1)
    assert (np.diff(columns, axis=2) >= 0).all() and (np.diff(rows, axis=1) >= 0).all()


def test_perspective_moves_corners_inwards_and_keeps_lines_straight():
    images, _ = augmented(*ramps(60), np.random.default_rng(0), {"perspective": 0.2})
    places = images[..., :2].astype(int)
    corners = places[:, [0, 0, -1, -1], [0, -1, -1, 0]]
    inwards = np.abs(corners - np.array([[0, 0], [95, 0], [95, 95], [0, 95]]))
    assert inwards.max() <= 0.2 * SIDE + 1
    assert inwards.max() > 0.15 * SIDE
    start, middle, end = places[:, :, 0], places[:, :, 48], places[:, :, -1]
    across = (end - start)[..., ::-1] * [1, -1]
    distance = ((middle - start) * across).sum(axis=-1) / np.linalg.norm(across, axis=-1)
    assert np.abs(distance).max() <= 2


def test_elastic_displacements_have_the_stated_size():
    images, _ = augmented(*ramps(300), np.random.default_rng(0), {"elastic": {"std": 4, "grid": 3}})
    away = images[:, 48, 48, :2].astype(int) - 48
    changed = np.abs(images[..., :2].astype(int) - ramps(1)[0][..., :2]).max(axis=(1, 2, 3)) > 0
    assert changed.mean() == pytest.approx(0.5, abs=0.1)
    assert away[changed].std() == pytest.approx(4, rel=0.2)


def test_labels_are_never_interpolated():
    instances = np.random.default_rng(0).choice([0, 7, 40_000], (50, SIDE, SIDE)).astype(np.uint16)
    _, labels = augmented(ramps(50)[0], instances, np.random.default_rng(0), WARPS)
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) <= {0, 7, 40_000}


# ---------------------------------------------------------------------- light


@pytest.mark.parametrize(("name", "strength"), [("stain", 0.3), ("blur", 2.0), ("noise", 12)])
def test_light_leaves_instances_and_half_of_the_images_alone(name, strength):
    images = np.random.default_rng(1).integers(40, 220, (200, 16, 16, 3), dtype=np.uint8)
    instances = batch(200, 16)[1]
    moved, labels = augmented(images, instances, np.random.default_rng(0), {name: strength})
    np.testing.assert_array_equal(labels, instances)
    assert (moved != images).any(axis=(1, 2, 3)).mean() == pytest.approx(0.5, abs=0.1)


def test_stain_jitter_scales_concentrations_and_leaves_glass_alone():
    """A pixel of pure hematoxylin keeps the direction of its density and changes its length by the factor."""
    vector = np.array([0.650, 0.704, 0.286]) / np.linalg.norm([0.650, 0.704, 0.286])
    pixel = np.rint(240 * np.exp(-0.9 * vector) - 1)
    images = np.full((300, 2, 2, 3), 239, np.uint8)
    images[:, 0] = pixel
    moved, _ = augmented(images, np.zeros((300, 2, 2), np.int32), np.random.default_rng(0), {"stain": 0.4})
    assert (moved[:, 1] == 239).all()
    density = -np.log((moved[:, 0, 0].astype(float) + 1) / 240)
    length = np.linalg.norm(density, axis=1)
    assert (density @ vector / length).min() > 0.999
    changed = np.abs(length / 0.9 - 1) > 0.01
    assert 0.6 - 0.02 < (length / 0.9).min() < 0.65 and 1.35 < (length / 0.9).max() < 1.4 + 0.02
    assert changed.mean() == pytest.approx(0.5, abs=0.1)


def test_noise_has_the_stated_strength():
    images = np.full((400, 32, 32, 3), 128, np.uint8)
    moved, _ = augmented(images, np.zeros((400, 32, 32), np.int32), np.random.default_rng(0), {"noise": 20})
    spread = moved.reshape(400, -1).std(axis=1)
    assert spread.max() <= 21
    assert spread[spread > 0].mean() == pytest.approx(10, rel=0.15)


def test_blur_keeps_the_mean_and_lowers_the_spread():
    images = np.random.default_rng(0).integers(0, 256, (100, 64, 64, 3), dtype=np.uint8)
    moved, _ = augmented(images, np.zeros((100, 64, 64), np.int32), np.random.default_rng(0), {"blur": 3})
    assert np.abs(moved.mean(axis=(1, 2, 3)) - images.mean(axis=(1, 2, 3))).max() < 2
    assert (moved.std(axis=(1, 2, 3)) <= images.std(axis=(1, 2, 3)) + 0.5).all()
    assert moved.std(axis=(1, 2, 3)).min() < 15


def test_equal_seeds_give_equal_patches():
    config = {"flips": True, "rotations": True, **WARPS, "jitter": 0.2, "stain": 0.2, "blur": 1, "noise": 5}
    first = augmented(*ramps(5), np.random.default_rng(8), config)
    again = augmented(*ramps(5), np.random.default_rng(8), config)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


# ---------------------------------------------------------------------- batches

EVERYTHING = {"flips": True, "rotations": True, **WARPS, "jitter": 0.2, "stain": 0.2, "blur": 1, "noise": 5}


def test_what_is_ignored_moves_with_the_instances():
    images, instances = ramps(30)
    ignore = (instances % 7 == 0).astype(np.uint8)
    moved = augment(Batch(images, instances, ignore), np.random.default_rng(1).spawn(30), EVERYTHING)
    assert moved.ignore.dtype == np.uint8
    np.testing.assert_array_equal(moved.ignore, moved.instances % 7 == 0)


def test_patches_of_classes_keep_their_labels():
    images, labels = ramps(6)[0], np.arange(6, dtype=np.int32)
    moved = augment(Batch(images, labels=labels), np.random.default_rng(1).spawn(6), EVERYTHING)
    assert (moved.instances, moved.ignore) == (None, None)
    np.testing.assert_array_equal(moved.labels, labels)
    with_truth = augment(Batch(*ramps(6)), np.random.default_rng(1).spawn(6), EVERYTHING)
    np.testing.assert_array_equal(moved.images, with_truth.images)


def test_a_patch_changes_alike_in_whatever_batch_it_stands():
    images, instances = ramps(8)
    whole = augment(Batch(images, instances), [np.random.default_rng([3, place]) for place in range(8)], EVERYTHING)
    for part in (slice(0, 4), slice(4, 8), slice(5, 6)):
        rngs = [np.random.default_rng([3, place]) for place in range(8)[part]]
        some = augment(Batch(images[part], instances[part]), rngs, EVERYTHING)
        np.testing.assert_array_equal(some.images, whole.images[part])
        np.testing.assert_array_equal(some.instances, whole.instances[part])
