"""Label maps from files, and which prediction belongs to which truth."""

import zipfile
from pathlib import Path

import numpy as np

from karyobench.datasets.images import read_labels
from karyobench.errors import KaryobenchError

_IMAGES = (".tif", ".tiff", ".png")
_ARRAYS = (".npy", ".npz")
SUFFIXES = (*_IMAGES, *_ARRAYS)


def read_label_map(path: Path) -> np.ndarray:
    """Label map (H, W) of a TIFF, PNG, NPY or NPZ file (of one array), in its own integer type.

    Raises KaryobenchError naming a file that is damaged, in colour, not integer, or of another kind.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise KaryobenchError(f"{path}: not a label map; give one of {', '.join(SUFFIXES)}")
    try:
        labels = _read_array(path) if path.suffix.lower() in _ARRAYS else read_labels(path.read_bytes(), str(path))
    except OSError as error:
        raise KaryobenchError(f"{path}: cannot be read ({error})") from None
    if labels.ndim != 2:
        raise KaryobenchError(f"{path}: has shape {labels.shape}; a label map is (height, width)")
    if labels.dtype.kind not in "iub":
        raise KaryobenchError(f"{path}: holds {labels.dtype}; a label map holds integers, so convert it and save again")
    return labels


def paired(truth: Path, prediction: Path) -> dict[str, tuple[Path, Path]]:
    """Truth and prediction of each image, by stem: of two files, or of two folders whose files have equal stems.

    Raises KaryobenchError naming what is not there, stands twice in a folder, or has no partner in the other.
    """
    for path in (truth, prediction):
        if not path.exists():
            raise KaryobenchError(f"{path}: no such file or folder")
    if truth.is_dir() != prediction.is_dir():
        raise KaryobenchError(f"{truth} and {prediction}: give two label maps or two folders, not one of each")
    if not truth.is_dir():
        return {truth.stem: (truth, prediction)}
    truths, predictions = _by_stem(truth), _by_stem(prediction)
    for stem, path in truths.items():
        if stem not in predictions:
            raise KaryobenchError(
                f"{prediction}: no label map named '{stem}' beside {path}; "
                "if nothing was predicted there, add an empty label map, which counts every truth object as missed"
            )
    for stem, path in predictions.items():
        if stem not in truths:
            raise KaryobenchError(f"{truth}: no label map named '{stem}' beside {path}; add the truth or take it away")
    return {stem: (path, predictions[stem]) for stem, path in truths.items()}


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            if path.stem in found:
                raise KaryobenchError(f"{folder}: holds both {found[path.stem].name} and {path.name}; keep one of them")
            found[path.stem] = path
    if not found:
        raise KaryobenchError(f"{folder}: no label map in it ({', '.join(SUFFIXES)})")
    return found


def _read_array(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            names = loaded.files
            if len(names) != 1:
                raise KaryobenchError(f"{path}: holds {len(names)} arrays ({', '.join(names)}); save one label map")
            return loaded[names[0]]
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise KaryobenchError(f"{path}: cannot be read as an array ({error}); save it again by numpy") from None
