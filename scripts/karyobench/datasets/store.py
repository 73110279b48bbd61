"""The one HDF5 schema of every image collection: a group per image id, `image`, `instances`, attributes."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import h5py
import hdf5plugin
import numpy as np

from karyobench import files
from karyobench.errors import KaryobenchError

LAYERS = ("ignore", "second", "points")
_CHUNK = 256
_ZSTD = {**hdf5plugin.Zstd(clevel=3)}
_CHECKED = {"libver": ("v110", "v110")}
"""The first format of HDF5 whose structure has checksums throughout. Arrays have theirs by the filter fletcher32."""

DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError)
"""What h5py raises while it reads a damaged file."""


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


_Given = TypeVar("_Given")


def _whole(read: Callable[..., _Given]) -> Callable[..., _Given]:
    """A method of Store that names its file where it is damaged."""

    @functools.wraps(read)
    def checked(self: "Store", *args: str) -> _Given:
        try:
            return read(self, *args)
        except DAMAGED as error:
            raise KaryobenchError(f"{self.path}: is damaged ({error}); delete it and run again") from error

    return checked


class Store:
    """Read access to a file of the schema. Iterates over image ids in sorted order."""

    def __init__(self, file: h5py.File) -> None:
        self.path, self._file = file.filename, file

    @property
    @_whole
    def ids(self) -> list[str]:
        """Image ids, sorted."""
        return sorted(self._file)

    @property
    @_whole
    def about(self) -> dict[str, Any]:
        """Attributes of the whole file."""
        return read_attributes(self._file)

    @_whole
    def attributes(self, image_id: str) -> dict[str, Any]:
        """Attributes of one image, as plain Python values."""
        return read_attributes(self._group(image_id))

    @_whole
    def image(self, image_id: str) -> np.ndarray:
        """uint8 (H, W, 3)."""
        return self._group(image_id)["image"][()]

    @_whole
    def shape(self, image_id: str) -> tuple[int, int]:
        """Height and width without reading the pixels."""
        return self._group(image_id)["image"].shape[:2]

    @_whole
    def instances(self, image_id: str) -> np.ndarray | None:
        """int32 (H, W), or None where the image has no truth."""
        group = self._group(image_id)
        return group["instances"][()] if "instances" in group else None

    @_whole
    def holds(self, image_id: str) -> set[str]:
        """Names of an image's arrays, told without reading them: `image`, `instances`, and those of Field.layers."""
        return set(self._group(image_id))

    @_whole
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
            raise KaryobenchError(f"{self.path}: no image '{image_id}'; the file and its split disagree")
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
        write_attributes(group, item.attributes)


@contextmanager
def writing(path: str | Path, about: dict[str, Any] | None = None) -> Iterator[Writer]:
    """Write a file of the schema atomically; `about` becomes the attributes of the whole file."""
    with create_hdf5(path) as file:
        write_attributes(file, about or {})
        yield Writer(file)


@contextmanager
def create_hdf5(path: str | Path) -> Iterator[h5py.File]:
    """Create any HDF5 file atomically."""
    with files.atomic(path) as partial, h5py.File(partial, "w", **_CHECKED) as file:
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
    filters: dict[str, Any] | None = None,
) -> h5py.Dataset:
    """Make room for an array that is filled part by part; compressed and chunked as by `write_array`.

    filters: h5py's arguments of another lossless compression.
    """
    if 0 in shape:
        return group.create_dataset(name, shape, dtype)
    chunks = chunks or tuple(min(n, _CHUNK) for n in shape)
    # Bytes of equal weight are alike in floating point numbers; labels compress better, and faster, as they are.
    usual = {"shuffle": np.issubdtype(dtype, np.floating), "fletcher32": True, **_ZSTD}
    return group.create_dataset(name, shape, dtype, chunks=chunks, **(filters or usual))


def write_attributes(target: h5py.Group, attributes: dict[str, Any]) -> None:
    """Set attributes: strings, numbers, and lists of either.

    Strings get a fixed length: those of variable length lie in a heap that has no checksum, and HDF5 never returns
    from reading some damaged ones.
    """
    for name, value in attributes.items():
        if np.asarray(value).dtype.kind == "U":
            text = np.char.encode(value, "utf-8")
            target.attrs.create(name, text, dtype=h5py.string_dtype("utf-8", text.dtype.itemsize))
        else:
            target.attrs[name] = value


def read_attributes(target: h5py.Group) -> dict[str, Any]:
    """Attributes as plain Python values."""
    return {name: _text(value.tolist() if hasattr(value, "tolist") else value) for name, value in target.attrs.items()}


def _text(value: Any) -> Any:
    """Strings out of the bytes that strings of fixed length are read as."""
    if isinstance(value, list):
        return [_text(part) for part in value]
    return value.decode() if isinstance(value, bytes) else value
