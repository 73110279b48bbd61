"""Images of mixed staining: which kind each one is, told from its pixels as stored."""

from typing import Any

import numpy as np

from karyobench.datasets import image_types, images

_COLOURED = 0.02
_BRIGHT = 0.4
_16_BITS = {"range": [0, 65535]}


def read_image(data: bytes, name: str, intensity: dict[str, Any] | None) -> tuple[np.ndarray, dict[str, Any]]:
    """uint8 RGB (H, W, 3) of an image file as by `images.read_image`, and what it tells of the image.

    Attributes: `colour_statistics`, see `image_types.statistics`, of the pixels as stored, whatever `intensity` makes
    of them (16-bit ones divided by 257), and what follows from them, `image_type`.
    """
    stored = images.stored(data, name)
    image, notes = images.to_rgb(stored, name, intensity)
    as_stored, _ = images.to_rgb(stored, name, _16_BITS if stored.dtype == np.uint16 else None)
    statistics = image_types.statistics(as_stored).tolist()
    return image, {**notes, "colour_statistics": statistics, "image_type": image_type(statistics)}


def image_type(statistics: list[float]) -> str:
    """Kind of an image of the Data Science Bowl by its colour statistics: thresholds set after its known staining.

    Stained tissue is coloured: its mean saturation is above 0.02, that of the others, which are grey, is 0.
    Brightfield is grey on white, fluorescence bright on black: their mean values lie on either side of 0.4.
    """
    _, _, saturation, _, value, _ = statistics
    if saturation > _COLOURED:
        return image_types.HE
    return image_types.BRIGHTFIELD if value > _BRIGHT else image_types.FLUORESCENCE
