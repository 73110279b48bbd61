"""Which training patches to cut from an image, how often, and the cutting itself."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from skimage.measure import label

from karyobench import files
from karyobench.patches.tiling import Box, grid

log = logging.getLogger("karyobench")


def origins(
    height: int, width: int, image_id: str, tile: int, crop: int, counts: Sequence[int], seed: int
) -> list[tuple[int, int]]:
    """Row and column of the top left pixel of random crops from each tile of an image, so many as `counts` has of it.

    Positions are uniform among those where the crop lies inside the tile; a tile narrower than the crop takes the
    crops that are centred in it and lie inside the image; an image narrower than the crop has the one start 0.
    Randomness comes from (seed, image id, tile index) alone: other images and the order of calls change nothing.
    """
    found = []
    for index, (box, count) in enumerate(zip(grid(height, width, tile), counts, strict=True)):
        rng = np.random.default_rng(np.random.SeedSequence([seed, _number(image_id), index]))
        rows, columns = (
            rng.integers(*starts, size=count, endpoint=True) for starts in _ranges(box, height, width, crop)
        )
        found += list(zip(rows.tolist(), columns.tolist(), strict=True))
    return found


def distinct(height: int, width: int, tile: int, crop: int, most: int) -> list[int]:
    """Number of crops of each tile of an image: `most`, or where there are fewer positions, one of each.

    An image no larger than the crop is one position: more of it would be the same patch again.
    """
    ranges = (_ranges(box, height, width, crop) for box in grid(height, width, tile))
    return [min(most, (r1 - r0 + 1) * (c1 - c0 + 1)) for (r0, r1), (c0, c1) in ranges]


def oversampling(values: Iterable[tuple[str, int]], at_most: int) -> dict[str, int]:
    """Whole factor per value of an attribute by which its crops are multiplied, to approach the commonest value.

    values: the value and the number of crops of each image. at_most: the largest factor.
    """
    counts: Counter[str] = Counter()
    for value, crops in values:
        counts[value] += crops
    commonest = max(counts.values(), default=0)
    return {value: min(at_most, round(commonest / count)) for value, count in counts.items()}


def crops(shapes: Sequence[tuple[int, int]], record: dict[str, Any], values: Sequence[str] = ()) -> list[list[int]]:
    """Number of training patches that each tile of each image gives, told from its height and width alone.

    record: the patch set's `tile`, `crop`, `crops_per_tile` (see `distinct`) and `oversample`, which repeats what is
    rare however few its positions are. values: where the record oversamples, each image's value of the attribute that
    `oversample.by` names.
    """
    counts = [distinct(*shape, record["tile"], record["crop"], record["crops_per_tile"]) for shape in shapes]
    rule = record.get("oversample")
    if not rule:
        return counts
    factors = oversampling(zip(values, map(sum, counts), strict=True), rule["at_most"])
    log.info("oversampling by %s: %s", rule["by"], factors)
    return [[factors[value] * count for count in image] for value, image in zip(values, counts, strict=True)]


def cut(array: np.ndarray, row: int, column: int, crop: int) -> np.ndarray:
    """Square part (crop, crop, ...) of an array (H, W, ...), which is reflected where it ends before the crop.

    A network then sees tissue, whereas a constant border would teach it an edge that no image has.
    """
    part = array[row : row + crop, column : column + crop]
    lacking = [(0, crop - side) for side in part.shape[:2]]
    if any(after for _, after in lacking):
        part = np.pad(part, lacking + [(0, 0)] * (array.ndim - 2), mode="reflect")
    return np.ascontiguousarray(part)


def cut_instances(instances: np.ndarray, row: int, column: int, crop: int) -> np.ndarray:
    """Square part int32 (crop, crop) of an instance map (H, W), labelled 1..n in the order of the map's labels.

    Reflected as by `cut`; every mirrored nucleus then counts as a nucleus of its own: background under mirrored nuclei
    would teach a network to miss nuclei.
    """
    truth = cut(instances, row, column, crop)
    if row + crop > instances.shape[0] or column + crop > instances.shape[1]:
        truth = label(truth, background=0, connectivity=2)
    return _relabelled(truth)


def _ranges(box: Box, height: int, width: int, crop: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last row, and first and last column, where a crop of a tile may start."""
    r0, c0, r1, c1 = box
    return _starts(r0, r1, height, crop), _starts(c0, c1, width, crop)


def _starts(low: int, high: int, length: int, crop: int) -> tuple[int, int]:
    first, last = low, high - crop
    if last < first:
        first, last = low - crop // 2, high - crop // 2
    room = max(length - crop, 0)
    return min(max(first, 0), room), min(max(last, 0), room)


def _number(text: str) -> int:
    return int(files.digest(text)[:16], 16)


def _relabelled(instances: np.ndarray) -> np.ndarray:
    labels, compact = np.unique(instances, return_inverse=True)
    first = 0 if labels[0] == 0 else 1
    return (compact.reshape(instances.shape) + first).astype(np.int32)
