"""The table of sufficient counts: one row per image, from which every score is computed.

Columns: image, parent, group, image_type, split (text); n_true, n_pred, missing (1 where the system gave no
prediction), pixel_tp, pixel_fp, pixel_fn, pixel_tn, aji_intersection, aji_union (integers); and per IoU threshold
tp@, fp@, fn@ (integers) and iou@ (summed IoU of the matched pairs).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.metrics.contingency import contingency
from karyobench.metrics.objects import aji_counts, match_counts
from karyobench.metrics.pixel import pixel_counts
from karyobench.metrics.thresholds import column

TEXT_COLUMNS = ("image", "parent", "group", "image_type", "split")


def count_image(truth: np.ndarray, predicted: np.ndarray | None, thresholds: list[float]) -> dict[str, int | float]:
    """All counts of one image: the numeric columns of its row.

    truth: integer (H, W), 0 background. predicted: the same shape, or None where the system gave no prediction, which
    counts as an empty one. Raises KaryobenchError on maps that are not label maps or differ in shape.
    """
    table = contingency(truth, np.zeros_like(truth) if predicted is None else predicted)
    pixels, aji = pixel_counts(table), aji_counts(table)
    row = {"n_true": table.n_true, "n_pred": table.n_pred, "missing": int(predicted is None)}
    row |= {f"pixel_{name}": value for name, value in pixels._asdict().items()}
    row |= {f"aji_{name}": value for name, value in aji._asdict().items()}
    for threshold in thresholds:
        matched = match_counts(table, threshold)
        row |= {column(name, threshold): value for name, value in matched._asdict().items()}
    return row


def write_counts(path: str | Path, counts: pd.DataFrame) -> None:
    """Write the table; integers as integers, floats with the digits that read back to the same value."""
    files.write_text(path, counts.to_csv(index=False, lineterminator="\n"))


def read_counts(path: str | Path) -> pd.DataFrame:
    """Read a table that `write_counts` wrote. Raises KaryobenchError naming a file that is none."""
    try:
        counts = pd.read_csv(path, dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False)
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read as a table of counts ({error}); run evaluate again") from None
    missing = [name for name in (*TEXT_COLUMNS, "n_true", "aji_union") if name not in counts]
    if missing:
        raise KaryobenchError(f"{path}: no column {', '.join(missing)}; run evaluate again")
    return counts
