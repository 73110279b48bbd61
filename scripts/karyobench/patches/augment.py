"""Random changes to training patches under which a nucleus stays a nucleus."""

from collections.abc import Callable
from typing import Any

import numpy as np

from karyobench.patches import light, warp

_GEOMETRY = (warp.flips, warp.rotations)
_LIGHT: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "jitter": light.jitter,
    "stain": light.stain,
    "blur": light.blur,
    "noise": light.noise,
}


def augment(
    images: np.ndarray, instances: np.ndarray, rng: np.random.Generator, config: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """New images and instance maps, each patch changed on its own, each kind of change with probability 0.5.

    images: uint8 (B, c, c, 3). instances: integers (B, c, c); labels move with their pixels and are never
    interpolated. config, what is absent, false or 0 is not done:
    `flips` (vertical and horizontal, 0.5 each), `rotations` (by 90, 180 or 270 degrees); `perspective`, `crop` and
    `elastic` (see `warp.field`: together they resample the image once); then, of the image alone, `jitter`, `stain`,
    `blur` and `noise` (see `light`).
    """
    moved, labels = np.empty_like(images), np.empty_like(instances)
    for index in range(len(images)):
        image, truth = images[index], instances[index]
        for exact in _GEOMETRY:
            image, truth = exact(image, truth, rng, config)
        field = warp.field(image.shape[0], rng, config)
        if field is not None:
            image, truth = warp.resampled(image, field), warp.looked_up(truth, field)
        for name, change in _LIGHT.items():
            if config.get(name) and rng.random() < 0.5:
                image = change(image, config[name], rng)
        moved[index], labels[index] = image, truth
    return moved, labels
