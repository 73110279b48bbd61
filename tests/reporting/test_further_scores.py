"""Scores that a leaderboard names beside the usual ones: in its tables, strata and pages, by worked numbers."""

import io

import numpy as np
import pandas as pd
import pytest

import invented_points
import invented_study as invented
from karyobench.errors import KaryobenchError
from karyobench.metrics import kinds
from karyobench.reporting import captions, outputs, views

FURTHER = ["mpa_precision", "mpa_recall", "dice_two_class", "mean_dice_literal"]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """One image of 100 pixels: 20 of a nucleus, of which 10 are found, and 5 others predicted."""
    monkeypatch.chdir(tmp_path)
    truth, told = np.zeros((10, 10), np.int32), np.zeros((10, 10), np.int32)
    truth[:2], told[1:2], told[5, :5] = 1, 1, 2
    images = {name: (np.zeros((10, 10, 3), np.uint8), truth) for name in ("a", "b")}
    made = invented.board("x", images, {("unet2", 1): {"a": told, "b": truth}}, published="mcsa")
    return made | {"scores": FURTHER}


def table(text):
    return pd.read_csv(io.StringIO(text)).iloc[0]


def test_further_scores_are_columns_of_every_table(config):
    # TP, FP, FN, TN of the first image are 10, 5, 10 and 75; the second is right.
    expected = {
        "mpa_precision": (10 / 15 + 75 / 85) / 2,
        "mpa_recall": (10 / 20 + 75 / 80) / 2,
        "dice_two_class": (20 / 35 + 150 / 165) / 2,
        "mean_dice_literal": 10 / 25 + 75 / 90,
    }
    best = dict.fromkeys(expected, 1.0) | {"mean_dice_literal": 2.0}
    read = invented.read(config)
    texts = outputs.texts(read)
    pooled = {
        "mpa_precision": (30 / 35 + 155 / 165) / 2,
        "mpa_recall": (30 / 40 + 155 / 160) / 2,
        "dice_two_class": (60 / 75 + 310 / 325) / 2,
        "mean_dice_literal": 30 / 45 + 155 / 170,
    }
    for name in FURTHER:
        assert table(texts["csv"])[name] == pytest.approx((expected[name] + best[name]) / 2, abs=1e-6)
        assert table(texts["csv"])[f"{name}_micro"] == pytest.approx(pooled[name], abs=1e-6)
        assert table(texts["summary"])[name] == table(texts["csv"])[name]
        assert f"{name}_rank" in table(texts["summary"])
        assert f",{name}_low," in texts["strata"].splitlines()[0]
    shown = views.measured(views.rows(texts["summary"]))[0]
    assert shown["mean_dice_literal"] == pytest.approx((expected["mean_dice_literal"] + 2) / 2, abs=1e-6)
    assert "mpa precision" in texts["latex"]
    assert "| mpa precision | mpa recall | dice two class | mean dice literal |" in texts["markdown"]
    told = dict(captions.facts(read))["Further scores"]
    assert "mean dice literal: class mean of 2 intersection / union, 0 to 2" in told


def test_published_figures_stand_in_the_columns_of_further_scores(config):
    rows = outputs.texts(invented.read(config))["summary"]
    printed = pd.read_csv(io.StringIO(rows), dtype=str, keep_default_na=False).query("source == 'published'")
    unet = printed[printed["experiment"] == "U-Net"].iloc[0]
    assert (unet["mpa_precision"], unet["dice_two_class"], unet["mpa_recall"]) == ("0.63", "0.73", "")
    plain = outputs.texts(invented.read(config | {"scores": []}))
    assert "mpa_precision" not in plain["csv"] and "Further scores" not in plain["markdown"]


def test_the_usual_scores_are_no_others_for_it(config):
    usual = invented.read(config | {"scores": []})
    read = invented.read(config)
    counts, metrics = read.images, config["metrics"]
    for of in ("overall", "pooled"):
        all_scores, few = getattr(read.kind, of)(counts, metrics), getattr(usual.kind, of)(counts, metrics)
        pd.testing.assert_series_equal(all_scores[list(few.index)], few)
    assert usual.kind is kinds.OBJECTS
    assert read.kind.with_scores(["aji"], metrics) is read.kind


def test_a_score_that_the_truth_cannot_give_is_refused(config):
    with pytest.raises(KaryobenchError, match=r"no score 'mpa_recal' \(did you mean 'mpa_recall'\?\)"):
        _ = invented.read(config | {"scores": ["mpa_recal"]}).kind


def test_points_have_no_outlines_to_score(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = invented_points.board("p", {"a": [(5, 5)]}, {("dots", 1): {"a": [(5, 5)]}})
    with pytest.raises(KaryobenchError, match="points have no score 'mpa_recall'"):
        _ = invented.read(made | {"scores": ["mpa_recall"]}).kind
