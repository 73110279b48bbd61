"""Size and speed of HDF5 codecs on real fields.

PYTHONPATH=scripts python benchmarks/codecs.py results/datasets/hgsc.h5 [more.h5 ...]

Two uses of each codec, as in the workflow: whole fields in chunks of 256 pixels a side (ingest, normalize, predict),
and training patches with one chunk per patch, read one by one in random order. Rates count uncompressed bytes of image
and instance map together, with a warm cache; the codecs take turns, and each figure is the median over the rounds.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from karyobench.datasets import store

SHUFFLE = hdf5plugin.Blosc.SHUFFLE
CODECS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "gzip-4": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "zstd-3": {"shuffle": True, **hdf5plugin.Zstd(clevel=3)},
    "blosc-zstd-3": {**hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=SHUFFLE)},
    "blosc-lz4-5": {**hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=SHUFFLE)},
}
FIELD_CHUNK = 256

Arrays = list[np.ndarray]


def fields(paths: list[Path]) -> Arrays:
    """Images and instance maps of the given datasets."""
    found = []
    for path in paths:
        with store.reading(path) as images:
            for image_id in images.ids:
                found += [images.image(image_id), images.instances(image_id)]
    return found


def patches(whole: Arrays, side: int, count: int, rng: np.random.Generator) -> Arrays:
    """Two stacks: images (N, c, c, 3) and instance maps (N, c, c), cut at random from fields in turn."""
    cut: Arrays = [np.empty((count, side, side, 3), np.uint8), np.empty((count, side, side), np.int32)]
    for n in range(count):
        pair = whole[2 * (n % (len(whole) // 2)) :][:2]
        row, column = (rng.integers(0, max(length - side, 0) + 1) for length in pair[1].shape)
        for stack, array in zip(cut, pair, strict=True):
            stack[n] = array[row : row + side, column : column + side]
    return cut


def write(path: Path, arrays: Arrays, chunks: list[tuple[int, ...]], codec: dict[str, Any]) -> float:
    """Seconds to write the arrays."""
    start = time.perf_counter()
    with h5py.File(path, "w") as file:
        for index, (array, chunk) in enumerate(zip(arrays, chunks, strict=True)):
            file.create_dataset(str(index), data=array, chunks=chunk if codec else None, **codec)
    return time.perf_counter() - start


def read_whole(path: Path) -> float:
    """Seconds to read every array."""
    start = time.perf_counter()
    with h5py.File(path, "r") as file:
        for name in file:
            file[name][()]
    return time.perf_counter() - start


def read_singly(path: Path, order: np.ndarray) -> float:
    """Seconds to read the patches one by one."""
    with h5py.File(path, "r") as file:
        image, instances = (np.empty(file[name].shape[1:], file[name].dtype) for name in ("0", "1"))
        start = time.perf_counter()
        for index in order:
            file["0"].read_direct(image, np.s_[index])
            file["1"].read_direct(instances, np.s_[index])
        return time.perf_counter() - start


def measure(paths: list[Path], side: int, count: int, rounds: int, folder: Path) -> list[str]:
    """Rows of the table."""
    rng = np.random.default_rng(0)
    whole = fields(paths)
    cut = patches(whole, side, count, rng)
    tiled = [tuple(min(n, FIELD_CHUNK) for n in array.shape) for array in whole]
    single = [(1, *array.shape[1:]) for array in cut]
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        order = rng.permutation(count)
        for name, codec in CODECS.items():
            taken[name, "write fields"].append(write(folder / f"{name}-fields", whole, tiled, codec))
            taken[name, "read fields"].append(read_whole(folder / f"{name}-fields"))
            taken[name, "write patches"].append(write(folder / f"{name}-patches", cut, single, codec))
            taken[name, "read patches"].append(read_singly(folder / f"{name}-patches", order))
    return [row(name, whole, cut, taken, folder) for name in CODECS]


def row(name: str, whole: Arrays, cut: Arrays, taken: dict[tuple[str, str], list[float]], folder: Path) -> str:
    """One line of the Markdown table."""
    cells = [name]
    for use, arrays in (("fields", whole), ("patches", cut)):
        megabytes = sum(array.nbytes for array in arrays) / 1e6
        cells.append(f"{(folder / f'{name}-{use}').stat().st_size / megabytes / 1e4:.1f} %")
        cells += [f"{megabytes / median(taken[name, f'{action} {use}']):.0f}" for action in ("write", "read")]
    cells.append(f"{len(cut[0]) / median(taken[name, 'read patches']):.0f}")
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path, help="ingested datasets")
    parser.add_argument("--crop", type=int, default=160, help="side of a patch in pixels")
    parser.add_argument("--patches", type=int, default=400, help="number of patches")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the median counts")
    parser.add_argument("--folder", type=Path, help="where to write, to measure that disk; default: a temporary one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        rows = measure(args.datasets, args.crop, args.patches, args.rounds, Path(folder))
    print("| codec | fields: size | write MB/s | read MB/s | patches: size | write MB/s | read MB/s | read patches/s |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
