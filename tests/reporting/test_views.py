"""What the pages say of a leaderboard: leader and certainty, strata in order, verdicts in parts, rows for programs."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from karyobench.errors import KaryobenchError
from karyobench.metrics.kinds import OBJECTS
from karyobench.metrics.scores import SCORES
from karyobench.reporting import pages, views

METRICS = {"iou_thresholds": [0.5], "f1_threshold": 0.5}
BOARD: Any = SimpleNamespace(
    config={"metrics": METRICS, "dataset_facts": {"truth": "pseudo"}}, subset="3 of 9", kind=OBJECTS, shared=frozenset()
)


def row(name: str, aji: float, tied: str, *, difference: float = 0.0, low: float = math.nan, f1: str = "") -> dict:
    """A measured row of a summary. f1: its mark in that score."""
    made: dict[str, Any] = {"experiment": name, "source": "measured", "system": name, "steps": "0"}
    made |= {f"{score}{suffix}": math.nan for score in SCORES for suffix in ("", "_low", "_high")}
    made |= {f"{score}_tied": "" for score in SCORES} | {"f1_tied": f1}
    made["f1_difference"] = 0.0 if f1 == "best" else -0.1
    made |= {"aji": aji, "aji_tied": tied, "aji_difference": difference}
    return made | {"aji_difference_low": low, "aji_difference_high": -low}


def pair(first: str, second: str, wins: float) -> dict[str, Any]:
    """A row of the pairs by AJI."""
    return {"score": "aji", "experiment": first, "versus": second, "wins": wins}


def told(summary: list[dict], pairs: list[dict]) -> str:
    """The sentence of the front page."""
    sentences = pages.environment().get_template("verdict.html.j2").module
    verdict = views.verdict(BOARD, summary, pairs)
    text = f"{sentences.lead(verdict)} {sentences.sure(verdict)}"
    return " ".join(text.replace("<strong>", "").replace("</strong>", "").split())


def test_the_verdict_names_leader_rivals_and_share_of_draws() -> None:
    summary = [
        row("b", 0.5, "no", difference=-0.2, low=-0.3),
        row("a", 0.7, "best", low=0.0),
        row("c", 0.65, "yes", difference=-0.05, low=-0.1, f1="best"),
        row("oracle_truth", 1.0, ""),
    ]
    verdict = views.verdict(BOARD, summary, [pair("a", "b", 1.0), pair("a", "c", 0.81)])
    assert (verdict["first"]["experiment"], verdict["second"]["experiment"]) == ("a", "c")
    assert verdict["level"] == ["c"]
    assert verdict["ahead"] == 0.81
    assert verdict["elsewhere"] == {"c": ["F1@0.50"]}


def test_the_best_is_marked_without_intervals_too() -> None:
    rows = views.measured([row("a", 0.7, ""), row("b", 0.5, "", difference=-0.2), row("oracle_truth", 1.0, "")])
    assert [listed["best"] for listed in rows] == [["aji"], [], []]
    assert [bar.level for bar in views.intervals(rows)] == [True, False]


def test_nobody_leads_where_nobody_competes() -> None:
    assert views.verdict(BOARD, [row("oracle_truth", 1.0, "")], []) is None


@pytest.mark.parametrize(
    ("rivals", "expected"),
    [
        ([], "a leads in AJI with 0.700. It has no rival."),
        (
            [row("b", 0.7, "best")],
            "a leads in AJI with 0.700, level with b. Too few images to say how sure that is.",
        ),
        (
            [row("b", 0.6, "yes", difference=-0.1, low=-0.3)],
            "a leads in AJI with 0.700, 0.100 (−0.300 to 0.300) above b. The two cannot be told apart on these images.",
        ),
        (
            [row("b", 0.6, "yes", difference=-0.1, low=-0.3), row("c", 0.5, "yes", difference=-0.2, low=-0.3)],
            "a leads in AJI with 0.700, 0.100 (−0.300 to 0.300) above b. On these images b, c cannot be told from it.",
        ),
        (
            [row("b", 0.6, "no", difference=-0.1, low=-0.3)],
            "a leads in AJI with 0.700, 0.100 (−0.300 to 0.300) above b. No other is level with it on these images.",
        ),
    ],
)
def test_the_sentence_says_how_sure(rivals: list[dict], expected: str) -> None:
    assert told([row("a", 0.7, "best", low=0.0), *rivals], []) == expected


def test_strata_stand_in_the_order_of_the_summary_with_the_best_that_competes() -> None:
    def stratum(name: str, experiment: str, aji: float) -> dict[str, Any]:
        return {"by": "image_type", "stratum": name, "experiment": experiment, "system": experiment, "aji": aji}

    summary = [row("oracle_truth", 1.0, ""), row("b", 0.7, "best"), row("a", 0.6, "no")]
    scores = {"he": {"a": 0.9, "b": 0.8, "oracle_truth": 1.0}, "ihc": {"a": 0.1, "b": 0.2, "oracle_truth": 1.0}}
    rows = [stratum(name, experiment, aji) for name, of in scores.items() for experiment, aji in of.items()]
    (table,) = views.strata(rows, summary)
    assert table["title"] == "image type"
    assert [cell["stratum"] for cell in table["strata"]] == ["he", "ihc"]
    assert [[cell["experiment"] for cell in cells] for cells in table["rows"]] == [
        [n] * 2 for n in ("b", "a", "oracle_truth")
    ]
    assert [[cell["best"] for cell in cells] for cells in table["rows"]] == [
        [False, True],
        [True, False],
        [False, False],
    ]


@pytest.mark.parametrize(
    ("verdict", "outcome", "reason"),
    [
        ("reproduced within 0.02", "reproduced", " within 0.02"),
        ("not reproduced", "not reproduced", None),
        ("below budget", "below budget", None),
        ("not run", "not run", None),
        ("not comparable because its images differ", "not comparable", " because its images differ"),
    ],
)
def test_a_verdict_is_its_outcome_and_its_reason(verdict: str, outcome: str, reason: str | None) -> None:
    (made,) = views.reproduction([{"verdict": verdict, "stratum": ""}])
    assert (made["outcome"], made["reason"], made["stratum"]) == (outcome, reason, "all images")


def test_rows_for_programs_keep_printed_digits_and_tell_blank_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "summary.csv"
    path.write_text(
        "experiment,source,aji,aji_rank,n_seeds,device\n1e3,measured,0.500000,1,2,cpu\nx,published,0.50,,,\ny,measured,,,0,-\n"
    )
    rows = views.plain(views.read_table(str(path)))
    assert json.loads(json.dumps(rows, allow_nan=False)) == [
        {"experiment": "1e3", "source": "measured", "aji": 0.5, "aji_rank": 1.0, "n_seeds": 2, "device": "cpu"},
        {"experiment": "x", "source": "published", "aji": "0.50", "aji_rank": None, "n_seeds": None, "device": None},
        {"experiment": "y", "source": "measured", "aji": None, "aji_rank": None, "n_seeds": 0, "device": "-"},
    ]


def test_a_table_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KaryobenchError, match=r"gone\.csv.*run leaderboard again"):
        views.read_table(str(tmp_path / "gone.csv"))


def test_badges_and_warnings_tell_pseudo_truth_and_subset() -> None:
    assert views.badges(BOARD) == ["pseudo-truth", "subset"]
    manual = {"dataset_facts": {"truth": "manual"}}
    assert views.badges(SimpleNamespace(config=manual, subset="", shared=frozenset())) == []
    assert views.badges(SimpleNamespace(config=manual, subset="", shared=frozenset({"p"}))) == ["leaks"]


@pytest.mark.parametrize(("difference", "told"), [(0.0, "best"), (-0.2, "−0.200")])
def test_the_distance_to_the_best_needs_no_interval(difference: float, told: str) -> None:
    """Rows of one leaderboard and of all of them are told alike."""
    listed = {"aji_difference": difference, "aji_difference_low": math.nan, "aji_tied": ""}
    assert told in pages.environment().get_template("parts.html.j2").module.behind(listed, "aji")
