"""Samples per second of training patches: one PNG per mask against one chunk per patch, codec by codec.

PYTHONPATH=scripts python benchmarks/reading.py --dsb2018 stage1_train.zip --monuseg MoNuSegTestData.zip

A sample is an RGB image and its instance map int32. Each call of a peer reads all samples once, in random order and in
batches, into new arrays; the page cache is warm. Peers with packed files read the very files whose sizes are told.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import harness
import numpy as np

BATCH = 16
FIELD_SIDE, FIELD_NUCLEI = 1000, 500
Pair = tuple[np.ndarray, np.ndarray]


class Samples:
    """The last batch that a call read; made an array only to tell results apart, outside the time that counts."""

    def __init__(self, images: np.ndarray, instances: np.ndarray) -> None:
        self.images, self.instances = images, instances

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.concatenate([self.images.astype(np.int32), self.instances[..., None]], axis=-1)


# ---------------------------------------------------------------------- peers: a file per image and mask


def _each(folder: str, read: Callable[[Path, np.ndarray, np.ndarray], None]) -> Callable[[], Samples]:
    """Reader of samples that lie in folders of their own: it fills an image and an instance map."""
    samples = sorted((Path(folder) / "png").iterdir())
    shape = np.load(Path(folder) / "image.npy", mmap_mode="r").shape[1:]

    def batch(indices: np.ndarray) -> Pair:
        images = np.empty((len(indices), *shape), np.uint8)
        instances = np.empty((len(indices), *shape[:2]), np.int32)
        for place, index in enumerate(indices):
            read(samples[index], images[place], instances[place])
        return images, instances

    return _epoch(len(samples), batch)


def _epoch(count: int, batch: Callable[[np.ndarray], Pair]) -> Callable[[], Samples]:
    order = np.random.default_rng(0).permutation(count)

    def read_all() -> Samples:
        for start in range(0, count, BATCH):
            images, instances = batch(order[start : start + BATCH])
        return Samples(images, instances)

    return read_all


def _united(folder: Path, read: Callable[[str], np.ndarray], instances: np.ndarray) -> None:
    """Instance map of one file per mask."""
    instances[...] = 0
    for label, path in enumerate(sorted(folder.glob("masks/*.png")), start=1):
        instances[read(str(path)) > 0] = label


def opencv_masks(folder: str) -> Callable[[], Samples]:
    """OpenCV, one PNG per mask."""
    import cv2

    def read(sample: Path, image: np.ndarray, instances: np.ndarray) -> None:
        image[...] = cv2.imread(str(sample / "image.png"), cv2.IMREAD_COLOR_RGB)
        _united(sample, partial(cv2.imread, flags=cv2.IMREAD_GRAYSCALE), instances)

    return _each(folder, read)


def pillow_masks(folder: str) -> Callable[[], Samples]:
    """Pillow, one PNG per mask."""
    from PIL import Image

    def read(sample: Path, image: np.ndarray, instances: np.ndarray) -> None:
        image[...] = Image.open(sample / "image.png").convert("RGB")
        _united(sample, lambda path: np.asarray(Image.open(path)), instances)

    return _each(folder, read)


def skimage_masks(folder: str) -> Callable[[], Samples]:
    """scikit-image, one PNG per mask."""
    from skimage.io import imread

    def read(sample: Path, image: np.ndarray, instances: np.ndarray) -> None:
        image[...] = imread(sample / "image.png")[..., :3]
        _united(sample, imread, instances)

    return _each(folder, read)


def opencv_labels(folder: str) -> Callable[[], Samples]:
    """OpenCV, an image PNG and a label PNG of 16 bits."""
    import cv2

    def read(sample: Path, image: np.ndarray, instances: np.ndarray) -> None:
        image[...] = cv2.imread(str(sample / "image.png"), cv2.IMREAD_COLOR_RGB)
        instances[...] = cv2.imread(str(sample / "labels.png"), cv2.IMREAD_UNCHANGED)

    return _each(folder, read)


# ---------------------------------------------------------------------- peers: packed files


def _filters() -> dict[str, tuple[bool, dict[str, Any]]]:
    """By name: whether colours lie in planes, and h5py's arguments."""
    import hdf5plugin

    zstd = {**hdf5plugin.Zstd(clevel=3)}
    shuffle, lz4 = hdf5plugin.Blosc.SHUFFLE, {**hdf5plugin.LZ4()}
    return {
        "contiguous": (False, {}),
        "gzip-4": (False, {"compression": "gzip", "compression_opts": 4}),
        "gzip-4 planes": (True, {"compression": "gzip", "compression_opts": 4}),
        "zstd-3": (False, zstd),
        "zstd-3 planes": (True, zstd),
        "zstd-9 planes": (True, {**hdf5plugin.Zstd(clevel=9)}),
        "blosc-zstd-3": (False, {**hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=shuffle)}),
        "blosc-lz4-5": (False, {**hdf5plugin.Blosc(cname="lz4", clevel=5, shuffle=shuffle)}),
        "lz4": (False, lz4),
        "bitshuffle-zstd-3": (False, {**hdf5plugin.Bitshuffle(cname="zstd", clevel=3)}),
    }


