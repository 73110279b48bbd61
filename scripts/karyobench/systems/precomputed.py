"""Label maps made elsewhere (QuPath, Cellpose, HoVer-Net, ...), one file per image in a folder."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.datasets import images
from karyobench.errors import KaryobenchError
from karyobench.systems.base import Tile

TASK = "Label maps made elsewhere, read from a folder"
PAPER = "none: whatever made the label maps"
OUTPUT = "instances"
TRAINED = False
KEYS = {"predict": ("tile", "folder"), "instances": ("min_edge",)}

SUFFIXES = (".tif", ".tiff", ".png", ".npy", ".npz")


def predict(network: None, tile: Tile, config: dict[str, Any]) -> np.ndarray | None:
    """The tile's part of the label map int32 (h, w); None where the folder has no file for the image.

    config: `predict.folder`, which holds `<image id>.<suffix>`, as large as the image, or `<parent>.<suffix>` for an
    image cut from a parent, as large as the parent. Raises KaryobenchError on a folder that is missing, on two files
    for one name, on a file that is no label map, and on one that does not fit the image, naming both shapes.
    """
    folder = Path(config["predict"]["folder"])
    if not folder.is_dir():
        raise KaryobenchError(f"key 'predict.folder': there is no folder {folder}")
    r0, c0, r1, c1 = tile.parent_box
    if own := _file(folder, tile.image_id):
        labels = _read(own)
        if labels.shape != (r1 - r0, c1 - c0):
            raise KaryobenchError(f"{own} has shape {labels.shape}, but image '{tile.image_id}' {(r1 - r0, c1 - c0)}")
        return tile.cut(labels)
    if parent := _file(folder, tile.parent):
        labels = _read(parent)
        if labels.shape[0] < r1 or labels.shape[1] < c1:
            raise KaryobenchError(
                f"{parent} has shape {labels.shape}, but image '{tile.image_id}' is cut from {tile.parent_box} of it"
            )
        return tile.cut(labels[r0:r1, c0:c1])
    return None


def _file(folder: Path, name: str) -> Path | None:
    found = [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
    if len(found) > 1:
        raise KaryobenchError(f"{folder} holds {' and '.join(path.name for path in found)}; keep one of them")
    return found[0] if found else None


def _read(path: Path) -> np.ndarray:
    """Label map integer (H, W) of any of the file types."""
    if path.suffix not in (".npy", ".npz"):
        return images.read_labels(path.read_bytes(), str(path))
    labels = _read_numpy(path)
    if labels.ndim != 2 or labels.dtype.kind not in "iub":
        raise KaryobenchError(f"{path}: holds {labels.dtype} of shape {labels.shape}; a label map is integers (H, W)")
    return labels.astype(np.int32) if labels.dtype == bool else labels


def _read_numpy(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded as archive:
            if len(archive.files) == 1:
                return archive[archive.files[0]]
            names = ", ".join(archive.files) or "none"
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise KaryobenchError(f"{path}: damaged, truncated, or no array ({error}); replace the file") from None
    raise KaryobenchError(f"{path}: must hold one array, the label map; it holds: {names}")
