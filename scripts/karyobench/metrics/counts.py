"""The table of sufficient counts: one row per image, from which every score is computed.

Columns: image, parent, group, image_type, split (text); then numbers, integers unless said otherwise:

n_true, n_pred, missing: objects; 1 where the system gave no prediction.
pixel_tp, pixel_fp, pixel_fn, pixel_tn: pixels of any object against background.
tp@, fp@, fn@, iou@ and a threshold: objects matched with IoU above it, false and missed ones, and the summed IoU of
the matched pairs (a float); tp>=, fp>=, fn>=, iou>=: the same with IoU at least the threshold.
aji_intersection, aji_union: areas of the official AJI; aji_plus_: of AJI+; aji_intersection@0.50,
aji_intersection>=0.50 and so on: of the AJI whose partners have an IoU above, or at least, one half.
glas_tp, glas_fp, glas_fn: objects detected by the rule of the GlaS challenge. object_dice_truth, object_dice_predicted:
area times Dice, summed over the objects of a side (floats).
pixel_pairs_both, _truth, _predicted, _all, _chance: pairs of pixels (`metrics/clustering.py`); with @truth and @union:
within the truth's foreground, and the union of foregrounds. _chance is a float.
missed, false, merges, splits: objects wrong in each way (`metrics/mistakes.py`); coelho_split, coelho_merged,
coelho_added, coelho_missing: the counts of Coelho et al.
area_0_tp, area_0_fn, area_0_fp and so on: objects matched with IoU above one half, missed and false, by class of area
(`metrics/sizes.py`).

`metrics/boundary.py` adds distances in pixels (floats but for the numbers of pairs): boundary_pairs, and summed over
them abd_sum, abd_mom_sum, hd95_sum; coelho_pairs, coelho_nsd_sum, coelho_hausdorff_sum; hausdorff_truth,
hausdorff_predicted: area times distance, summed over the objects of a side; foreground_hausdorff, foreground_hd95.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.metrics import class_scores
from karyobench.metrics.thresholds import column

if TYPE_CHECKING:
    from karyobench.metrics.contingency import Contingency

TEXT_COLUMNS = ("image", "parent", "group", "image_type", "split")


def count_image(truth: np.ndarray, predicted: np.ndarray | None, thresholds: list[float]) -> dict[str, int | float]:
    """Counts of one image that rest on overlaps alone: the numeric columns of its row but for those of distances.

    truth: integer (H, W), 0 background. predicted: the same shape, or None where the system gave no prediction, which
    counts as an empty one. Raises KaryobenchError on maps that are not label maps or differ in shape.
    """
    # Tables are read where Numba is not installed.
    from karyobench.metrics.contingency import contingency

    table = contingency(truth, np.zeros_like(truth) if predicted is None else predicted)
    return count_table(table, thresholds, missing=predicted is None)


def count_table(table: "Contingency", thresholds: list[float], missing: bool = False) -> dict[str, int | float]:
    """As `count_image`, from the table of the two maps, which may have been too large for memory."""
    from karyobench.metrics import clustering, glas, mistakes, objects, pixel, sizes

    row = {"n_true": table.n_true, "n_pred": table.n_pred, "missing": int(missing)}
    row |= _named("pixel_{}", pixel.pixel_counts(table))
    row |= _named("aji_{}", objects.aji_counts(table))
    for at_least in (False, True):
        for threshold in thresholds:
            matched = objects.match_counts(table, threshold, at_least)
            row |= _named(column("{}", threshold, at_least), matched)
        row |= _named(column("aji_{}", 0.5, at_least), objects.aji_counts(table, 0.5, at_least))
    row |= _named("aji_plus_{}", objects.aji_plus_counts(table))
    row |= _named("glas_{}", glas.glas_counts(table))
    row |= _named("object_dice_{}", glas.object_dice_sums(table))
    for within, suffix in (("all", ""), ("truth", "@truth"), ("union", "@union")):
        row |= _named(f"pixel_pairs_{{}}{suffix}", clustering.pixel_pairs(table, within))
    row |= _named("{}", mistakes.mistake_counts(table)) | _named("coelho_{}", mistakes.coelho_counts(table))
    return row | sizes.area_counts(table)


def write_counts(path: str | Path, counts: pd.DataFrame) -> None:
    """Write the table; integers as integers, floats with the digits that read back to the same value."""
    files.write_text(path, counts.to_csv(index=False, lineterminator="\n"))


def read_counts(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_counts` wrote, of any kind. Raises KaryobenchError naming another file."""
    text = dict.fromkeys((*TEXT_COLUMNS, *class_scores.TEXT_COLUMNS), str)
    try:
        counts = pd.read_csv(path, dtype=text, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a table of counts ({error}); run evaluate again") from None
    of_objects = () if "point_tp" in counts else ("aji_union",)
    needed = class_scores.TEXT_COLUMNS if "label" in counts else ("n_true", *of_objects)
    missing = [name for name in (*TEXT_COLUMNS, *needed, "missing") if name not in counts]
    if missing:
        raise KaryobenchError(f"{path}: no column {', '.join(missing)}; run evaluate again")
    return counts


def _named(pattern: str, counts: NamedTuple) -> dict[str, int | float]:
    return {pattern.format(name): value for name, value in counts._asdict().items()}
