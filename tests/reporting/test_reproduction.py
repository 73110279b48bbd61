"""Published beside measured: which experiment stands for a figure, and every verdict."""

import numpy as np
import pandas as pd
import pytest

import invented_study as invented
from karyobench.reporting import outputs, reproduction, tables, views

OBJECTS = 20


def truth():
    """A row of small squares."""
    labels = np.zeros((6, 6 * OBJECTS), np.int32)
    for k in range(OBJECTS):
        labels[1:5, 6 * k + 1 : 6 * k + 5] = k + 1
    return labels


def board(name, found, published, trained=None, organs=("breast", "kidney", "brain", "brain"), **more):
    """A leaderboard on which each experiment finds so many of each image's objects."""
    images = {f"im{k}": (np.zeros((*truth().shape, 3), np.uint8), truth()) for k in range(len(organs))}
    predictions = {
        (experiment, 1): {image: np.where(truth() <= n, truth(), 0) for image, n in zip(images, counts, strict=True)}
        for experiment, counts in found.items()
    }
    about = {image: {"organ": organ} for image, organ in zip(images, organs, strict=True)}
    config = invented.board(name, images, predictions, trained=trained, published=published, about=about, **more)
    return invented.read(config)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_verdicts_where_images_and_score_are_the_same():
    found = {"prcnn": 12, "prcnn-plain": 2, "unet2-x": 7, "mask_rcnn": 8, "stardist": 3, "otsu": 12}
    found = {name: [n] * 4 for name, n in found.items()}
    table = reproduction.table(
        board("dsb2018_stage2", found, "dsb2018", {"prcnn": 60, "prcnn-plain": 50, "mask_rcnn": 90})
    )
    here = table[table["split"] == "DSB 2018 stage-2 test"].set_index(["source", "system"])
    two, seven = "P-RCNN paper table 2", "P-RCNN paper table 7"

    def cells(source, system, *names):
        return here.loc[(source, system), list(names)].tolist()

    # AP is the share of objects found: 12, 2, 7 and 8 of 20.
    assert cells(two, "P-RCNN", "experiment", "n_seeds", "verdict") == ["prcnn", 1, "reproduced within 0.02"]
    assert here.loc[(two, "P-RCNN"), "measured"] == pytest.approx(0.6)
    assert here.loc[(two, "P-RCNN"), "difference"] == pytest.approx(0.6 - 0.618)
    assert cells(two, "U-Net (2-class)", "experiment", "verdict") == ["unet2-x", "reproduced within 0.01"]
    plain = "P-RCNN, no augmentation, tile merge"
    assert cells(seven, plain, "experiment", "steps", "published_steps") == ["prcnn-plain", 50, "55238"]
    assert cells(seven, plain, "verdict", "device") == ["below budget", "cpu"]
    assert cells(two, "Mask R-CNN", "published_steps", "verdict") == ["", "not reproduced"]
    assert cells("P-RCNN paper section 5.1.1", "Kaggle leaderboard: first place", "verdict", "measured") == [
        "not run",
        "",
    ]
    other = table[(table["system"] == "StarDist")].iloc[0]
    assert other["verdict"] == "not comparable because its images differ"
    # An experiment that has figures of its own stands for no others of its system.
    assert set(table[table["key"] == "prcnn"]["experiment"]) == {"prcnn"}
    assert not table["flag"].str.contains("derived").any()
    assert "otsu" not in set(table["experiment"])


def test_organs_are_compared_with_organs():
    found = {"cia_net": [13, 14, 10, 20], "dla-small": [20, 20, 20, 20]}
    table = reproduction.table(board("monuseg", found, "monuseg")).set_index(["system", "stratum"])
    # AJI, too, is the share of objects found.
    breast, kidney = (table.loc[("CUHK&IMSIGHT", f"organ={organ}")] for organ in ("breast", "kidney"))
    assert (breast["measured"], breast["verdict"]) == (0.65, "reproduced within 0.01")
    assert (kidney["measured"], kidney["verdict"]) == (0.7, "reproduced within 0.01")
    overall = table.loc[("CUHK&IMSIGHT", "")]
    assert overall["measured"] == pytest.approx((0.65 + 0.7 + 0.5 + 1) / 4)
    assert overall["measured_low"] < overall["measured"] < overall["measured_high"]
    lung = table.loc[("CUHK&IMSIGHT", "organ=lung")]
    assert lung["verdict"] == "not comparable because the score is not measured here"
    assert table.loc[("BUPT.J.LI", ""), "experiment"] == "dla-small"


