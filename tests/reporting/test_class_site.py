"""Leaderboards of classes: tables, pages and figures against what was told of each image."""

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import invented_classes
import invented_study
from karyobench.metrics.classification import roc_auc
from karyobench.reporting import class_figures, outputs, runs, site, terminal

IMAGES = {
    f"{patient}{k}": {
        "label": label,
        "group": patient,
        "magnification": 40 + 60 * (k % 2),
        "split": "train" if patient == "p" and k == 5 else "test",
    }
    for patient, label, count in (("p", "benign", 6), ("q", "benign", 2), ("r", "malignant", 4), ("s", "malignant", 2))
    for k in range(count)
}
TESTED = [image for image, about in IMAGES.items() if about["split"] == "test"]
TRUTH = {image: float(IMAGES[image]["label"] == "malignant") for image in TESTED}
RIGHT_BUT_ONE = {image: 0.8 * value + 0.1 for image, value in TRUTH.items()} | {"q0": 0.9}
PREDICTIONS = {
    ("oracle_class", 1): TRUTH,
    ("net", 1): RIGHT_BUT_ONE,
    ("net", 2): RIGHT_BUT_ONE | {"s1": None},
    ("one_class-malignant", 1): dict.fromkeys(TESTED, 1.0),
}


def patient_disjoint() -> dict[str, dict[str, Any]]:
    return {image: about | {"split": "test"} for image, about in IMAGES.items() if about["split"] == "test"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    return invented_classes.board("mixed", IMAGES, PREDICTIONS, published="breakhis")


def texts(config: dict[str, Any]) -> dict[str, pd.DataFrame | str]:
    read = runs.load(config, [row["metrics"] for row in config["rows"]], [], config["images"])
    made = outputs.texts(read)
    tables = {k: pd.read_csv(io.StringIO(made[k])) for k in ("csv", "summary", "strata", "pairs", "reproduction")}
    return made | tables


def test_the_summary_has_the_scores_in_closed_form(config: dict[str, Any]) -> None:
    made = texts(config)
    rows = made["summary"].set_index("experiment")
    assert made["csv"]["experiment"].tolist() == ["oracle_class", "net", "net", "one_class-malignant"]
    fake, net, same = (rows.loc[name] for name in ("oracle_class", "net", "one_class-malignant"))
    assert fake[["image_rate", "patient_rate", "roc_auc", "recall_benign", "recall_malignant"]].tolist() == [1] * 5
    # 13 images of patients with 5, 2, 4 and 2: the first seed misses q0, the second q0 and s1.
    assert net["image_rate"] == pytest.approx((12 / 13 + 11 / 13) / 2, abs=1e-6)
    assert net["patient_rate"] == pytest.approx(((3 + 0.5) / 4 + (2 + 0.5 + 0.5) / 4) / 2, abs=1e-6)
    assert net["recall_malignant"] == pytest.approx((1 + 5 / 6) / 2, abs=1e-6)
    assert net["image_rate_spread"] == pytest.approx(np.std([12 / 13, 11 / 13], ddof=1), abs=1e-6)
    # q0 lies level with all 6 malignant images; without a prediction s1 loses against all 7.
    assert net["roc_auc"] == pytest.approx(((42 - 3) / 42 + (42 - 7 - 5 / 2) / 42) / 2, abs=1e-6)
    assert same[["image_rate", "patient_rate", "roc_auc"]].tolist() == pytest.approx([6 / 13, 0.5, 0.5], abs=1e-6)
    assert (net["n_missing"], net["unit"], net["n_units"]) == (1, "groups", 4)
    assert (net["malignant_as_malignant"], net["malignant_as_missing"], net["benign_as_malignant"]) == (5.5, 0.5, 1)
    assert "n_nuclei" not in rows


def test_intervals_and_ranks_are_over_patients(config: dict[str, Any]) -> None:
    made = texts(config)
    rows = made["summary"].set_index("experiment")
    same = rows.loc["one_class-malignant"]
    # Of four patients, two benign: a draw holds 0 to 4 malignant ones, the outermost in 1/16 of draws each.
    assert (same["patient_rate_low"], same["patient_rate_high"]) == (0, 1)
    assert (same["roc_auc_low"], same["roc_auc_high"]) == (0.5, 0.5)
    assert np.isnan(rows.loc["oracle_class", "image_rate_rank"])
    assert rows.loc[["net", "one_class-malignant"], "image_rate_rank"].tolist() == [1, 2]
    pair = made["pairs"].set_index("score").loc["roc_auc"]
    assert (pair["experiment"], pair["versus"]) == ("net", "one_class-malignant")


def test_strata_are_magnifications_and_patients_and_no_class(config: dict[str, Any]) -> None:
    strata = texts(config)["strata"]
    assert set(strata["by"]) == {"magnification", "group"}
    of = strata[(strata["by"] == "magnification") & (strata["experiment"] == "one_class-malignant")]
    assert of["stratum"].astype(str).tolist() == ["100", "40"]
    assert of["image_rate"].tolist() == pytest.approx([3 / 6, 3 / 7], abs=1e-6)
    assert np.isnan(strata[(strata["by"] == "group") & (strata["stratum"] == "p")]["roc_auc"]).all()


def test_published_rates_stand_beside_in_their_column(config: dict[str, Any]) -> None:
    made = texts(config)
    published = made["summary"][made["summary"]["source"] == "published"]
    assert 0.98 in published["image_rate"].tolist()
    text = made["markdown"]
    assert "VGG16" in text
    assert "image rate 95% interval" in text
    assert "AJI" not in text and "nuclei" not in text.split("## Published")[0]


def test_a_split_that_parts_patients_says_so_and_one_that_keeps_them_does_not(config: dict[str, Any]) -> None:
    apart = invented_classes.board("apart", patient_disjoint(), PREDICTIONS)
    assert "> **LEAKS: 1 of the 4 groups" in texts(config)["markdown"]
    assert "LEAKS" not in texts(apart)["markdown"]


def test_rows_scored_on_other_truth_are_refused(config: dict[str, Any]) -> None:
    counts = Path(config["rows"][1]["metrics"])
    counts.write_text(counts.read_text().replace(",benign,malignant,", ",malignant,malignant,", 1))
    with pytest.raises(Exception, match="scored on other images or truth"):
        texts(config)


def test_the_site_shows_classes_beside_nuclei(config: dict[str, Any]) -> None:
    """A study with leaderboards of both kinds: no page breaks, and what is linked is there."""
    labels = np.zeros((40, 40), np.int32)
    labels[5:20, 5:20] = 1
    pictures = {f"i{k}": (np.full((40, 40, 3), 200, np.uint8), labels) for k in range(3)}
    nuclei = invented_study.board("nuclei", pictures, {("otsu", 1): dict.fromkeys(pictures, labels)})
    apart = invented_classes.board("apart", patient_disjoint(), PREDICTIONS)
    site.build(invented_study.study("s", [config, apart, nuclei]), "site")
    for page in Path("site").rglob("*.html"):
        text = page.read_text()
        for link in re.findall(r'(?:href|src)="(?!data:)([^"#]+)', text):
            assert (page.parent / link).resolve().exists(), (page, link)
    front = Path("site/index.html").read_text()
    assert "classify microscopic images or outline nuclei" in front
    assert front.count('<span class="badge warn">leaks</span>') == 1
    assert '<td data-value="5.5">5.5</td>' in front
    told = json.loads(Path("site/downloads/mixed/mixed_summary.json").read_text())
    assert told[1]["malignant_as_missing"] == 0.5
    images = Path("site/images/mixed.html").read_text()
    assert len(re.findall('data-in-outcome="wrong by all"', images)) == 1
    assert len(re.findall("<article", images)) == len(TESTED)
    page = Path("site/experiment/net.html").read_text()
    assert page.count("no prediction</span>") >= 1
    assert Path("site/figures/mixed/net-confusion-2.svg").is_file()


def test_two_boards_of_one_dataset_are_compared_over_all(config: dict[str, Any]) -> None:
    apart = invented_classes.board("apart", patient_disjoint(), PREDICTIONS)
    site.build(invented_study.study("s", [config, apart]), "site")
    table = pd.read_csv("site/downloads/overall.csv").set_index("system")
    assert table.index.tolist() == ["net", "one_class-malignant"]
    assert table.loc["net", "image_rate"] == pytest.approx((12 / 13 + 11 / 13) / 2, abs=1e-6)


def test_the_terminal_shows_rates(config: dict[str, Any]) -> None:
    table = terminal.read(config["summary"])
    assert terminal.heading(config["summary"], table).endswith("test split of mixed, 13 images, truth by people")
    lines = terminal.measured(table).splitlines()
    assert lines[0].split()[:5] == ["experiment", "rank", "image_rate", "patient_rate", "roc_auc"]
    assert "VGG16" in terminal.published(table)


def test_the_area_under_the_drawn_curve_is_the_score() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        positive, scores = rng.random(30) < 0.4, rng.integers(0, 6, 30).astype(float)
        false_rates, true_rates = class_figures.roc(positive, scores)
        assert np.trapezoid(true_rates, false_rates) == pytest.approx(roc_auc(positive, scores))
        assert (np.diff(false_rates) >= 0).all() and (np.diff(true_rates) >= 0).all()
