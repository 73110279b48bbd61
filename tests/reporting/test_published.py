"""Published figures: facts of the project's own table, and how they are set beside measured rows."""

import csv

import pytest

from karyobench.errors import KaryobenchError
from karyobench.reporting import published

T10 = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
METRICS = {"iou_thresholds": T10, "f1_threshold": 0.5}


def test_dsb2018_figures():
    rows = published.rows("dsb2018", METRICS)
    test = rows[rows["split"] == "DSB 2018 stage-2 test"]
    ap = dict(zip(test["experiment"] + ", " + test["reference"].str[-7:], test["ap"], strict=True))
    assert ap["P-RCNN, table 2"] == "0.618"
    assert ap["Mask R-CNN, table 2"] == "0.484"
    assert ap["U-Net (2-class), table 2"] == "0.3517"
    assert test["experiment"].iloc[0] == "Kaggle leaderboard: first place"
    others = rows[rows["split"] == "StarDist's fluorescence subset of DSB 2018"]
    assert set(others["ap"]) == {""}
    assert set(others["other_scores"]) == {f"ap@0.50:0.90 {v}" for v in ("0.4916", "0.5942", "0.6288", "0.5984")}
    assert set(rows["source"]) == {"published"}
    assert (rows["note"] != "").all()


def test_figures_count_only_as_the_score_that_they_are():
    rows = published.rows("dsb2018", METRICS | {"iou_thresholds": T10[:9]})
    ap = rows[rows["ap"] != ""]
    assert set(ap["ap"]) == {"0.4916", "0.5942", "0.6288", "0.5984", "0.6962"}


def test_every_fact_is_whole():
    with published.FACTS.open(newline="") as stream:
        facts = list(csv.DictReader(stream))
    assert tuple(facts[0]) == published.FACT_COLUMNS
    for fact in facts:
        assert 0 < float(fact["value"]) < 1
        assert all(fact[name] for name in ("leaderboard", "system", "metric", "source", "split", "note"))
    keys = [(f["leaderboard"], f["system"], f["metric"], f["source"], f["split"]) for f in facts]
    assert len(set(keys)) == len(keys)


def test_other_leaderboards_and_metrics_fit_the_format(tmp_path):
    facts = tmp_path / "facts.csv"
    facts.write_text(
        "leaderboard,system,metric,value,source,split,note\n"
        'monuseg,"Team, A",aji,0.691,survey table 4,test,\n'
        'monuseg,"Team, A",aji_kidney,0.68,survey table 4,test,\n'
        "monuseg,B,aji,0.70,survey table 4,test,\n"
        "monuseg,C,f1@0.50,0.9,other,test,\n"
    )
    rows = published.rows("monuseg", METRICS, facts)
    assert rows["experiment"].tolist() == ["B", "Team, A", "C"]
    assert rows["aji"].tolist() == ["0.70", "0.691", ""]
    assert rows["f1"].tolist() == ["", "", "0.9"]
    assert rows["other_scores"].tolist() == ["", "aji_kidney 0.68", ""]


def test_unknown_leaderboard_is_refused_with_the_nearest():
    with pytest.raises(KaryobenchError, match=r"'dsb2019'.*did you mean 'dsb2018'"):
        published.rows("dsb2019", METRICS)


@pytest.mark.parametrize(
    ("values", "text"), [(T10, "0.50:0.95"), (T10[:9], "0.50:0.90"), ([0.5, 0.75], "0.50,0.75"), ([0.5], "0.50")]
)
def test_threshold_range(values, text):
    assert published.threshold_range(values) == text