def test_large_images_are_compared_with_large_images_and_single_ones_with_none():
    # The first image is wide enough; AP is the share of objects found, 5 of 200 and all of 20.
    objects = 200
    wide, small = np.repeat(np.arange(1, objects + 1), 6)[None].repeat(6, 0), truth()
    wide = np.where(np.arange(6 * objects) % 6 < 4, wide, 0).astype(np.int32)
    images = {name: (np.zeros((*of.shape, 3), np.uint8), of) for name, of in (("im0", wide), ("im1", small))}
    found = {("prcnn", 1): {"im0": np.where(wide <= 5, wide, 0), "im1": small}}
    table = reproduction.table(invented.read(invented.board("dsb2018", images, found, published="dsb2018")))
    table = table[(table["experiment"] == "prcnn") & (table["source"] == "P-RCNN paper table 8")]
    table = table.set_index("stratum")
    large = table.loc["longest_side=over_1000"]
    assert (large["published"], large["measured"]) == ("0.4375", pytest.approx(5 / 200))
    assert (large["measured_on"], large["verdict"]) == ("test images", "not comparable because its images differ")
    single = table.loc[[f"image={n}" for n in (1, 2, 3, 4)]]
    assert single["measured"].isna().all()
    assert set(single["verdict"]) == {"not run because nothing tells its image here"}
    assert views.reproduction(single.reset_index().to_dict("records"))[0]["outcome"] == "not run"


def test_a_subset_or_another_split_is_not_comparable():
    found = {"cia_net": [14] * 4}
    part = reproduction.table(board("monuseg", found, "monuseg", subset="4 of 14")).query("key == 'cia_net'")
    assert set(part["verdict"]) == {"not comparable because only a subset of its images is at hand"}
    assert (part["measured"].astype(float).dropna() == 0.7).all()
    other = reproduction.table(board("monuseg@kumar", found, "monuseg")).query("key == 'cia_net'")
    assert set(other["verdict"]) == {"not comparable because its images differ"}


def test_every_experiment_of_a_system_has_a_row():
    found = {"cia_net-a": [14] * 4, "cia_net-b": [13] * 4}
    table = reproduction.table(board("monuseg", found, "monuseg")).query("system == 'CUHK&IMSIGHT' and stratum == ''")
    assert table["experiment"].tolist() == ["cia_net-a", "cia_net-b"]


def test_no_facts_make_an_empty_table_with_its_header():
    read = board("monuseg", {"cia_net": [14] * 4}, None)
    assert reproduction.table(read).empty
    texts = outputs.texts(read)
    assert texts["reproduction"] == ",".join(reproduction.COLUMNS) + "\n"
    assert "Published" not in texts["markdown"]


def test_pages_list_what_was_run_and_count_the_rest():
    read = board("monuseg", {"cia_net": [13, 14, 10, 20]}, "monuseg")
    table = reproduction.table(read)
    cells, alignment = tables.reproduction_cells(table)
    assert len(cells) == 1 + 7
    assert {len(row) for row in cells} == {len(alignment)}
    assert cells[1][:6] == ["CUHK&IMSIGHT", "aji (organ breast)", "0.646", "cia_net", "0.650", "+0.004"]
    assert tables.not_run(table) == "Not run here: 31 published systems with 217 figures."
    page = outputs.texts(read)["markdown"]
    assert page.index("## Published and measured") < page.index("| CUHK&IMSIGHT | aji (organ breast)")
    assert reproduction.RULE in page


@pytest.mark.parametrize(
    ("difference", "steps", "published_steps", "expected"),
    [
        (0.70 - 0.69, 0, "", "reproduced within 0.01"),
        (-0.011, 0, "10", "reproduced within 0.02"),
        (0.05, 0, "", "reproduced within 0.05"),
        (0.051, 9, "10", "below budget"),
        (-0.051, 10, "10", "not reproduced"),
        (-0.3, 0, "", "not reproduced"),
        (np.nan, 0, "", "not comparable because the score is not measured here"),
    ],
)
def test_verdict(difference, steps, published_steps, expected):
    assert reproduction.verdict("", difference, steps, published_steps) == expected
    reasoned = reproduction.verdict("its images differ", difference, steps, published_steps)
    assert reasoned == "not comparable because its images differ"


def test_every_verdict_is_of_the_rule():
    for said in ("reproduced within x", "not comparable because", reproduction.NOT_RUN, reproduction.BELOW_BUDGET):
        assert f"{said}: " in reproduction.RULE
    assert isinstance(reproduction.table(board("monuseg", {"x": [1] * 4}, "monuseg")), pd.DataFrame)
