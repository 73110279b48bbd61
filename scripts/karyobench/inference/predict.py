"""The predict step: what a system says about each tile of the images of chosen splits."""

import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from karyobench.datasets import splits
from karyobench.datasets.store import Field, create_hdf5, reading
from karyobench.errors import KaryobenchError
from karyobench.inference.classes import checked_probabilities
from karyobench.inference.networks import Network, inference, load_network
from karyobench.inference.tiles import crop, start_image, write_tile
from karyobench.patches.tiling import Box, grid
from karyobench.systems import registry
from karyobench.systems.base import Tile

log = logging.getLogger("karyobench")


def predict(
    config: dict[str, Any], images: str | Path, split: str | Path, weights: str | Path | None, output: str | Path
) -> None:
    """Write the tile predictions of every image whose split is in `config["splits"]`.

    config: the system's record with `module`, `predict` and what else its functions read, plus `splits` and
    `threads`. Maps are stored as float16 (C, h, w): its rounding of a probability, at most 2^-12, is below what any
    threshold resolves, and it halves the largest file of the workflow. Instance maps are int32 (h, w), probabilities of
    `config["classes"]` float32 (C,). An image for which the system has no prediction stays out of the file, and counts
    as missing in the tables.
    Raises KaryobenchError on unfit weights, on an output of wrong shape or type, and on one that is not finite.
    """
    system = registry.load(config["module"])
    network = load_network(system, config, weights)
    wanted = _images(split, config["splits"])
    with reading(images) as source, create_hdf5(output) as target, inference(system):
        for number, image_id in enumerate(wanted, 1):
            tiles = _predict_image(system, network, source.field(image_id), config, target)
            log.info("predicted %d/%d %s: %s", number, len(wanted), image_id, f"{tiles} tiles" if tiles else "missing")


def tiles_of(item: Field, system: ModuleType, config: dict[str, Any]) -> Iterator[Tile]:
    """The tiles of an image as the system sees them, in raster order.

    Tiles overlap by `predict.overlap` px where maps are blended, and not at all else.
    Raises KaryobenchError when the system asks for a truth that the image does not have.
    """
    height, width = item.image.shape[:2]
    truth = _truth(item, system.OUTPUT) if getattr(system, "USES_TRUTH", False) else None
    if getattr(system, "USES_TRUTH", False) and truth is None:
        raise KaryobenchError(f"image '{item.id}' has no truth, which system '{config['module']}' needs")
    for box in _boxes(height, width, system.OUTPUT, config["predict"]):
        yield Tile(
            image=crop(item.image, box, getattr(system, "CONTEXT", (0, 0))),
            image_id=item.id,
            box=box,
            parent=item.attributes.get("parent") or item.id,
            parent_box=tuple(item.attributes.get("box") or (0, 0, height, width)),
            image_type=item.attributes["image_type"],
            truth=truth,
        )


def _truth(item: Field, output: str) -> np.ndarray | str | None:
    return item.attributes.get("label") if output == "classes" else item.instances


def _images(split: str | Path, wanted: list[str]) -> list[str]:
    found = sorted(image for image, name in splits.read(split).items() if name in wanted)
    if not found:
        raise KaryobenchError(f"{split}: no image is in split {' or '.join(wanted)}; nothing to predict")
    return found


def _boxes(height: int, width: int, output: str, settings: dict[str, Any]) -> list[Box]:
    if settings.get("tile") is None:
        return [(0, 0, height, width)]
    return grid(height, width, settings["tile"], settings.get("overlap", 0) if output == "maps" else 0)


def _predict_image(system: ModuleType, network: Network, item: Field, config: dict[str, Any], target: h5py.File) -> int:
    """Number of tiles written; 0, and no trace of the image, when the system has no prediction for one of them."""
    group = start_image(target, item.id, item.image.shape[:2], system.OUTPUT)
    count = 0
    for tile in tiles_of(item, system, config):
        values = system.predict(network, tile, config)
        if values is None:
            del target[item.id]
            return 0
        write_tile(group, count, tile.box, _checked(np.asarray(values), tile, system.OUTPUT, config))
        count += 1
    return count


def _checked(values: np.ndarray, tile: Tile, output: str, config: dict[str, Any]) -> np.ndarray:
    """The prediction in its stored type, or KaryobenchError naming the image, the tile and the fault."""
    r0, c0, r1, c1 = tile.box
    try:
        if output == "classes":
            return checked_probabilities(values, config["classes"])
        if values.shape[-2:] != (r1 - r0, c1 - c0) or values.ndim != (3 if output == "maps" else 2):
            raise KaryobenchError(f"has shape {values.shape} for a tile of {r1 - r0}x{c1 - c0}")
        return _checked_maps(values) if output == "maps" else _checked_instances(values)
    except KaryobenchError as error:
        raise KaryobenchError(f"image '{tile.image_id}', tile {tile.box}: the prediction {error}") from None


def _checked_maps(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        stored = values.astype(np.float16)
    if not np.isfinite(stored).all():
        raise KaryobenchError("holds NaN, infinite or values beyond 65504; the training may have diverged")
    return stored


def _checked_instances(values: np.ndarray) -> np.ndarray:
    stored = values.astype(np.int32)
    if values.dtype.kind not in "iu" or (stored != values).any() or stored.min() < 0:
        raise KaryobenchError(
            f"holds {values.dtype} from {values.min()} to {values.max()}, must be integers from 0 to 2147483647"
        )
    return stored