def h5py_reader(name: str, folder: str) -> Callable[[], Samples]:
    """h5py and hdf5plugin, one chunk per patch; none is kept, as the set would not fit either."""
    import h5py
    import hdf5plugin  # noqa: F401 registers its filters

    file = h5py.File(Path(folder) / f"{name}.h5", rdcc_nbytes=0)
    stored, labels = file["image"], file["instances"]
    planes = _filters()[name][0]

    def batch(indices: np.ndarray) -> Pair:
        images = np.empty((len(indices), *stored.shape[1:]), np.uint8)
        instances = np.empty((len(indices), *labels.shape[1:]), np.int32)
        for place, index in enumerate(indices):
            stored.read_direct(images, np.s_[index], np.s_[place])
            instances[place] = labels[index]
        return np.moveaxis(images, 1, -1) if planes else images, instances

    return _epoch(len(stored), batch)


contiguous = partial(h5py_reader, "contiguous")
gzip = partial(h5py_reader, "gzip-4")
gzip_planes = partial(h5py_reader, "gzip-4 planes")
zstd = partial(h5py_reader, "zstd-3")
zstd_planes = partial(h5py_reader, "zstd-3 planes")
zstd_9_planes = partial(h5py_reader, "zstd-9 planes")
blosc_zstd = partial(h5py_reader, "blosc-zstd-3")
blosc_lz4 = partial(h5py_reader, "blosc-lz4-5")
lz4 = partial(h5py_reader, "lz4")
bitshuffle = partial(h5py_reader, "bitshuffle-zstd-3")


def karyobench_reader(codec: str, threads: int, folder: str) -> Callable[[], Samples]:
    """The project's reader of its own patch file."""
    from contextlib import ExitStack

    from karyobench.patches.reading import reading

    open_files = ExitStack()
    patches, _ = open_files.enter_context(reading(Path(folder) / f"patches-{codec}.h5", threads))

    def pair(indices: np.ndarray) -> Pair:
        batch = patches.batch(indices)
        return batch.images, batch.instances

    read_all = _epoch(len(patches), pair)

    def call(keep: ExitStack = open_files) -> Samples:
        return read_all()

    return call


ours_zstd_1 = partial(karyobench_reader, "zstd", 1)
ours_zstd_2 = partial(karyobench_reader, "zstd", 2)
ours_gzip_1 = partial(karyobench_reader, "gzip", 1)
ours_gzip_2 = partial(karyobench_reader, "gzip", 2)


def mapped(folder: str) -> Callable[[], Samples]:
    """Arrays in memory-mapped files: what copying alone takes."""
    images, labels = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in ("image", "instances"))
    return _epoch(len(images), lambda indices: (images[indices], labels[indices]))


