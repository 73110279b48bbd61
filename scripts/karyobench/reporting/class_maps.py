"""Instance maps as pictures of two classes: class times 255."""

import logging
from pathlib import Path

import numpy as np
from PIL import Image

from karyobench import files
from karyobench.datasets.store import open_hdf5
from karyobench.errors import KaryobenchError
from karyobench.reporting.entries import file_name

log = logging.getLogger("karyobench")


def write(merged: str | Path, folder: str | Path) -> None:
    """Write one PNG (H, W) of 8 bits per predicted image, 255 inside nuclei and 0 elsewhere.

    merged: HDF5 of the step merge, with `instances` of each image. A picture is named as its image where that is safe
    in a path. Raises KaryobenchError on a file without instance maps.
    """
    folder = Path(folder)
    with open_hdf5(merged) as source:
        for image_id in sorted(source):
            if "instances" not in source[image_id]:
                raise KaryobenchError(f"{merged}: image '{image_id}' has no instance map; only these have class maps")
            classes = (source[image_id]["instances"][()] > 0).astype(np.uint8)
            with files.atomic(folder / f"{file_name(image_id)}.png") as partial:
                Image.fromarray(classes * np.uint8(255)).save(partial, format="PNG", optimize=True)
        log.info("%d class maps in %s", len(source), folder)
