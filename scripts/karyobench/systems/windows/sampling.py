"""Which windows a classifier learns from, and what it learns: the loss over windows and its recognition rate.

After the recipe of Janowczyk and Madabhushi's tutorial (2016), whose images have only some of their nuclei marked.
"""

from typing import Any

import numpy as np
import torch
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_objects
from torch.nn import functional

from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.systems.networks import as_input

WINDOW = 32
CONTEXT = (16, 15)
"""Pixels of a window before and after the pixel that it is classified by."""

_BEFORE, _AFTER = CONTEXT


def examples(batch: Batch, rng: np.random.Generator, config: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows float32 (K, 3, 32, 32) that lie wholly within the patches, and the class int64 (K,) of their pixel 16.

    Drawn without repetition from all patches together: `targets.positives` pixels inside nuclei, as many from the
    ring of `targets.ring` pixels around them, and `targets.elsewhere` times `positives` from the background beyond
    the ring; fewer where there are fewer, and a part of a step's batch takes its part of these numbers.
    `targets.stroma`: null where the truth is dense, and no window's pixel is then one of which the truth says nothing;
    where only part of the nuclei are annotated, {window, blob}: beyond the ring, where the truth knows nothing,
    background is likely stroma (see `likely_stroma`).
    Raises KaryobenchError on patches smaller than a window.
    """
    if min(batch.images.shape[1:3]) < WINDOW:
        raise KaryobenchError(f"patches of {batch.images.shape[2]} px hold no window of {WINDOW} px; raise `crop`")
    settings = config["targets"]
    known = np.ones(batch.instances.shape, bool) if batch.ignore is None else batch.ignore == 0
    inside = known & (batch.instances > 0)
    distance = np.stack([_distance_to(nuclei) for nuclei in inside])
    positives = _draw(inside, batch.part_of(settings["positives"]), rng)
    near = _draw(known & ~inside & (distance <= settings["ring"]), len(positives), rng)
    background = _background(batch, known, settings) & (distance > settings["ring"])
    far = _draw(background, batch.part_of(round(settings["elsewhere"] * settings["positives"])), rng)
    centres = np.concatenate([positives, near, far])
    classes = (np.arange(len(centres)) < len(positives)).astype(np.int64)
    return as_input(_windows(batch.images, centres)), torch.from_numpy(classes)


def likely_stroma(image: np.ndarray, window: int, blob: int) -> np.ndarray:
    """Pixels bool (H, W) that no nucleus is near, annotated or not.

    image: uint8 (H, W, 3), H&E. True where the square of `window` pixels around a pixel touches no blob of more than
    `blob` pixels that are dark in red (at most Otsu's threshold), where hematoxylin absorbs and eosin does not. After
    the data set's own recipe (Janowczyk and Madabhushi, 2016), which has windows of 50 and blobs of 100 pixels.

    The threshold is that of `image`, here a patch, where the recipe has whole images. A patch of stroma alone is so
    split at its own darker half, and yields little or nothing; what is found stays clear of nuclei. On images of
    MoNuSeg, patches of 160 pixels find three quarters of what whole images do, and less than 2% of it is annotated
    nucleus, of which the images have a quarter (`tests/systems/test_likely_stroma.py`).
    """
    red = image[..., 0]
    if red.min() == red.max():
        return np.ones(red.shape, bool)
    blobs = remove_small_objects(red <= threshold_otsu(red), max_size=blob)
    return ~ndimage.maximum_filter(blobs, size=window, mode="constant")


def loss(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Cross entropy over windows; 0 where there are none."""
    return functional.cross_entropy(outputs, targets) if len(targets) else outputs.sum()


def measures(outputs: torch.Tensor, targets: torch.Tensor, config: dict[str, Any]) -> dict[str, float]:
    """Recognition rate: the share of windows classified right; 1 where there are none."""
    right = (outputs.argmax(dim=1) == targets).float()
    return {"rate": right.mean().item() if len(right) else 1.0}


def _background(batch: Batch, known: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    if not settings["stroma"]:
        return known
    return np.stack([likely_stroma(image, **settings["stroma"]) for image in batch.images])


def _distance_to(nuclei: np.ndarray) -> np.ndarray:
    """Distance of each pixel to the nearest nucleus, infinite where there is none."""
    return ndimage.distance_transform_edt(~nuclei) if nuclei.any() else np.full(nuclei.shape, np.inf)


def _draw(wanted: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most `count` places int (K, 3) (patch, row, column) of the mask whose windows lie within the patch."""
    within = np.s_[:, _BEFORE : wanted.shape[1] - _AFTER, _BEFORE : wanted.shape[2] - _AFTER]
    places = np.argwhere(wanted[within]) + np.array([0, _BEFORE, _BEFORE])
    return places[rng.choice(len(places), min(count, len(places)), replace=False, shuffle=False)]


def _windows(images: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """uint8 (K, 32, 32, 3) whose pixel 16, 16 is the centre."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (WINDOW, WINDOW), axis=(1, 2))
    patch, row, column = centres.T
    return windows[patch, row - _BEFORE, column - _BEFORE].transpose(0, 2, 3, 1)