PEERS = {
    "opencv_masks": ("OpenCV, a PNG per mask", "png"),
    "pillow_masks": ("Pillow, a PNG per mask", "png"),
    "skimage_masks": ("scikit-image, a PNG per mask", "png"),
    "opencv_labels": ("OpenCV, a label PNG", "labels"),
    "gzip": ("h5py, gzip-4", "gzip-4.h5"),
    "gzip_planes": ("h5py, gzip-4, planes", "gzip-4 planes.h5"),
    "bitshuffle": ("h5py, bitshuffle-zstd-3", "bitshuffle-zstd-3.h5"),
    "blosc_zstd": ("h5py, blosc-zstd-3", "blosc-zstd-3.h5"),
    "zstd": ("h5py, zstd-3", "zstd-3.h5"),
    "zstd_planes": ("h5py, zstd-3, planes", "zstd-3 planes.h5"),
    "zstd_9_planes": ("h5py, zstd-9, planes", "zstd-9 planes.h5"),
    "blosc_lz4": ("h5py, blosc-lz4-5", "blosc-lz4-5.h5"),
    "lz4": ("h5py, lz4", "lz4.h5"),
    "contiguous": ("h5py, contiguous", "contiguous.h5"),
    "ours_gzip_1": ("**karyobench, gzip, 1 thread**", "patches-gzip.h5"),
    "ours_gzip_2": ("**karyobench, gzip, 2 threads**", "patches-gzip.h5"),
    "ours_zstd_1": ("**karyobench, zstd, 1 thread**", "patches-zstd.h5"),
    "ours_zstd_2": ("**karyobench, zstd, 2 threads**", "patches-zstd.h5"),
    "mapped": ("memory-mapped array", "*.npy"),
}


# ---------------------------------------------------------------------- inputs


def dataset(reader: str, archive: Path) -> Iterator[Pair]:
    """Images and instance maps of an archive."""
    from karyobench.datasets import readers

    for item in readers.find(reader)(archive.parent, {"dataset": reader, "files": {archive.name: {}}}, {}):
        yield item.image, item.instances


def synthetic(rng: np.random.Generator) -> Iterator[Pair]:
    """Fields of discs on noise."""
    rows, columns = np.mgrid[:FIELD_SIDE, :FIELD_SIDE]
    while True:
        image = rng.integers(180, 240, (FIELD_SIDE, FIELD_SIDE, 3), dtype=np.uint8)
        instances = np.zeros((FIELD_SIDE, FIELD_SIDE), np.int32)
        for label in range(1, FIELD_NUCLEI + 1):
            row, column = rng.integers(0, FIELD_SIDE, 2)
            radius = rng.integers(6, 14)
            near = np.s_[max(row - 14, 0) : row + 15, max(column - 14, 0) : column + 15]
            inside = (rows[near] - row) ** 2 + (columns[near] - column) ** 2 < radius**2
            instances[near][inside] = label
        image[instances > 0] -= 90
        yield image, instances


def write(samples: list[Pair], folder: Path) -> None:
    """All files that the peers read; labels are made consecutive, as files of masks give them."""
    from skimage.segmentation import relabel_sequential

    pairs = [(image, relabel_sequential(instances)[0]) for image, instances in samples]
    for number, (image, instances) in enumerate(pairs):
        _write_png(folder / "png" / f"{number:04d}", image, instances)
    images, instances = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
    np.save(folder / "image.npy", images)
    np.save(folder / "instances.npy", instances.astype(np.int32))
    for name, (planes, filters) in _filters().items():
        _write_packed(folder / f"{name}.h5", np.moveaxis(images, -1, 1) if planes else images, instances, filters)
    for codec in ("zstd", "gzip"):
        _write_patches(folder / f"patches-{codec}.h5", codec, images, instances)


def _write_png(folder: Path, image: np.ndarray, instances: np.ndarray) -> None:
    from PIL import Image

    (folder / "masks").mkdir(parents=True)
    Image.fromarray(image).save(folder / "image.png")
    Image.fromarray(instances.astype(np.uint16)).save(folder / "labels.png")
    for label in range(1, instances.max() + 1):
        Image.fromarray((instances == label) * np.uint8(255)).save(folder / "masks" / f"{label:05d}.png")


