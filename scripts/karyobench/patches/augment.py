"""Random changes to training patches under which a nucleus stays a nucleus."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from karyobench.patches import light, warp
from karyobench.patches.batch import Batch

_TRUTH = ("instances", "ignore")
_GEOMETRY = (warp.flips, warp.rotations)
_LIGHT: dict[str, Callable[[np.ndarray, float, np.random.Generator], np.ndarray]] = {
    "jitter": light.jitter,
    "stain": light.stain,
    "blur": light.blur,
    "noise": light.noise,
}


def augment(batch: Batch, rngs: Sequence[np.random.Generator], config: dict[str, Any]) -> Batch:
    """A new batch, each patch changed on its own, each kind of change with probability 0.5.

    rngs: one generator per patch, so that a patch changes alike in whatever batch it stands. The truth (instances and
    `ignore`) moves with the image's pixels and is never interpolated; labels stay. config, what is absent, false or 0
    is not done:
    `flips` (vertical and horizontal, 0.5 each), `rotations` (by 90, 180 or 270 degrees); `perspective`, `crop` and
    `elastic` (see `warp.field`: together they resample the image once); then, of the image alone, `jitter`, `stain`,
    `blur` and `noise` (see `light`).
    """
    images = np.empty_like(batch.images)
    truth = {name: np.empty_like(array) for name in _TRUTH if (array := getattr(batch, name)) is not None}
    for index, rng in zip(range(len(batch)), rngs, strict=True):
        layers = [getattr(batch, name)[index] for name in truth]
        images[index], moved = _changed(batch.images[index], layers, rng, config)
        for array, layer in zip(truth.values(), moved, strict=True):
            array[index] = layer
    return replace(batch, images=images, **truth)


def _changed(
    image: np.ndarray, truth: list[np.ndarray], rng: np.random.Generator, config: dict[str, Any]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One patch and the layers of its truth, changed."""
    for exact in _GEOMETRY:
        image, *truth = exact([image, *truth], rng, config)
    field = warp.field(image.shape[0], rng, config)
    if field is not None:
        image, truth = warp.resampled(image, field), [warp.looked_up(layer, field) for layer in truth]
    for name, change in _LIGHT.items():
        if config.get(name) and rng.random() < 0.5:
            image = change(image, config[name], rng)
    return image, truth
