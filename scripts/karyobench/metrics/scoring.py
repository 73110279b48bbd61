"""Scores of label maps in files, outside any workflow and by the same code."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from karyobench.errors import KaryobenchError
from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.counts import count_image
from karyobench.metrics.definitions import TOTALS, every_score
from karyobench.metrics.label_files import read_label_map
from karyobench.metrics.scores import all_scores, thresholds
from karyobench.metrics.thresholds import TEN

DEFAULT = {"iou_thresholds": list(TEN), "f1_threshold": 0.5}

Scores = dict[str, float | int]


def score(files: Mapping[str, tuple[Path, Path]], metrics: Mapping[str, Any]) -> tuple[Scores, list[dict[str, Any]]]:
    """Scores and totals over all images, and those of each image (with its name as `image`).

    files: image -> its truth and its prediction. metrics: as in the configuration, such as DEFAULT. A score of all
    images is the unweighted mean over those in which it is defined, NaN if it is in none; totals are sums. Raises
    KaryobenchError naming the files of an image that cannot be read or compared.
    """
    images = [{"image": image, **_of_image(*pair, metrics)} for image, pair in files.items()]
    overall: Scores = {name: _mean([image[name] for image in images]) for name in every_score(metrics)}
    return overall | {name: sum(image[name] for image in images) for name in TOTALS}, images


def table(scores: Scores, images: list[dict[str, Any]], metrics: Mapping[str, Any]) -> str:
    """The scores in aligned columns, with the rule of each, for people."""
    known = every_score(metrics)
    rows = [("metric", "value", "better", "rule")]
    rows += [(name, _told(scores[name]), known[name].better, known[name].rule) for name in known]
    rows += [(name, str(scores[name]), "", rule) for name, rule in TOTALS.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{a:<{widths[0]}}  {b:>{widths[1]}}  {c:<{widths[2]}}  {d}".rstrip() for a, b, c, d in rows]
    heading = f"{len(images)} image{'s' if len(images) > 1 else ''}; scores are means over images, '-' where undefined;"
    return "\n".join([f"{heading} counts are totals; distances are in pixels", "", *lines])


def plain(value: Any) -> Any:
    """The value as JSON can hold it: None for a score that is undefined."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _of_image(truth: Path, prediction: Path, metrics: Mapping[str, Any]) -> Scores:
    maps = read_label_map(truth), read_label_map(prediction)
    try:
        counts = count_image(*maps, thresholds(metrics)) | count_boundaries(*maps)
    except KaryobenchError as error:
        raise KaryobenchError(f"{truth} and {prediction}: {error}") from None
    return all_scores(counts, metrics) | {name: int(counts[name]) for name in TOTALS}


def _mean(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return float(np.mean(defined)) if defined else math.nan


def _told(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.6f}"