def _write_packed(path: Path, images: np.ndarray, instances: np.ndarray, filters: dict[str, Any]) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, array in (("image", images), ("instances", instances.astype(np.uint16))):
            file.create_dataset(name, data=array, chunks=(1, *array.shape[1:]) if filters else None, **filters)


def _write_patches(path: Path, codec: str, images: np.ndarray, instances: np.ndarray) -> None:
    from karyobench.datasets.store import create_hdf5
    from karyobench.patches.codecs import Writer

    with create_hdf5(path) as file:
        for group, count in (("train", len(images)), ("val", 0)):
            writer = Writer(file.create_group(group), codec, count, images.shape[1], ["instances"])
            for image, labels in zip(images[:count], instances[:count], strict=True):
                writer.add(image, instances=labels)


def megabytes(folder: Path, what: str) -> float:
    """Size on disk of what a peer reads."""
    chosen = {"png": ["png/*/image.png", "png/*/masks/*.png"], "labels": ["png/*/image.png", "png/*/labels.png"]}
    return sum(path.stat().st_size for pattern in chosen.get(what, [what]) for path in folder.glob(pattern)) / 1e6


# ---------------------------------------------------------------------- tables


def table(rows: list[harness.Row], folder: Path) -> str:
    """Markdown table of one input. Ratios are rates over those of the first peer and of the last one."""
    count = len(list((folder / "png").iterdir()))
    base, floor, what = rows[0].seconds, rows[-1].seconds, dict(PEERS.values())
    lines = [
        "| reader | samples/s | times OpenCV | % of the memory map | MB | digest |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            row.peer,
            f"{count / row.seconds:.4g}",
            f"{base / row.seconds:.3g}",
            f"{100 * floor / row.seconds:.2g}",
        ]
        lines.append(f"| {' | '.join([*cells, f'{megabytes(folder, what[row.peer]):.1f}', row.digest])} |")
    return "\n".join(lines)


def inputs(args: argparse.Namespace) -> dict[str, list[Pair]]:
    """Samples by the name of their input."""
    cells = [p for p in dataset("dsb2018", args.dsb2018) if p[0].shape[:2] == (256, 256)][: args.patches]
    whole = dataset("monuseg", args.monuseg) if args.monuseg else synthetic(np.random.default_rng(0))
    fields = [pair for pair, _ in zip(whole, range(args.fields), strict=False)]
    source = "MoNuSeg" if args.monuseg else "synthetic"
    return {f"DSB2018, {len(cells)} images of 256 x 256": cells, f"{source}, {len(fields)} fields": fields}


def main() -> None:
    """Measure and print the tables."""
    parser = harness.parser(__doc__)
    parser.add_argument("--dsb2018", type=Path, required=True, metavar="ZIP", help="stage1_train.zip")
    parser.add_argument("--monuseg", type=Path, metavar="ZIP", help="archive of MoNuSeg; without it, synthetic fields")
    parser.add_argument("--patches", type=int, default=400, help="most images of 256 x 256")
    parser.add_argument("--fields", type=int, default=4, help="fields of 1000 x 1000")
    args = parser.parse_args()
    packages = ("h5py", "hdf5plugin", "imagecodecs", "opencv-python-headless", "pillow", "scikit-image")
    peers = [harness.Peer(name, function, packages=packages) for function, (name, _) in PEERS.items()]
    for title, samples in inputs(args).items():
        with tempfile.TemporaryDirectory() as folder:
            write(samples, Path(folder))
            nuclei = np.mean([instances.max() for _, instances in samples])
            rows = harness.run(__file__, peers, {title: folder}, args)
            print(f"## {title}, {nuclei:.1f} nuclei each\n\n{table(rows, Path(folder))}\n")
    print(harness.machine(rows))


if __name__ == "__main__":
    sys.exit(main())
