"""Class maps: the class of each pixel, times 255, as the improved AlexNet paper shows it."""

import logging
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from karyobench import files
from karyobench.datasets.store import open_hdf5, read_attributes
from karyobench.errors import KaryobenchError
from karyobench.inference.blend import blend
from karyobench.inference.tiles import read_tiles
from karyobench.reporting.file_names import file_name

log = logging.getLogger("karyobench")


def write(predictions: str | Path, folder: str | Path) -> None:
    """Write one PNG (H, W) of 8 bits per predicted image: 255 where nucleus is the likelier class, 0 elsewhere.

    predictions: HDF5 of the step predict, of a system with CLASS_MAP (`systems/base.py`), whose first map is the
    probability of nucleus. It is taken as blended over tiles, before any threshold, hole or small object of the step
    merge. A picture is named as its image where that is safe in a path. Raises KaryobenchError on other predictions.
    """
    with open_hdf5(predictions) as source, files.atomic(folder) as partial:
        partial.mkdir()
        for image_id in sorted(source):
            try:
                classes = _classes(source[image_id])
            except KaryobenchError as error:
                raise KaryobenchError(f"{predictions}: image '{image_id}': {error}") from None
            picture = Image.fromarray(classes * np.uint8(255))
            picture.save(partial / f"{file_name(image_id)}.png", format="PNG", optimize=True)
        log.info("%d class maps", len(source))


def _classes(group: h5py.Group) -> np.ndarray:
    """uint8 (H, W), 1 where the blended probability of nucleus is above 0.5."""
    about = read_attributes(group)
    if about["kind"] != "maps":
        raise KaryobenchError(f"holds {about['kind']}; only dense maps have a class per pixel")
    return (blend(read_tiles(group), about["height"], about["width"])[0] > 0.5).astype(np.uint8)
