"""The table of published figures: whole, within range, and held together by the identities that tie them."""

import re

import pandas as pd
import pytest

from karyobench.reporting import published

# Figures that are no score between 0 and 1.
COUNTS = {"steps", "teams", "trainable_parameters", "speedup", "seconds_to_loss_1", "hours_to_loss_1"}
UNLIKE = {
    *("its images differ", "its split is not stated", "its protocol is not stated", "its data are private"),
    *("it is of training images", "it is a difference of two figures", "it is a bound", "it is not a score"),
}
ORGANS = {"breast": 2, "kidney": 3, "prostate": 2, "bladder": 2, "colon": 1, "lung": 2}
VESSELS = ("drive", "stare", "chase_db1")
# Share of pixels on vessels that the unflagged rows of the survey's table 5 imply, least and most.
SHARES = {"drive": (0.09, 0.14), "stare": (0.08, 0.14), "chase_db1": (0.06, 0.11)}


@pytest.fixture(scope="module")
def facts():
    return pd.read_csv(published.FACTS, dtype=str, keep_default_na=False)


def values(facts, leaderboard, source, metric, stratum=""):
    """Figures by system."""
    chosen = facts[(facts["leaderboard"] == leaderboard) & facts["source"].str.startswith(source)]
    chosen = chosen[(chosen["metric"] == metric) & (chosen["stratum"] == stratum)]
    return chosen.set_index("system")["value"].astype(float)


def test_every_fact_is_whole(facts):
    assert tuple(facts.columns) == published.FACT_COLUMNS
    for name in ("leaderboard", "system", "metric", "value", "source", "split", "note"):
        assert (facts[name] != "").all(), name
    unique = ["leaderboard", "system", "metric", "stratum", "source", "split"]
    assert not facts.duplicated(unique).any()
    assert set(facts["unlike"]) <= {"", *UNLIKE}
    assert {flag for text in facts["flag"] for flag in text.split()} == set(published.FLAGS)
    # A figure is of images that a dataset of ours has, or it says why it cannot be compared.
    assert ((facts["dataset"] == "") == (facts["part"] == "")).all()
    assert ((facts["dataset"] == "") == (facts["unlike"] != "")).all()
    for name, form in (
        ("key", r"[a-z][a-z0-9_-]*( [a-z][a-z0-9_-]*)*"),
        ("steps", r"\d+"),
        ("stratum", r"[a-z_]+=\w+"),
    ):
        assert facts[name].str.fullmatch(f"({form})?").all(), name


def test_values_are_in_range(facts):
    value = facts["value"].astype(float)
    assert (value >= 0).all()
    percent = facts["metric"] == "miou_percent"
    assert value[percent].between(33, 90).all()
    counts = facts["metric"].isin(COUNTS)
    assert (value[counts] >= 1).all()
    assert value[~percent & ~counts].max() < 1


def test_survey_table_4_is_complete(facts):
    teams = facts[(facts["leaderboard"] == "monuseg") & (facts["source"] == "survey table 4")]
    assert teams["system"].nunique() == 32
    assert set(teams.groupby("system")["stratum"].nunique()) == {len(ORGANS) + 1}
    methods = facts[(facts["leaderboard"] == "kumar") & (facts["source"] == "survey table 4")]
    assert methods.groupby("system")["stratum"].nunique().to_dict() == {"Peter Naylor": 6, "Kumar": 6, "Fuyong Xing": 6}
    places = pd.concat([teams, methods]).drop_duplicates("system")["note"].str.extract(r"^row (\d+) of 35")[0]
    assert sorted(places.astype(int)) == list(range(1, 36))


def test_overall_is_the_mean_of_fourteen_images_two_of_a_brain(facts):
    overall = values(facts, "monuseg", "survey table 4", "aji")
    others = sum(n * values(facts, "monuseg", "survey table 4", "aji", f"organ={o}") for o, n in ORGANS.items())
    brain = (14 * overall - others) / 2
    assert brain.iloc[:5].round(3).tolist() == [0.677, 0.682, 0.691, 0.677, 0.682]
    assert overall.index[:2].tolist() == ["CUHK&IMSIGHT", "BUPT.J.LI"]
    assert overall.is_monotonic_decreasing
    assert brain.between(0, 1).all()


def test_reference_methods_of_the_survey_are_those_of_kumar(facts):
    survey = values(facts, "kumar", "survey table 4", "aji")
    quoted = values(facts, "kumar", "Kumar et al.'s figure", "aji")
    assert survey["Kumar"] == round(quoted["CNN3"], 3)
    assert survey["Fuyong Xing"] == round(quoted["CNN2"], 3)


def vessel_shares(facts, leaderboard):
    se, sp, acc = (values(facts, leaderboard, "survey", m) for m in ("recall", "specificity", "pixel_accuracy"))
    return (sp - acc) / (sp - se), (se - acc) / (se - sp)


