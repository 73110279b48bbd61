"""Leaderboards of points: tables, ranks and pages against counts by hand."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import invented_points
import invented_study
from karyobench.reporting import outputs, overlays, runs, site, terminal
from karyobench.reporting.truths import Pointed

TRUE = {
    "a": [(10, 10), (30, 40)],
    "b": [(20, 20)],
    "c": [],
    "d": [(15, 15), (40, 60), (50, 20)],
    "e": [(30, 30), (40, 70)],
}
MANY = {"a": [*TRUE["a"], (50, 70)], "b": [(20, 24), (5, 5)], "c": [(9, 9)], "d": TRUE["d"], "e": TRUE["e"]}
"""Finds all, the point of `b` from 4 px away, and one false point in `a`, `b` and `c`."""
FEW = {"a": [(10, 10)], "b": [(20, 20)], "c": [], "e": TRUE["e"]}
"""Misses one of `a`; nothing of `d`."""
F1 = {"oracle_exact": 1, "many": (4 / 5 + 2 / 3 + 0 + 1 + 1) / 5, "few": (2 / 3 + 1 + 1 + 0 + 1) / 5}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    given = {("oracle_exact", 1): TRUE, ("many", 1): MANY, ("many", 2): MANY, ("few", 1): FEW}
    return invented_points.board("mitoses", TRUE, given)


def texts(config: dict[str, Any]) -> dict[str, pd.DataFrame | str]:
    read = runs.load(config, [row["metrics"] for row in config["rows"]], [], config["images"])
    made = outputs.texts(read)
    return made | {k: pd.read_csv(io.StringIO(made[k])) for k in ("csv", "summary", "strata", "pairs")}


def test_the_summary_has_the_scores_in_closed_form(config: dict[str, Any]) -> None:
    made = texts(config)
    rows = made["summary"].set_index("experiment")
    assert rows["point_f1"].to_dict() == pytest.approx(F1, abs=1e-6)
    assert rows["count_error"].to_dict() == {"oracle_exact": 0, "many": 0.6, "few": 0.8}
    assert rows.loc["many", ["n_pred", "matched", "missed", "false"]].tolist() == [11, 8, 0, 3]
    assert rows.loc["few", ["n_pred", "matched", "missed", "false", "n_missing"]].tolist() == [4, 4, 4, 0, 1]
    assert (rows["n_points"] == 8).all()
    seeds = made["csv"].set_index("experiment")
    assert seeds.loc["few", ["point_f1_micro", "count_error_micro"]].tolist() == pytest.approx([8 / 12, 4], abs=1e-6)


def test_the_lower_count_error_is_the_better(config: dict[str, Any]) -> None:
    made = texts(config)
    rows = made["summary"].set_index("experiment")
    assert rows.loc[["many", "few"], "point_f1_rank"].tolist() == [2, 1]
    assert rows.loc[["many", "few"], "count_error_rank"].tolist() == [1, 2]
    assert rows.loc[["many", "few"], "count_error_difference"].tolist() == [0, 0.2]
    assert rows.loc["few", "count_error_difference_high"] > 0 > rows.loc["few", "count_error_difference_low"]
    pair = made["pairs"].set_index("score").loc["count_error"]
    assert (pair["experiment"], pair["versus"], pair["difference"]) == ("many", "few", -0.2)
    # Errors are 1, 1, 1, 0, 0 and 1, 0, 0, 3, 0: `many` leads in draws with more of 3 times d than of b and c.
    drawn = np.stack(np.meshgrid(*[range(5)] * 5)).reshape(5, -1)
    apart = np.array([0, -1, -1, 3, 0])[drawn].sum(axis=0)
    assert pair["wins"] == pytest.approx(((apart > 0) + 0.5 * (apart == 0)).mean(), abs=0.02)


def test_strata_are_densities_and_no_sizes(config: dict[str, Any]) -> None:
    strata = texts(config)["strata"]
    assert set(strata["by"]) == {"density"}
    few = strata[strata["experiment"] == "few"].set_index("stratum")
    assert few.loc["no objects", "point_f1"] == 1
    assert few["n_points"].sum() == 8


def test_the_page_tells_the_rule_and_the_errors(config: dict[str, Any]) -> None:
    text = texts(config)["markdown"]
    assert "8 points" in text and "3 microns, or 5 px" in text
    assert re.search(r"\| experiment +\| predicted +\| matched +\| missed +\| false +\|", text)
    assert "| AJI" not in text and "nuclei" not in text


def test_the_site_shows_points_beside_nuclei(config: dict[str, Any]) -> None:
    """A study with leaderboards of both kinds: no page breaks, and what is linked is there."""
    labels = np.zeros((40, 40), np.int32)
    labels[5:20, 5:20] = 1
    pictures = {f"i{k}": (np.full((40, 40, 3), 200, np.uint8), labels) for k in range(3)}
    nuclei = invented_study.board("nuclei", pictures, {("otsu", 1): dict.fromkeys(pictures, labels)})
    site.build(invented_study.study("s", [config, nuclei]), "site")
    for page in Path("site").rglob("*.html"):
        text = page.read_text()
        for link in re.findall(r'(?:href|src)="(?!data:)([^"#]+)', text):
            assert (page.parent / link).resolve().exists(), (page, link)
    front = Path("site/index.html").read_text()
    assert "find points in microscopic images or outline nuclei" in front
    images = Path("site/images/mitoses.html").read_text()
    assert "2 right, 0 missed, 1 false" in images
    assert "mean size" not in images and "nuclei found as one" not in images
    assert "nuclei found as one" in Path("site/images/nuclei.html").read_text()
    told = json.loads(Path("site/downloads/mitoses/mitoses_summary.json").read_text())
    assert {row["experiment"]: row["matched"] for row in told} == {"oracle_exact": 8, "many": 8, "few": 4}
    assert {row["n_points"] for row in told} == {8}
    with Image.open("site/gallery/mitoses/systems/many/a-errors.png") as drawn:
        assert drawn.size == invented_points.SHAPE[::-1]


def test_marks_are_rings_in_the_colour_of_what_they_are() -> None:
    truth = Pointed(np.array([(10.0, 10), (10, 50)]), np.ones((60, 80), bool), 5)
    labels = np.zeros((60, 80), np.int32)
    labels[9:12, 9:12], labels[39:42, 39:42] = 1, 2
    judged = truth.judge(labels, (0, 0, 60, 80))
    assert judged.counted == {"right": 1, "missed": 1, "false": 1}
    colours = {name: judged.errors[row, column] for name, row, column in (("right", 10, 17), ("none", 10, 10))}
    assert colours == {"right": 1, "none": 0}
    found = {
        kind: set(np.unique(overlays.marks({kind: np.array([(10.0, 10)])}, (0, 0, 20, 20)))) - {0}
        for kind in ("missed", "false")
    }
    assert set(np.unique(judged.errors[:, 43:60][:25])) - {0} == found["missed"]
    assert set(np.unique(judged.errors[30:])) - {0} == found["false"]
    assert not found["missed"] & found["false"]


def test_the_terminal_shows_points(config: dict[str, Any]) -> None:
    table = terminal.read(config["summary"])
    assert terminal.heading(config["summary"], table).endswith(
        "test split of mitoses, 5 images, 8 points, truth by people"
    )
    lines = terminal.measured(table).splitlines()
    assert lines[0].split()[:5] == ["experiment", "rank", "point_f1", "point_precision", "point_recall"]
