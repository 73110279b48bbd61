"""Every file of two leaderboards, with five systems and three seeds of each: intervals, ranks, strata, equal bytes."""

import io
from itertools import combinations, pairwise
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import invented_study as invented
from karyobench.metrics.scores import SCORES
from karyobench.reporting import outputs, overall, runs, terminal

SEEDS = (1, 2, 3)
# Objects of an image that each system finds, give or take; the first two are ahead of each other in turn.
SYSTEMS = {"unet3-a": 12, "unet3-b": 12, "alexnet": 8, "watershed": 5, "otsu": 1}
DATASETS = {"monuseg": ("breast", "kidney", "lung"), "nuinsseg": ("liver", "skin")}
IMAGES, OBJECTS, SIDE = 24, 20, 12


def truth_of(number: int) -> np.ndarray:
    """A row of objects of one size, which grows with the image's number; fewer in every second. The last has none."""
    labels = np.zeros((SIDE, SIDE * OBJECTS), np.int32)
    size = 3 + number // 3
    for k in range(OBJECTS - 5 * (number % 2)) if number < IMAGES - 1 else ():
        labels[1 : 1 + size % SIDE, SIDE * k + 1 : SIDE * k + 1 + min(size, SIDE - 2)] = k + 1
    return labels


def found(system: str, seed: int, number: int) -> np.ndarray:
    """Map of an image in which the system finds its first objects, one more or less by patient, one more by seed."""
    ahead = (number // 2 + (system == "unet3-b")) % 2 if system.startswith("unet3") else 0
    truth = truth_of(number)
    return np.where(truth <= SYSTEMS[system] + 2 * ahead + (seed == number % 3), truth, 0)


def made(name: str, organs: tuple[str, ...]) -> dict:
    """Slice of a leaderboard; every third image (or second) is of one organ, every two of one patient."""
    truth = {f"im{k:02d}": truth_of(k) for k in range(IMAGES)}
    images = {image: (np.zeros((*labels.shape, 3), np.uint8), labels) for image, labels in truth.items()}
    predictions = {("oracle_truth", 1): truth}
    for system in SYSTEMS:
        for seed in SEEDS:
            predictions[system, seed] = {image: found(system, seed, k) for k, image in enumerate(truth)}
    about = {
        image: {"organ": organs[k % len(organs)], "group": f"patient{k // 2}", "magnification": 40}
        for k, image in enumerate(truth)
    }
    published = name if name == "monuseg" else None
    steps = {"unet3-a": 60, "unet3-b": 80, "alexnet": 40}
    return invented.board(name, images, predictions, trained=steps, published=published, about=about)


@pytest.fixture(scope="module")
def boards(tmp_path_factory):
    """Slices of both leaderboards; the working directory is where their paths start."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("study"))
        yield {name: made(name, organs) for name, organs in DATASETS.items()}


@pytest.fixture(params=sorted(DATASETS))
def board(request, boards):
    return boards[request.param]


def table(board: dict, kind: str) -> pd.DataFrame:
    with open(board[kind], encoding="utf-8") as stream:
        return pd.read_csv(stream, keep_default_na=False, dtype=str)


def measured(board: dict) -> pd.DataFrame:
    rows = table(board, "summary")
    return rows[rows["source"] == "measured"].set_index("experiment")


def test_every_ranked_row_has_rank_and_difference_with_intervals_for_every_score(board):
    rows = measured(board)
    assert set(rows.index) == {"oracle_truth", *SYSTEMS}
    assert rows["n_seeds"].to_dict() == dict.fromkeys(SYSTEMS, "3") | {"oracle_truth": "1"}
    assert set(rows["unit"] + rows["n_units"]) == {"groups12"}
    for score in SCORES:
        ranked = rows.drop("oracle_truth")
        places = ranked[[f"{score}_rank_low", f"{score}_rank", f"{score}_rank_high"]].astype(int).to_numpy()
        assert (np.diff(places, axis=1) >= 0).all()
        assert places.min() == 1 and places.max() <= len(SYSTEMS)
        ends = ranked[[f"{score}_difference_low", f"{score}_difference", f"{score}_difference_high"]].astype(float)
        assert (np.diff(ends, axis=1) >= 0).all()
        assert ((ranked[f"{score}_tied"] == "best") == (ranked[f"{score}_rank"] == "1")).all()
        assert set(rows.loc["oracle_truth", [f"{score}_rank", f"{score}_difference", f"{score}_tied"]]) == {""}


def test_ranks_tell_the_shares_and_that_equal_ones_are_tied(board):
    rows = measured(board)
    order = rows["aji_rank"].drop("oracle_truth").astype(int).sort_values().index.tolist()
    assert set(order[:2]) == {"unet3-a", "unet3-b"}
    assert order[2:] == ["alexnet", "watershed", "otsu"]
    assert rows.loc[order, "aji_tied"].tolist() == ["best", "yes", "no", "no", "no"]
    assert rows.loc[order[2:], ["aji_rank_low", "aji_rank_high"]].to_numpy().tolist() == [[n, n] for n in "345"]


def test_difference_is_that_of_the_scores(board):
    rows = measured(board).drop("oracle_truth")
    for score in SCORES:
        values = rows[score].astype(float)
        assert rows[f"{score}_difference"].astype(float).to_numpy() == pytest.approx(values - values.max(), abs=2e-6)


def test_pairs_hold_each_pair_once_with_the_better_first(board):
    pairs, rows = table(board, "pairs"), measured(board)
    for score, group in pairs.groupby("score"):
        found = {frozenset(pair) for pair in zip(group["experiment"], group["versus"], strict=True)}
        assert found == {frozenset(pair) for pair in combinations(SYSTEMS, 2)}
        assert len(group) == len(found)
        first, second = (rows.loc[group[name], score].astype(float).to_numpy() for name in ("experiment", "versus"))
        assert group["difference"].astype(float).to_numpy() == pytest.approx(first - second, abs=2e-6)
        assert (first >= second).all()
        assert group["wins"].astype(float).between(0, 1).all()
    aji = pairs[pairs["score"] == "aji"].set_index(["experiment", "versus"])
    assert (aji["tied"] == "yes").sum() == 1
    assert set(aji[aji["tied"] == "no"]["wins"]) == {"1.000000"}


def test_strata_are_parts_of_the_images(board):
    strata, rows = table(board, "strata"), measured(board)
    assert list(dict.fromkeys(strata["by"])) == ["organ", "group", "object_size", "density"]
    for (_, experiment), group in strata.groupby(["by", "experiment"]):
        weight = group["n_images"].astype(int)
        assert weight.sum() == IMAGES
        for score in SCORES:
            mean = (group[score].astype(float) * weight).sum() / IMAGES
            assert mean == pytest.approx(float(rows.loc[experiment, score]), abs=2e-6)
    organs = strata[strata["by"] == "organ"]
    assert set(organs["stratum"]) == set(DATASETS[board["name"]])
    assert (organs["aji_low"] != "").all()
    patients = strata[strata["by"] == "group"]
    assert patients["stratum"].nunique() == IMAGES // 2
    assert set(patients["aji_low"]) == {""}


def test_bins_of_size_and_density_are_ordered_and_name_their_bounds(board):
    strata = table(board, "strata")
    sizes = strata[(strata["by"] == "object_size") & (strata["experiment"] == "otsu")]
    assert sizes["stratum"].tolist() == ["1 of 4", "2 of 4", "3 of 4", "4 of 4", "no objects"]
    assert sizes["range"].iloc[0].startswith("9.0 to ")
    bounds = [tuple(map(float, text.split(" pixels")[0].split(" to "))) for text in sizes["range"][:-1]]
    assert all(low <= high for low, high in bounds)
    assert all(below[1] < above[0] for below, above in pairwise(bounds))
    density = strata[(strata["by"] == "density") & (strata["experiment"] == "otsu")]
    assert density["stratum"].tolist() == ["1 of 2", "2 of 2", "no objects"]
    assert density["range"].tolist()[:2] == [
        f"{n / 0.00288:.1f} to {n / 0.00288:.1f} objects per megapixel" for n in (15, 20)
    ]
    assert density["n_nuclei"].tolist() == ["165", "240", "0"]


def test_picture_has_a_row_per_ranked_experiment_and_bars_of_those_that_do_not_differ(board):
    with open(board["ranks"], encoding="utf-8") as stream:
        picture = ElementTree.fromstring(stream.read())
    titles = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[0] == "Ranks by AJI"
    assert set(titles[1 : 1 + len(SYSTEMS)]) == set(SYSTEMS)
    assert len(titles) == len(SYSTEMS) + 2
    assert titles[-1] in {"no two of these differ: unet3-a, unet3-b", "no two of these differ: unet3-b, unet3-a"}
    words = " ".join(each.text or "" for each in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "9999 bootstrap draws of 12 groups of images" in words
    assert "no Nemenyi test" in words


def test_pages_show_rank_and_difference(board):
    with open(board["markdown"], encoding="utf-8") as stream:
        page = stream.read()
    best = next(line for line in page.splitlines() if line.startswith("| unet3") and "| best |" in line)
    assert best.split(" | ")[1] == "1 (1 to 2)"
    assert next(line for line in page.splitlines() if line.startswith("| oracle_truth")).split(" | ")[1] == "-"
    assert "12 groups of images" in page
    assert "- **Strata**: scores by organ, group, object size, density stand in the CSV of strata." in page
    assert ("## Published and measured" in page) == (board["name"] == "monuseg")


def test_terminal_shows_ranks(board):
    shown = terminal.measured(terminal.read(board["summary"]))
    header, _, *rows = shown.splitlines()
    assert header.split()[:2] == ["experiment", "rank"]
    assert any(row.startswith("otsu ") and " 5 (5-5) " in row for row in rows)
    assert rows[-1].startswith("* cannot be told from the best")
    assert sum(" (1-2)* " in row for row in rows) == 1


def test_twice_the_same_bytes_and_files_written_are_the_texts(board):
    read = runs.load(
        board, *([row[key] for row in board["rows"] if row[key]] for key in ("metrics", "run")), board["images"]
    )
    texts = outputs.texts(read)
    assert list(texts) == list(outputs.KINDS)
    for kind, text in texts.items():
        with open(board[kind], encoding="utf-8") as stream:
            assert stream.read() == text
    assert all(io.StringIO(text).readline() for text in texts.values())


def test_both_leaderboards_together_rank_what_stands_on_each(boards):
    read = [
        runs.load(
            board, *([row[key] for row in board["rows"] if row[key]] for key in ("metrics", "run")), board["images"]
        )
        for board in boards.values()
    ]
    made = pd.read_csv(io.StringIO(overall.texts(read, "aji", "AJI")["overall"]), dtype=str).set_index("system")
    assert set(made.index[:2]) == {"unet3-a", "unet3-b"}
    assert made.index[2:].tolist() == ["alexnet", "watershed", "otsu"]
    assert made["aji_tied"].tolist() == ["best", "yes", "no", "no", "no"]
    for board in boards.values():
        alone = measured(board)["aji"].astype(float)
        assert made[board["name"]].astype(float).to_numpy() == pytest.approx(alone[made.index], abs=2e-6)


def test_per_organ_figures_stand_beside_the_strata(boards):
    against = table(boards["monuseg"], "reproduction")
    assert len(against) == 224
    assert set(against["verdict"]) == {"not run"}