@pytest.mark.parametrize("leaderboard", VESSELS)
def test_vessel_rows_imply_one_share_of_vessels_unless_flagged(facts, leaderboard):
    chosen = facts[facts["leaderboard"] == leaderboard]
    flags = chosen.drop_duplicates("system").set_index("system")["flag"]
    share, exchanged = vessel_shares(chosen, leaderboard)
    doubtful = flags[flags.isin(["exchanged", "implausible"])].index
    plain = share.dropna().drop(doubtful)
    low, high = SHARES[leaderboard]
    assert plain.between(low, high).all()
    assert not share[doubtful].between(low, high).any()
    assert share["Shin et al. 2019"] > 0.8
    expected = {"drive": 0.13, "stare": 0.11, "chase_db1": 0.09}[leaderboard]
    assert exchanged["Shin et al. 2019"] == pytest.approx(expected, abs=0.005)
    assert flags["Shin et al. 2019"] == "exchanged"


@pytest.mark.parametrize("leaderboard", VESSELS)
def test_row_flagged_as_copied_is_a_copy(facts, leaderboard):
    chosen = facts[facts["leaderboard"] == leaderboard]
    rows = {name: group.set_index("metric")["value"].to_dict() for name, group in chosen.groupby("system")}
    assert rows["Adeyinka et al. 2019"] == rows["Fu et al. 2016"]
    assert set(chosen[chosen["flag"] == "copied"]["system"]) == {"Adeyinka et al. 2019"}


def test_survey_table_5_is_complete(facts):
    sources = {name: set(facts[facts["leaderboard"] == name]["source"]) for name in VESSELS}
    assert {name: len(found) for name, found in sources.items()} == {"drive": 21, "stare": 14, "chase_db1": 19}
    assert sources["stare"] | sources["chase_db1"] <= sources["drive"]


def test_differences_are_those_of_two_figures_of_the_table(facts):
    derived = facts[facts["flag"].str.contains("derived")]
    assert len(derived) == 11
    known = set(facts["value"])
    for row in derived.to_dict("records"):
        first, second = re.search(r"(0\.\d+) - (0\.\d+)", row["note"]).groups()
        assert float(first) - float(second) == pytest.approx(float(row["value"]), abs=1e-9)
        assert {first, second} <= known
        assert row["metric"].endswith("_gain") and not row["key"]


def test_pixel_f1_of_tnbc_is_dice_and_that_of_p_rcnn_is_not(facts):
    """From Dice and accuracy follow the foreground's IoU, the errors, and so the background's IoU and mean IU."""
    table = {metric: values(facts, "tnbc", "", metric) for metric in ("dice", "pixel_accuracy", "mean_iu")}

    def implied_mean_iu(dice, accuracy):
        foreground, errors = dice / (2 - dice), 1 - accuracy
        hits = foreground * errors / (1 - foreground)
        rest = 1 - errors - hits
        return (foreground + rest / (rest + errors)) / 2

    implied = implied_mean_iu(table["dice"], table["pixel_accuracy"].drop("P-RCNN"))
    off = (implied - table["mean_iu"].drop("P-RCNN")).abs()
    assert (off < [0.02 if name == "DeconvNet" else 0.01 for name in off.index]).all()
    own = implied_mean_iu(0.8984, table["pixel_accuracy"]["P-RCNN"])
    assert abs(own - table["mean_iu"]["P-RCNN"]) > 0.03


def test_rand_indices_are_means_of_two(facts):
    quoted = facts[facts["metric"] == "rand"]
    assert set(quoted["system"]) == {"Otsu", "Watershed", "Merge Algo"}
    for row in quoted.to_dict("records"):
        first, second = map(int, re.findall(r"(\d+)%", row["note"]))
        assert float(row["value"]) == pytest.approx((first + second) / 200)


def test_mean_dice_of_mcsa_fits_the_usual_formula(facts):
    for table in ("table 1", "table 2"):
        iou = values(facts, "mcsa", f"MCSA-Unet paper {table}", "mean_iu")
        dice = values(facts, "mcsa", f"MCSA-Unet paper {table}", "dice_two_class")
        assert (dice - 2 * iou / (1 + iou)).abs().max() < 0.0551
        assert (2 * iou > 1).all()


def test_figures_that_a_paper_repeats_are_equal(facts):
    for leaderboard, table in (("kumar", "table 3"), ("tnbc", "table 4"), ("isbi2009", "table 5")):
        for metric in ("f1@0.50", "ap@0.50:0.95"):
            first = values(facts, leaderboard, f"P-RCNN paper {table}", metric)["P-RCNN"]
            assert first == values(facts, leaderboard, "P-RCNN paper table 6", metric)["P-RCNN"]
    first = values(facts, "dsb2018", "P-RCNN paper table 2", "ap@0.50:0.95")["P-RCNN"]
    again = values(facts, "dsb2018", "P-RCNN paper table 7", "ap@0.50:0.95")
    assert first == again["P-RCNN, augmentation, tile merge"] == again.max()


def test_speed_ups_follow_from_the_seconds(facts):
    rows = facts[facts["metric"] == "seconds_to_loss_1"]
    seconds = rows["value"].astype(int).tolist()
    workers = [1, 2, 4, 8]
    for row, taken, count in zip(rows.to_dict("records"), seconds, workers, strict=True):
        up, efficiency = map(float, re.search(r"speed-up ([\d.]+), efficiency ([\d.]+)", row["note"]).groups())
        assert up == round(seconds[0] / taken, 3)
        assert efficiency == pytest.approx(seconds[0] / taken / count, abs=6e-4)


def test_variants_of_u_net_add_up(facts):
    teams = values(facts, "monuseg_teams", "survey", "teams")
    assert teams["variants of U-Net, all"] == teams[teams.index.str.startswith("U-Net")].sum()
