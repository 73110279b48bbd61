"""Size and speed of HDF5 codecs on whole fields in chunks of 256 pixels a side, as ingest, normalize and predict write.

PYTHONPATH=scripts python benchmarks/codecs.py results/datasets/dsb2018.h5 [more.h5 ...]

Rates count uncompressed bytes, with a warm cache; the codecs take turns, and each figure is the median over the rounds.
Training patches are another matter, see benchmarks/reading.py.
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
ZSTD: dict[str, Any] = {**hdf5plugin.Zstd(clevel=3)}
CODECS: dict[str, dict[str, Any]] = {
    "contiguous": {},
    "gzip-4": {"compression": "gzip", "compression_opts": 4},
    "gzip-4, shuffle": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
    "zstd-3": ZSTD,
    "zstd-3, shuffle": {"shuffle": True, **ZSTD},
    "blosc-zstd-3": {**hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=SHUFFLE)},
    "blosc-lz4-5": {**hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=SHUFFLE)},
    "bitshuffle-zstd-3": {**hdf5plugin.Bitshuffle(cname="zstd", clevel=3)},
}
CHUNK = 256

Arrays = list[np.ndarray]


def fields(path: Path, most: int) -> dict[str, Arrays]:
    """Images and instance maps of at most so many fields of a dataset, evenly spread over it."""
    with store.reading(path) as images:
        chosen = images.ids[:: -(-len(images.ids) // most)]
        return {"images": [images.image(i) for i in chosen], "instances": [images.instances(i) for i in chosen]}


def write(path: Path, arrays: Arrays, codec: dict[str, Any]) -> float:
    """Seconds to write the arrays."""
    start = time.perf_counter()
    with h5py.File(path, "w") as file:
        for index, array in enumerate(arrays):
            chunks = tuple(min(n, CHUNK) for n in array.shape) if codec else None
            file.create_dataset(str(index), data=array, chunks=chunks, **codec)
    return time.perf_counter() - start


def read(path: Path) -> float:
    """Seconds to read every array."""
    start = time.perf_counter()
    with h5py.File(path, "r") as file:
        for name in file:
            file[name][()]
    return time.perf_counter() - start


def measure(arrays: Arrays, rounds: int, folder: Path) -> dict[str, str]:
    """Cells of the table by codec: size, write rate, read rate."""
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(rounds):
        for name, codec in CODECS.items():
            taken[name, "write"].append(write(folder / name, arrays, codec))
            taken[name, "read"].append(read(folder / name))
    megabytes = sum(array.nbytes for array in arrays) / 1e6
    return {
        name: f"{(folder / name).stat().st_size / megabytes / 1e4:.2f} % | "
        f"{megabytes / median(taken[name, 'write']):.0f} | {megabytes / median(taken[name, 'read']):.0f}"
        for name in CODECS
    }


def main() -> None:
    """Measure and print a table for each dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="+", type=Path, help="ingested datasets")
    parser.add_argument("--fields", type=int, default=60, help="most fields of each dataset")
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
    parser.add_argument("--folder", type=Path, help="where to write, to measure that disk; default: a temporary one")
    args = parser.parse_args()
    for path in args.datasets:
        whole = fields(path, args.fields)
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            cells = [measure(arrays, args.rounds, Path(folder)) for arrays in whole.values()]
        print(f"\n## {path.stem}, {len(whole['images'])} fields\n")
        print("| codec | images: size | write MB/s | read MB/s | instances: size | write MB/s | read MB/s |")
        print("|---|---|---|---|---|---|---|")
        print("\n".join(f"| {name} | {' | '.join(found[name] for found in cells)} |" for name in CODECS))


if __name__ == "__main__":
    main()
