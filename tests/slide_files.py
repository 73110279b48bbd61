"""Small pyramidal slides and their outlines in ASAP's format."""

from pathlib import Path

import numpy as np
import tifffile

TILE = 64
"""Side of the tiles of the slides."""


def pyramid(shape: tuple[int, int], levels: int, seed: int = 0) -> list[np.ndarray]:
    """Levels uint8 (H, W, 3), each with every second row and column of the one before."""
    image = np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)
    return [image[:: 2**k, :: 2**k] for k in range(levels)]


def filled_up(level: np.ndarray) -> np.ndarray:
    """A level filled up with black to whole tiles, as some scanners store it."""
    height, width = (-(-side // TILE) * TILE for side in level.shape[:2])
    filled = np.zeros((height, width, 3), np.uint8)
    filled[: level.shape[0], : level.shape[1]] = level
    return filled


def write_slide(path: Path, levels: list[np.ndarray], per_cm: float | None = 40_000, compression: str = "zlib") -> None:
    """A tiled TIFF with one page per level and an untiled overview page at its end. per_cm: pixels per centimetre."""
    resolution = {} if per_cm is None else {"resolution": (per_cm, per_cm), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for k, level in enumerate(levels):
            told = {"subfiletype": int(k > 0), "metadata": None, **(resolution if k == 0 else {})}
            file.write(level, tile=(TILE, TILE), photometric="rgb", compression=compression, **told)
        file.write(np.zeros((20, 300, 3), np.uint8), photometric="rgb", metadata=None)


def asap_xml(groups: dict[str, list[list[tuple[float, float]]]]) -> bytes:
    """Outlines of each group, x and y, as ASAP writes them."""
    annotations = ""
    for group, outlines in groups.items():
        for outline in outlines:
            points = "".join(f'<Coordinate Order="{k}" X="{x}" Y="{y}" />' for k, (x, y) in enumerate(outline))
            annotations += f'<Annotation Name="a" Type="Polygon" PartOfGroup="{group}" Color="#F4FA58">'
            annotations += f"<Coordinates>{points}</Coordinates></Annotation>"
    named = "".join(f'<Group Name="{group}" PartOfGroup="None"><Attributes /></Group>' for group in groups)
    return (
        f'<?xml version="1.0"?><ASAP_Annotations><Annotations>{annotations}</Annotations>'
        f"<AnnotationGroups>{named}</AnnotationGroups></ASAP_Annotations>"
    ).encode()


def box(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    """Outline of a rectangle."""
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
