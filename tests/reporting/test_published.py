"""Published figures: how they are set beside measured rows, and what is comparable where."""

import pytest

from karyobench.errors import KaryobenchError
from karyobench.reporting import published
from karyobench.reporting.published import Place

T10 = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
METRICS = {"iou_thresholds": T10, "f1_threshold": 0.5}
STAGE1 = Place("dsb2018", "test", "")
HEADER = ",".join(published.FACT_COLUMNS)


def test_dsb2018_figures():
    rows = published.rows("dsb2018", METRICS, STAGE1)
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


def test_figures_count_only_as_the_score_that_they_are():
    rows = published.rows("dsb2018", METRICS | {"iou_thresholds": T10[:9]}, STAGE1)
    ap = rows[rows["ap"] != ""]
    assert set(ap["ap"]) == {"0.4916", "0.5942", "0.6288", "0.5984", "0.6962"}


@pytest.mark.parametrize(
    ("place", "first", "reason"),
    [
        (Place("dsb2018_stage2", "test", ""), "comparable; ", ""),
        (STAGE1, "not comparable: its images differ; ", "its images differ"),
        (Place("dsb2018_stage2", "val", ""), "not comparable: ", "its part of the images differs"),
        (Place("dsb2018_stage2", "test", "9 of 106"), "not comparable: ", "only a subset of its images is at hand"),
    ],
)
def test_comparable_is_what_was_measured_on_the_same_images(place, first, reason):
    facts = published.facts("dsb2018")
    prcnn = facts[(facts["system"] == "P-RCNN") & (facts["split"] == "DSB 2018 stage-2 test")].iloc[0]
    assert published.unlike(prcnn, place) == reason
    rows = published.rows("dsb2018", METRICS, place).set_index(["experiment", "reference"])
    note = rows.loc[("P-RCNN", "P-RCNN paper table 2"), "note"]
    assert any(text.startswith(first) for text in note)


def test_flagged_figures_are_printed_and_not_compared():
    rows = published.rows("drive", METRICS, Place("drive", "test", "")).set_index("experiment")
    assert len(rows) == 21
    shin = rows.loc["Shin et al. 2019"]
    assert (shin["pixel_accuracy"], shin["flag"]) == ("0.9271", "exchanged")
    assert "recall 0.9255; specificity 0.9382; auc 0.9802" in shin["other_scores"]
    assert shin["note"].startswith("not comparable: the printed figure is doubtful; ")
    assert rows.loc["Adeyinka et al. 2019", "flag"] == "copied"
    assert rows.loc["Jin et al. 2019", "note"].startswith("comparable; ")


def test_organs_stand_beside_the_figure_of_all_images():
    rows = published.rows("monuseg", METRICS, Place("monuseg", "test", ""))
    assert len(rows) == 32
    first = rows.iloc[0]
    assert (first["experiment"], first["aji"]) == ("CUHK&IMSIGHT", "0.691")
    assert first["other_scores"].startswith("aji (organ breast) 0.646; aji (organ kidney) 0.707; ")
    assert first["other_scores"].count("; ") == 5


def test_other_leaderboards_and_metrics_fit_the_format(tmp_path):
    facts = tmp_path / "facts.csv"
    facts.write_text(
        f"{HEADER}\n"
        'monuseg,"Team, A",aji,0.691,survey table 4,test,same words; one more,,,m,test,,,\n'
        'monuseg,"Team, A",aji_kidney,0.68,survey table 4,test,same words,,,m,test,,,\n'
        "monuseg,B,aji,0.70,survey table 4,test,,,,m,test,,,cited bound\n"
        "monuseg,C,f1@0.50,0.9,other,test,,,,,,its data are private,,\n"
        "monuseg,C,f1@0.50,0.8,other,test,,,organ=kidney,,,its data are private,,\n"
    )
    rows = published.rows("monuseg", METRICS, Place("m", "test", ""), path=facts)
    assert rows["experiment"].tolist() == ["B", "Team, A", "C"]
    assert rows["aji"].tolist() == ["0.70", "0.691", ""]
    assert rows["f1"].tolist() == ["", "", "0.9"]
    assert rows["other_scores"].tolist() == ["", "aji_kidney 0.68", "f1@0.50 (organ kidney) 0.8"]
    assert rows["flag"].tolist() == ["cited; bound", "", ""]
    assert rows["note"].tolist() == [
        "comparable",
        "comparable; same words; one more",
        "not comparable: its data are private",
    ]


def test_unknown_leaderboard_is_refused_with_the_nearest():
    with pytest.raises(KaryobenchError, match=r"'dsb2019'.*did you mean 'dsb2018'"):
        published.rows("dsb2019", METRICS, STAGE1)


@pytest.mark.parametrize(
    ("values", "text"), [(T10, "0.50:0.95"), (T10[:9], "0.50:0.90"), ([0.5, 0.75], "0.50,0.75"), ([0.5], "0.50")]
)
def test_threshold_range(values, text):
    assert published.threshold_range(values) == text
