"""Synthetic images whose truth makes the scores of the permanent fake systems known in closed form.

Every nucleus is an axis-aligned square, one of a pair that shares a full edge: a block of SIDE rows and 2 * SIDE
columns. Squares 2i-1 and 2i of an image are a pair. The blocks lie where a merge has work to do and can still get it
exactly right, with tiles of TILE pixels and a threshold of 3 on the length of the edge across a seam:

- blocks are at least 8 px from one another and from the border, so that moving all by SHIFT joins and loses nothing;
- the seams cut blocks 9 px into a square, so both parts of a square, of a half square (cut at its middle row) and of
  a square moved by SHIFT are at least 3 px wide, and no seam runs along the edge of a pair or the middle of a square;
- where a row seam and a column seam cross within a square, its four parts are 3 px wide or more as well.

The colours follow Beer-Lambert with a hematoxylin and an eosin, so that stain separation and Otsu work.
"""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

SIZE = 192
SIDE = 12
TILE = 64
SHIFT = (2, 0)
"""Rows and columns by which `oracle_shifted` moves the truth."""

_ROWS = (15, 35, 55, 75, 95, 119, 139, 159)
_COLUMNS = (11, 43, 75, 119, 151)
_BLOCKS = {"train1": 40, "train2": 38, "train3": 36, "val1": 34, "test1": 37, "test2": 31, "test3": 0}
_THRESHOLDS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_STAINS = np.array([[0.65, 0.70, 0.29], [0.21, 0.80, 0.56]])


def write(folder: Path) -> None:
    """Write an image and a label file for each image id: TIFF for training, PNG for the others, labels as TIFF."""
    folder.mkdir(parents=True, exist_ok=True)
    for pair in dataset(str(folder))["pairs"]:
        labels = truth(pair["id"])
        tifffile.imwrite(folder / pair["labels"], labels)
        if pair["image"].endswith(".tif"):
            tifffile.imwrite(folder / pair["image"], picture(pair["id"]), photometric="rgb")
        else:
            (folder / pair["image"]).write_bytes(imagecodecs.png_encode(picture(pair["id"])))


def dataset(folder: str) -> dict[str, Any]:
    """Record of the images in `folder`, as `config.yaml` holds it."""
    suffix = {name: ".tif" if name.startswith("train") else ".png" for name in _BLOCKS}
    return {
        "source": {"local": folder},
        "reader": "pairs",
        "pairs": [{"id": i, "image": i + suffix[i], "labels": f"{i}_labels.tif"} for i in _BLOCKS],
        "image_type": "he",
        "mpp": 0.5,
        "truth": "synthetic",
        "split": {"kind": "listed", **{part: _of(part) for part in ("train", "val", "test")}},
        "licence": "CC0-1.0",
        "citation": "Squares drawn by tests/synthetic.py",
    }


def n_nuclei(image_id: str) -> int:
    """Number of nuclei of an image; the last test image has none."""
    return 2 * _BLOCKS[image_id]


def truth(image_id: str) -> np.ndarray:
    """Instance map uint16 (SIZE, SIZE)."""
    labels = np.zeros((SIZE, SIZE), np.uint16)
    places = [(row, column) for row in _ROWS for column in _COLUMNS]
    kept = _rng(image_id).permutation(len(places))[: _BLOCKS[image_id]]
    for pair, (row, column) in enumerate(places[k] for k in sorted(kept)):
        for square in range(2):
            left = column + square * SIDE
            labels[row : row + SIDE, left : left + SIDE] = 2 * pair + square + 1
    return labels


def picture(image_id: str) -> np.ndarray:
    """uint8 (SIZE, SIZE, 3): blue nuclei on pink, with seeded noise of the stains and of the camera."""
    rng = _rng(image_id)
    nucleus = truth(image_id)[..., None] > 0
    hematoxylin = np.where(nucleus, rng.uniform(1.2, 1.6, (SIZE, SIZE, 1)), 0.05)
    eosin = np.where(nucleus, 0.1, rng.uniform(0.8, 1.1, (SIZE, SIZE, 1)))
    light = 255 * np.exp(-hematoxylin * _STAINS[0] - eosin * _STAINS[1])
    return np.clip(np.rint(light + rng.normal(0, 2, light.shape)), 0, 255).astype(np.uint8)


def expected(fake: str) -> dict[str, float]:
    """Scores of a fake system over the test images, each the unweighted mean of the images' scores.

    Of n squares of area a: the empty prediction finds none. The moved one keeps SIDE - s of SIDE rows, IoU
    (SIDE - s) / (SIDE + s), in objects and in pixels, since squares of a pair lie side by side. Pairs united and
    squares halved have IoU 1/2 with a square, which does not match; united, all n squares use their pair's union 2a;
    halved, one half serves its square and the other adds its area: a/2 of a + a/2.
    """
    per_image = [_SCORES[fake](n_nuclei(i)) if n_nuclei(i) else dict.fromkeys(_PERFECT, 1.0) for i in _of("test")]
    return {score: float(np.mean([scores[score] for scores in per_image])) for score in _PERFECT}


def _truth_scores(n: int) -> dict[str, float]:
    return _PERFECT


def _empty_scores(n: int) -> dict[str, float]:
    background = 1 - n * SIDE**2 / SIZE**2
    return dict.fromkeys(_PERFECT, 0.0) | {"pixel_accuracy": background, "mean_iu": background / 2}


def _shifted_scores(n: int) -> dict[str, float]:
    both, either = n * SIDE * (SIDE - SHIFT[0]), n * SIDE * (SIDE + SHIFT[0])
    iou = both / either
    return _PERFECT | {
        "pixel_accuracy": (both + SIZE**2 - either) / SIZE**2,
        "mean_iu": (iou + (SIZE**2 - either) / (SIZE**2 - both)) / 2,
        "dice": (SIDE - SHIFT[0]) / SIDE,
        "aji": iou,
        "ap": float(np.mean([iou > threshold for threshold in _THRESHOLDS])),
        "sq": iou,
        "pq": iou,
    }


def _unmatched_scores(aji: float) -> dict[str, float]:
    return _PERFECT | dict.fromkeys(("f1", "ap", "pq", "sq", "dq"), 0.0) | {"aji": aji}


_PERFECT = dict.fromkeys(("pixel_accuracy", "mean_iu", "dice", "f1", "aji", "ap", "pq", "sq", "dq"), 1.0)
_SCORES = {
    "oracle_truth": _truth_scores,
    "oracle_empty": _empty_scores,
    "oracle_shifted": _shifted_scores,
    "oracle_merged": lambda n: _unmatched_scores(1 / 2),
    "oracle_split": lambda n: _unmatched_scores(1 / 3),
}


def _of(part: str) -> list[str]:
    return [image_id for image_id in _BLOCKS if image_id.startswith(part)]


def _rng(image_id: str) -> np.random.Generator:
    return np.random.default_rng(list(_BLOCKS).index(image_id))
