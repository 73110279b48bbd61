"""Random changes to training patches under which a nucleus stays a nucleus."""

from typing import Any

import numpy as np


def augment(
    images: np.ndarray, instances: np.ndarray, rng: np.random.Generator, config: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """New images and instance maps, each patch changed on its own.

    images: uint8 (B, c, c, 3). instances: (B, c, c); labels move with their pixels and are never interpolated.
    config: `flips` (vertical and horizontal, each with probability 0.5), `rotations` (by 90, 180 or 270 degrees, with
    probability 0.5), `jitter` (strength in 0..1, with probability 0.5, image only: contrast about the patch's mean by
    a factor 1 +- jitter, then brightness by +- jitter of full scale). What is absent, false or 0 is not done.
    """
    moved, labels = np.empty_like(images), np.empty_like(instances)
    for index in range(len(images)):
        moves = _moves(rng, config)
        moved[index], labels[index] = _move(images[index], *moves), _move(instances[index], *moves)
        if config.get("jitter") and rng.random() < 0.5:
            moved[index] = _jitter(moved[index], *rng.uniform(-config["jitter"], config["jitter"], 2))
    return moved, labels


def _moves(rng: np.random.Generator, config: dict[str, Any]) -> tuple[bool, bool, int]:
    """Whether to flip rows, whether to flip columns, and the number of quarter turns."""
    flips = rng.random(2) < 0.5 if config.get("flips") else (False, False)
    turns = rng.integers(1, 4) if config.get("rotations") and rng.random() < 0.5 else 0
    return bool(flips[0]), bool(flips[1]), int(turns)


def _move(array: np.ndarray, rows: bool, columns: bool, turns: int) -> np.ndarray:
    flipped = array[:: -1 if rows else 1, :: -1 if columns else 1]
    return np.rot90(flipped, turns)


def _jitter(image: np.ndarray, contrast: float, brightness: float) -> np.ndarray:
    """uint8 image with contrast scaled by 1 + contrast about its mean, then shifted by brightness of full scale."""
    mean = image.mean()
    levels = (np.arange(256) - mean) * (1 + contrast) + mean + 255 * brightness
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[image]
