"""Fundus photographs of known vessels and field of view."""

import numpy as np

SHAPE = (96, 120)
_ROWS, _COLUMNS = np.ogrid[: SHAPE[0], : SHAPE[1]]

VIEW = ((_ROWS - 47.5) ** 2 + (_COLUMNS - 59.5) ** 2 < 44**2) & (_ROWS > 10)
"""Field of view, bool: a disc that is cut off at the top."""

FIRST = VIEW & (abs(_ROWS - _COLUMNS // 2 - 16) < 2)
SECOND = VIEW & (abs(_ROWS - _COLUMNS // 2 - 18) < 2)
"""Vessels of two observers, bool."""


def photograph(seed: int, dark: int = 5) -> np.ndarray:
    """uint8 (H, W, 3): bright and noisy within the field of view, noise up to `dark` outside; vessels and a hole."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, dark + 1, (*SHAPE, 3))
    image[VIEW] = np.array([170, 90, 40]) + rng.integers(-20, 21, (int(VIEW.sum()), 3))
    image[FIRST] //= 2
    image[28:31, 33:36] = 0
    return image.astype(np.uint8)


def mask(inside: np.ndarray) -> np.ndarray:
    """uint8 (H, W), 0 and 255."""
    return inside.astype(np.uint8) * 255
