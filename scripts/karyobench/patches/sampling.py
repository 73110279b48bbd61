"""Which training patches to cut from an image, how often, and the cutting itself."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from skimage.measure import label

from karyobench import files
from karyobench.patches.tiling import grid


def origins(
    height: int, width: int, image_id: str, tile: int, crop: int, count: int, seed: int
) -> list[tuple[int, int]]:
    """Row and column of the top left pixel of `count` random crops from each tile of an image.

    Positions are uniform among those where the crop lies inside the tile; a tile narrower than the crop takes the
    crops that are centred in it and lie inside the image; an image narrower than the crop has the one start 0.
    Randomness comes from (seed, image id, tile index) alone: other images and the order of calls change nothing.
    """
    found = []
    for index, (r0, c0, r1, c1) in enumerate(grid(height, width, tile)):
        rng = np.random.default_rng(np.random.SeedSequence([seed, _number(image_id), index]))
        rows = rng.integers(*_starts(r0, r1, height, crop), size=count, endpoint=True)
        columns = rng.integers(*_starts(c0, c1, width, crop), size=count, endpoint=True)
        found += list(zip(rows.tolist(), columns.tolist(), strict=True))
    return found


def oversampling(values: Iterable[tuple[str, int]], at_most: int) -> dict[str, int]:
    """Whole factor per value of an attribute by which its crops are multiplied, to approach the commonest value.

    values: the value and the number of crops of each image. at_most: the largest factor.
    """
    counts: Counter[str] = Counter()
    for value, crops in values:
        counts[value] += crops
    commonest = max(counts.values(), default=0)
    return {value: min(at_most, round(commonest / count)) for value, count in counts.items()}


def cut(image: np.ndarray, instances: np.ndarray, row: int, column: int, crop: int) -> tuple[np.ndarray, np.ndarray]:
    """One square patch and its instance map, labelled 1..n in the order of the image's labels.

    image: uint8 (H, W, 3). instances: int32 (H, W). Returns uint8 (crop, crop, 3) and int32 (crop, crop).
    Where the image ends before the crop, image and instances are both reflected, and every mirrored nucleus counts
    as a nucleus of its own: a network then sees tissue with the right answer, whereas background under mirrored
    nuclei would teach it to miss nuclei, and a constant border would teach it an edge that no image has.
    """
    here = np.s_[row : row + crop, column : column + crop]
    patch, truth = image[here], instances[here]
    lacking = [(0, crop - side) for side in truth.shape]
    if any(after for _, after in lacking):
        patch = np.pad(patch, [*lacking, (0, 0)], mode="reflect")
        truth = label(np.pad(truth, lacking, mode="reflect"), background=0, connectivity=2)
    return np.ascontiguousarray(patch), _relabelled(truth)


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
