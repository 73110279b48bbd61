"""Changes of a patch's geometry: image and truth go through the very same mapping."""

from typing import Any

import cv2
import numpy as np

Config = dict[str, Any]
Arrays = list[np.ndarray]


def flips(arrays: Arrays, rng: np.random.Generator, config: Config) -> Arrays:
    """Flip rows and columns, each with probability 0.5, where `flips` is set."""
    rows, columns = rng.random(2) < 0.5 if config.get("flips") else (False, False)
    order = np.s_[:: -1 if rows else 1, :: -1 if columns else 1]
    return [array[order] for array in arrays]


def rotations(arrays: Arrays, rng: np.random.Generator, config: Config) -> Arrays:
    """Turn by 90, 180 or 270 degrees with probability 0.5, where `rotations` is set."""
    turns = int(rng.integers(1, 4)) if config.get("rotations") and rng.random() < 0.5 else 0
    return [np.rot90(array, turns) for array in arrays]


def field(side: int, rng: np.random.Generator, config: Config) -> np.ndarray | None:
    """Where each pixel of the new patch comes from, float32 (side, side, 2), column then row; None for no change.

    Each with probability 0.5: `crop`, the least side of a random square window that fills the patch, as a fraction;
    `perspective`, the most by which each corner moves inwards, as a fraction of the side; `elastic: {std, grid}`,
    displacements drawn from a normal distribution of `std` pixels at grid x grid points and interpolated bicubically
    (Ronneberger et al., MICCAI 2015). All stay within the patch, so that nothing must be invented beyond its border.
    """
    mapping, displacement = np.eye(3), None
    if config.get("crop") and rng.random() < 0.5:
        mapping = mapping @ _window(side, config["crop"], rng)
    if config.get("perspective") and rng.random() < 0.5:
        mapping = mapping @ _quadrilateral(side, config["perspective"], rng)
    if config.get("elastic") and rng.random() < 0.5:
        displacement = _displacement(side, rng, **config["elastic"])
    if displacement is None and np.array_equal(mapping, np.eye(3)):
        return None
    places = _applied(mapping, side)
    if displacement is not None:
        places += displacement
    return np.clip(places, 0, side - 1, out=places)


def resampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """uint8 (c, c, 3) at the places of a field, interpolated linearly."""
    return cv2.remap(np.ascontiguousarray(image), places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def looked_up(layer: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Values (c, c) of the pixels nearest to the places of a field."""
    columns, rows = np.rint(places).astype(np.int32).transpose(2, 0, 1)
    return layer.ravel()[rows * layer.shape[1] + columns]


def _window(side: int, least: float, rng: np.random.Generator) -> np.ndarray:
    """Scaling and shift (3, 3) that fill the patch with a random square window of it."""
    share = rng.uniform(least, 1)
    column, row = rng.uniform(0, (1 - share) * (side - 1), 2)
    return np.array([[share, 0, column], [0, share, row], [0, 0, 1]])


def _quadrilateral(side: int, most: float, rng: np.random.Generator) -> np.ndarray:
    """Homography (3, 3) that fills the patch with a quadrilateral whose corners lie inwards of its own."""
    last = side - 1
    corners = np.array([[0, 0], [last, 0], [last, last], [0, last]], np.float32)
    inwards = np.sign(last / 2 - corners) * rng.uniform(0, most * side, (4, 2))
    return cv2.getPerspectiveTransform(corners, (corners + inwards).astype(np.float32))


def _displacement(side: int, rng: np.random.Generator, std: float, grid: int) -> np.ndarray:
    coarse = rng.normal(0, std, (grid, grid, 2)).astype(np.float32)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def _applied(mapping: np.ndarray, side: int) -> np.ndarray:
    """Images float32 (side, side, 2), column then row, of all pixels under a homography (3, 3)."""
    columns, rows = np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32)[:, None]
    x, y, scale = (a * columns + (b * rows + c) for a, b, c in mapping.astype(np.float32))
    return np.stack([x / scale, y / scale], axis=-1)
