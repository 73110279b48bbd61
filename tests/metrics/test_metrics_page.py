"""docs/metrics.md tells the truth: its values are ours, and public implementations agree where it says so."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from karyobench.metrics.boundary import count_boundaries
from karyobench.metrics.class_scores import score_names
from karyobench.metrics.counts import count_image
from karyobench.metrics.definitions import TOTALS, every_score
from karyobench.metrics.formulas import segmentation_quality
from karyobench.metrics.kinds import POINTS
from karyobench.metrics.points import match_points
from karyobench.metrics.scores import all_scores
from karyobench.metrics.thresholds import TEN

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
METRICS = {"iou_thresholds": list(TEN), "f1_threshold": 0.5}


@pytest.fixture(scope="module")
def scores():
    """Our scores of the examples A, B, C and D of the page."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from metric_rules import examples
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
        sys.modules.pop("metrics", None)
    return {name: scores_of(*maps) for name, maps in examples().items()}


def scores_of(truth, predicted):
    counts = count_image(truth, predicted, list(TEN)) | count_boundaries(truth, predicted)
    arrays = {name: np.atleast_1d(count) for name, count in counts.items()}
    return all_scores(counts, METRICS) | {"sq_at_least": segmentation_quality(arrays, at_least=True)[0]}


def rows(heading):
    """Cells of the tables below a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:3] == "| `"]


def peers():
    section = PAGE.split("\n## Public implementations\n")[1].split("\nVersions:")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def named(cell):
    """Names in a cell; one that begins with an underscore continues the first."""
    names = re.findall(r"`([^`]+)`", cell)
    stem = names[0].rsplit("_", 1)[0]
    return [stem + name if name.startswith("_") else name for name in names]


def test_every_score_and_count_is_on_the_page():
    told = {name for row in rows("Definitions") for name in named(row[0])}
    assert told | {"n_true", "n_pred", "boundary_pairs"} == {*every_score(METRICS), *TOTALS}
    assert "`boundary_pairs`" in PAGE


def test_scores_of_points_are_on_the_page_with_those_of_its_example():
    table = rows("Points")
    assert [name for row in table for name in named(row[0])] == list(POINTS.scores)
    truth = np.array([(10, 10), (20, 20), (30, 30)], float)
    found = match_points(truth, np.array([(12, 10), (23, 24), (50, 50), (11, 11)], float), 6)
    counts = pd.DataFrame(
        [{"point_tp": found.tp, "point_fp": found.fp, "point_fn": found.fn, "n_true": 3, "n_pred": 4}]
    )
    told = [float(value) for row in table for value in row[2].split(", ")]
    assert POINTS.image_scores(counts, METRICS).iloc[0].tolist() == pytest.approx(told, abs=5.1e-7)


def test_every_score_of_classes_is_on_the_page():
    told = {name for row in rows("Classes of images") for name in named(row[0])}
    assert told == set(score_names(["<class>"]))


@pytest.mark.parametrize(("example", "column"), [("A", 2), ("B", 3)])
def test_values_of_the_worked_examples(scores, example, column):
    checked = 0
    for row in rows("Definitions"):
        if len(row) == 4 and "..." not in row[column]:
            values = [math.nan if text == "-" else float(text) for text in row[column].split(", ")]
            names = named(row[0])
            values = values * len(names) if len(values) == 1 else values
            assert values == pytest.approx([scores[example][n] for n in names], abs=5.1e-7, nan_ok=True), row[0]
            checked += len(names)
    assert checked > 40


def test_public_implementations_agree_where_no_bracket_stands(scores):
    assert len(peers()) == 14
    for row in peers():
        (name,) = named(row[1])
        for example, cell in zip("ABCD", row[3:], strict=True):
            differs = re.fullmatch(r"\*\*(\S+)\*\* \((\S+)\)", cell)
            told = float(differs[2] if differs else cell)
            assert scores[example][name] == pytest.approx(told, abs=1e-4), (row[0], example)
