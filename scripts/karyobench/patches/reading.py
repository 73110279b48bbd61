"""Reading patches in any order: raw chunks straight from the file, decoded by several threads outside HDF5's lock."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import imagecodecs
import numpy as np

from karyobench.datasets import store
from karyobench.errors import KaryobenchError
from karyobench.patches.batch import Batch
from karyobench.patches.codecs import CODECS

_DECODERS: dict[str, Callable[..., np.ndarray]] = {
    "zstd": imagecodecs.zstd_decode,
    "gzip": imagecodecs.deflate_decode,
}
_Indices = Sequence[int] | np.ndarray


class Patches:
    """Random access to the patches of one group. What it gives does not depend on the number of threads.

    classes: names that the labels are places in; empty for patches with instances.
    """

    def __init__(self, group: h5py.Group, file: "_File") -> None:
        self._file, self._length = file, len(group["image"])
        self._arrays = {name: _Array(group[name], file) for name in ("image", "instances", "ignore") if name in group}
        self._labels = group["label"][()] if "label" in group else None
        self.classes: list[str] = store.read_attributes(group).get("classes", [])

    def __len__(self) -> int:
        return self._length

    def batch(self, indices: _Indices) -> Batch:
        """Patches with their truth, in the order asked for.

        Raises KaryobenchError naming a damaged patch.
        """
        images, instances, ignore = self._read({"image": np.uint8, "instances": np.int32, "ignore": np.uint8}, indices)
        labels = None if self._labels is None else self._labels[np.asarray(indices, int)]
        return Batch(images, instances, ignore, labels)

    def _read(self, kinds: dict[str, type], indices: _Indices) -> list[np.ndarray | None]:
        arrays = {name: self._arrays[name] for name in kinds if name in self._arrays}
        found = {name: np.empty((len(indices), *array.shape), kinds[name]) for name, array in arrays.items()}

        def some(places: range) -> None:
            for name, array in arrays.items():
                array.read(indices, places, found[name])

        self._file.spread(some, len(indices))
        return [found.get(name) for name in kinds]


@contextmanager
def reading(path: str | Path, threads: int = 1) -> Iterator[tuple[Patches, Patches]]:
    """Open a patch file: its training and its validation patches. threads: how many decode a batch.

    Raises KaryobenchError when it cannot be read, or is no patch file.
    """
    with ExitStack() as stack:
        hdf5 = stack.enter_context(store.open_hdf5(path))
        descriptor = os.open(path, os.O_RDONLY)
        stack.callback(os.close, descriptor)
        pool = stack.enter_context(ThreadPoolExecutor(threads))
        file = _File(str(path), descriptor, pool, threads)
        try:
            both = Patches(hdf5["train"], file), Patches(hdf5["val"], file)
        except store.DAMAGED as error:
            raise KaryobenchError(f"{path}: no patch file of this version ({error}); delete it and run again") from None
        yield both


@dataclass(frozen=True)
class _File:
    """An open patch file and the threads that read it."""

    path: str
    descriptor: int
    pool: ThreadPoolExecutor
    threads: int

    def spread(self, work: Callable[[range], None], count: int) -> None:
        """Do the work on the places 0 to count, a share for each thread; raises what the first failing share did."""
        share = max(1, -(-count // self.threads))
        shares = [range(start, min(start + share, count)) for start in range(0, count, share)]
        for _ in map(work, shares) if len(shares) < 2 else self.pool.map(work, shares):
            pass


class _Array:
    """The chunks of one array, one per patch."""

    def __init__(self, dataset: h5py.Dataset, file: _File) -> None:
        codec = store.read_attributes(dataset.parent)["codec"]
        self._name, self._file, self._decode = dataset.name, file, _DECODERS[codec]
        self._stored, self._type = dataset.shape[1:], dataset.dtype
        self._planes = len(self._stored) == 3 and CODECS[codec].planes
        self._chunks = _chunks(dataset)
        self.shape = (*self._stored[1:], 3) if self._planes else self._stored

    def read(self, indices: _Indices, places: range, out: np.ndarray) -> None:
        """Fill these places of `out` with the patches that the indices name there."""
        buffer = np.empty(self._stored, self._type)
        for place in places:
            self._decoded(int(indices[place]), buffer.reshape(-1).view(np.uint8))
            if self._planes:
                cv2.merge(list(buffer), out[place])
            else:
                np.copyto(out[place], buffer)

    def _decoded(self, index: int, buffer: np.ndarray) -> None:
        offset, size = self._chunks[index].tolist()
        data = os.pread(self._file.descriptor, size, offset)
        try:
            content = self._decode(data, out=buffer)
        except (RuntimeError, ValueError) as error:
            raise self._damaged(index, str(error)) from None
        if len(content) != len(buffer):
            raise self._damaged(index, "cut short")

    def _damaged(self, index: int, why: str) -> KaryobenchError:
        return KaryobenchError(
            f"{self._file.path}: {self._name}: patch {index} is damaged ({why}); delete the file and run again"
        )


def _chunks(dataset: h5py.Dataset) -> np.ndarray:
    """Place in the file and size in bytes of each chunk, int64 (N, 2)."""
    table = np.zeros((len(dataset), 2), np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        table[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size

    if len(dataset):
        dataset.id.chunk_iter(note)
    return table
