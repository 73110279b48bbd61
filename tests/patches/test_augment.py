"""Augmentation: the instance map moves exactly with the image, and only the image's light changes."""

import numpy as np
import pytest

from karyobench.patches.augment import augment


def batch(count: int, side: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Patches in which every pixel differs, and instance maps that are a copy of the first channel."""
    numbers = np.arange(count * side * side).reshape(count, side, side)
    images = np.stack([numbers % 251, numbers // 251, numbers % 7], axis=-1).astype(np.uint8)
    return images, images[..., 0].astype(np.int32)


@pytest.mark.parametrize("config", [{"flips": True}, {"rotations": True}, {"flips": True, "rotations": True}])
def test_instances_move_exactly_with_the_image(config):
    images, instances = batch(100)
    moved, labels = augment(images, instances, np.random.default_rng(0), config)
    assert moved.dtype == np.uint8
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(moved[..., 0], labels)
    np.testing.assert_array_equal(np.sort(labels.reshape(100, -1)), np.sort(instances.reshape(100, -1)))


def orientations(config: dict, count: int = 4000) -> dict[bytes, float]:
    """Share of each distinct outcome for one patch."""
    images, instances = batch(1)
    repeated = np.repeat(images, count, axis=0), np.repeat(instances, count, axis=0)
    _, labels = augment(*repeated, np.random.default_rng(0), config)
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
    moved, labels = augment(images, instances, np.random.default_rng(0), {"jitter": 0.1})
    np.testing.assert_array_equal(labels, instances)
    change = np.abs(moved.astype(int) - images).reshape(400, -1).max(axis=1)
    assert 160 < (change > 0).sum() < 240
    assert change.max() <= 0.1 * 255 + 0.1 * 130 + 1
    changed = change > 0
    ranks = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images[changed], moved[changed], strict=True)]
    assert min(ranks) > 0.99


def test_jitter_saturates_instead_of_wrapping():
    images = np.full((200, 4, 4, 3), 250, np.uint8)
    moved, _ = augment(images, np.zeros((200, 4, 4), np.int32), np.random.default_rng(0), {"jitter": 0.5})
    assert moved.max() == 255
    assert moved.min() >= 250 - 128


def test_nothing_asked_changes_nothing():
    images, instances = batch(20)
    for config in ({}, {"flips": False, "rotations": False, "jitter": 0}):
        moved, labels = augment(images, instances, np.random.default_rng(0), config)
        np.testing.assert_array_equal(moved, images)
        np.testing.assert_array_equal(labels, instances)


def test_inputs_are_left_alone_and_equal_seeds_give_equal_batches():
    images, instances = batch(50)
    before = images.copy(), instances.copy()
    config = {"flips": True, "rotations": True, "jitter": 0.2}
    first, second = (augment(images, instances, np.random.default_rng(3), config) for _ in range(2))
    for kept, now in zip(before, (images, instances), strict=True):
        np.testing.assert_array_equal(kept, now)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
