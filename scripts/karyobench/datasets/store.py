"""The one HDF5 schema of every image collection: a group per image id, `image`, `instances`, attributes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from karyobench import files
from karyobench.errors import KaryobenchError

LAYERS = ("ignore", "second", "points")
_CHUNK = 256
_LOSSLESS = {"shuffle": True, **hdf5plugin.Zstd(clevel=3)}


@dataclass(frozen=True)
class Field:
    """One image with its truth.

    image: uint8 (H, W, 3). instances: int32 (H, W), 0 background, one positive value per object (nucleus, gland, ...);
    None without pixel truth. attributes: dataset, image_type, group, parent, box [r0, c0, r1, c1] in the parent, mpp
    (microns per pixel), source_file, sha256, `label` (class of the image) where the truth is one, and whatever a stage
    adds (a stain's note, say). Values are strings, numbers or number lists.
    layers: further truth by name: `ignore` uint8 (H, W), 1 where the truth says nothing; `second` int32 (H, W), the
    instance map of a second observer; `points` float64 (N, 2), row and column of the centres of objects.
    """

    id: str
    image: np.ndarray
    instances: np.ndarray | None
    attributes: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, np.ndarray] = field(default_factory=dict)


class Store:
    """Read access to a file of the schema. Iterates over image ids in sorted order."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    @property
    def ids(self) -> list[str]:
        """Image ids, sorted."""
        return sorted(self._file)

    @property
    def about(self) -> dict[str, Any]:
        """Attributes of the whole file."""
        return _plain(self._file.attrs)

    def attributes(self, image_id: str) -> dict[str, Any]:
        """Attributes of one image, as plain Python values."""
        return _plain(self._group(image_id).attrs)

    def image(self, image_id: str) -> np.ndarray:
        """uint8 (H, W, 3)."""
        return self._group(image_id)["image"][()]

    def shape(self, image_id: str) -> tuple[int, int]:
        """Height and width without reading the pixels."""
        return self._group(image_id)["image"].shape[:2]

    def instances(self, image_id: str) -> np.ndarray | None:
        """int32 (H, W), or None where the image has no truth."""
        group = self._group(image_id)
        return group["instances"][()] if "instances" in group else None

    def layers(self, image_id: str) -> dict[str, np.ndarray]:
        """Further truth by name, see Field; empty for most datasets."""
        group = self._group(image_id)
        return {name: group[name][()] for name in LAYERS if name in group}

    def field(self, image_id: str) -> Field:
        """Image, truth and attributes together."""
        attributes, layers = self.attributes(image_id), self.layers(image_id)
        return Field(image_id, self.image(image_id), self.instances(image_id), attributes, layers)

    def _group(self, image_id: str) -> h5py.Group:
        if image_id not in self._file:
            raise KaryobenchError(f"{self._file.filename}: no image '{image_id}'; the file and its split disagree")
        return self._file[image_id]


@contextmanager
def reading(path: str | Path) -> Iterator[Store]:
    """Open a file of the schema. Raises KaryobenchError naming a file that is missing or not HDF5."""
    with open_hdf5(path) as file:
        yield Store(file)


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Open any HDF5 file for reading. Raises KaryobenchError naming a file that is missing, truncated or foreign."""
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise KaryobenchError(f"{path}: cannot be read as HDF5 ({error}); delete it and run again") from None
    with file:
        yield file


class Writer:
    """Adds images to a file of the schema."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file

    def add(self, item: Field) -> None:
        """Write one image. Raises KaryobenchError on a second image of the same id."""
        if item.id in self._file:
            raise KaryobenchError(f"image id '{item.id}' occurs twice; ids must be unique within a dataset")
        group = self._file.create_group(item.id)
        write_array(group, "image", item.image)
        if item.instances is not None:
            write_array(group, "instances", item.instances)
        for name, layer in item.layers.items():
            write_array(group, name, layer)
        group.attrs.update(item.attributes)


@contextmanager
def writing(path: str | Path, about: dict[str, Any] | None = None) -> Iterator[Writer]:
    """Write a file of the schema atomically; `about` becomes the attributes of the whole file."""
    with create_hdf5(path) as file:
        file.attrs.update(about or {})
        yield Writer(file)


@contextmanager
def create_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Create any HDF5 file atomically."""
    with files.atomic(path) as partial, h5py.File(partial, "w") as file:
        yield file


def write_array(group: h5py.Group, name: str, array: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
    """Store an array losslessly compressed, in chunks of at most 256 pixels a side unless told otherwise."""
    stored = create_array(group, name, array.shape, array.dtype, chunks)
    if array.size:
        stored[...] = array


def create_array(
    group: h5py.Group,
    name: str,
    shape: tuple[int, ...],
    dtype: np.typing.DTypeLike,
    chunks: tuple[int, ...] | None = None,
) -> h5py.Dataset:
    """Make room for an array that is filled part by part; compressed and chunked as by `write_array`."""
    if 0 in shape:
        return group.create_dataset(name, shape, dtype)
    chunks = chunks or tuple(min(n, _CHUNK) for n in shape)
    return group.create_dataset(name, shape, dtype, chunks=chunks, **_LOSSLESS)


def _plain(attributes: h5py.AttributeManager) -> dict[str, Any]:
    return {k: v.tolist() if isinstance(v, np.generic | np.ndarray) else v for k, v in attributes.items()}
