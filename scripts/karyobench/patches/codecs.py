"""How patches lie in their file: one chunk per patch and array, so that any of them is read alone.

`image` uint8, `instances` uint16 (N, c, c) labelled 1..n per patch, `ignore` uint8 (N, c, c); plain HDF5 throughout.
The layout of `image` belongs to the codec: (N, 3, c, c) or (N, c, c, 3). What was measured: docs/results/reading.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from karyobench.datasets import store
from karyobench.errors import KaryobenchError

MOST_OBJECTS = 2**16 - 1
"""Objects that one patch may hold."""

_TYPES = {"image": np.uint8, "instances": np.uint16, "ignore": np.uint8}


@dataclass(frozen=True)
class Codec:
    """A lossless HDF5 filter, and whether it is given colours as planes (3, c, c) or as pixels (c, c, 3)."""

    filters: dict[str, Any]
    planes: bool


# Planes let zstd see that the three colours of a grey image are equal. Gzip looks back 32 KiB, which is less than a
# plane of 182 x 182 pixels; it is given pixels, as usual.
CODECS = {
    "zstd": Codec({**hdf5plugin.Zstd(clevel=3)}, planes=True),
    "gzip": Codec({"compression": "gzip", "compression_opts": 4}, planes=False),
}


class Writer:
    """Adds patches to a group, which has room for `count` of them, `crop` pixels a side.

    layers: what each patch has beside its image, of `instances` and `ignore`.
    """

    def __init__(self, group: h5py.Group, codec: str, count: int, crop: int, layers: Iterable[str]) -> None:
        filters, self._planes = CODECS[codec].filters, CODECS[codec].planes
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(layers, (crop, crop))
        shapes["image"] = (3, crop, crop) if self._planes else (crop, crop, 3)
        self._arrays = {
            name: store.create_array(group, name, (count, *shape), _TYPES[name], (1, *shape), filters)
            for name, shape in sorted(shapes.items())
        }
        self._added = 0
        store.write_attributes(group, {"codec": codec})

    def add(self, image: np.ndarray, **layers: np.ndarray) -> None:
        """Write the next patch: image uint8 (c, c, 3), and (c, c) of each layer by name.

        Raises KaryobenchError on more objects than labels can tell apart.
        """
        if "instances" in layers and layers["instances"].max() > MOST_OBJECTS:
            raise KaryobenchError(f"a patch holds more than {MOST_OBJECTS} objects; lower `crop` of its patch set")
        stored = np.moveaxis(image, -1, 0) if self._planes else image
        for name, array in {"image": stored, **layers}.items():
            self._arrays[name][self._added] = array
        self._added += 1
