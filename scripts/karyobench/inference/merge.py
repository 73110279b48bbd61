"""The merge step: one instance map, or one probability per class, of each image from the predictions of its tiles."""

import logging
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from karyobench.datasets.store import create_hdf5, open_hdf5, read_attributes, write_array
from karyobench.errors import KaryobenchError
from karyobench.inference.blend import blend
from karyobench.inference.classes import mean_probabilities
from karyobench.inference.seams import relabel, unite
from karyobench.inference.tiles import read_tiles
from karyobench.systems import registry

log = logging.getLogger("karyobench")


def merge(config: dict[str, Any], predictions: str | Path, output: str | Path) -> None:
    """Write what the tiles of every predicted image say of it together.

    `instances` int32 (H, W), labels 1..n in raster order of first pixels; or, of a system that classifies,
    `probabilities` float32 (C,). config: `module` and `instances` of the system's record. Images without a prediction
    stay out. Raises KaryobenchError naming the file and image whose tiles do not fit the system or the image.
    """
    system = registry.load(config["module"])
    with open_hdf5(predictions) as source, create_hdf5(output) as target:
        for number, image_id in enumerate(sorted(source), 1):
            try:
                name, merged = _image(system, source[image_id], config)
            except KaryobenchError as error:
                raise KaryobenchError(f"{predictions}: image '{image_id}': {error}") from None
            write_array(target.create_group(image_id), name, merged)
            told = f"{merged.max()} nuclei" if name == "instances" else f"probabilities {merged.round(4).tolist()}"
            log.info("merged %d/%d %s: %s", number, len(source), image_id, told)


def _image(system: ModuleType, group: h5py.Group, config: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Name and array of what an image's tiles say."""
    about = read_attributes(group)
    height, width, kind = about["height"], about["width"], about["kind"]
    if kind != system.OUTPUT:
        raise KaryobenchError(f"holds {kind}, but system '{config['module']}' gives {system.OUTPUT}; predict it again")
    tiles = read_tiles(group)
    if kind == "classes":
        return "probabilities", mean_probabilities(tiles, height, width)
    if kind == "instances":
        return "instances", unite(tiles, height, width, **config["instances"])
    labels = np.asarray(system.instances(blend(tiles, height, width), config))
    if labels.shape != (height, width) or labels.dtype.kind not in "iu":
        raise KaryobenchError(
            f"system '{config['module']}' gave instances of shape {labels.shape} and type {labels.dtype}, "
            f"must be integers of shape {(height, width)}"
        )
    return "instances", relabel(labels)[0]
