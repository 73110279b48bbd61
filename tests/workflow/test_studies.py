"""Every study, as it is and with the small profile's overlay, gives targets; the papers' tables are complete."""

import copy
from functools import cache
from typing import Any

import pytest
import torch
import yaml
from snakemake.utils import update_config, validate

import smoke
from karyobench.systems import registry
from karyobench.workflow import names, start

CONFIG = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))
PROFILE = yaml.safe_load((smoke.ROOT / "profiles/small/config.yaml").read_text(encoding="utf-8"))
SMALL = yaml.safe_load((smoke.ROOT / PROFILE["configfile"]).read_text(encoding="utf-8"))
OVERLAYS: dict[str, dict[str, Any]] = {"full": {}, "small": SMALL}
"""What lies over config.yaml, merged key by key by Snakemake's own function for --configfile."""


@cache
def under(overlay: str) -> start.Catalogue:
    """The catalogue of the configuration under an overlay, as the Snakefile makes it."""
    config = copy.deepcopy(CONFIG)
    update_config(config, OVERLAYS[overlay])
    start.read(config, smoke.ROOT, validate)
    return start.Catalogue(config)


@pytest.fixture(scope="module", params=OVERLAYS)
def catalogue(request: pytest.FixtureRequest) -> start.Catalogue:
    return under(request.param)


@pytest.mark.parametrize("study", CONFIG["studies"])
def test_every_study_gives_targets(catalogue: start.Catalogue, study: str) -> None:
    chosen = start.Catalogue({**catalogue.config, "study": study})
    *made, site = chosen.targets
    assert site == f"results/site/{study}"
    assert made and len(made) == len(set(made))
    assert chosen.datasets and set(chosen.datasets) <= set(chosen.config["datasets"])
    assert all(chosen.rows(board) for board in chosen.leaderboards)


# ---------------------------------------------------------------------- rows of the tables


def rows(catalogue: start.Catalogue, board: str) -> dict[str, dict[str, Any]]:
    """Each experiment of a leaderboard with the record of its system, and the experiment whose training it uses."""
    listed = dict.fromkeys(name for name, _ in catalogue.rows(board))
    experiments = catalogue.config["experiments"]
    return {
        name: {**experiments[name], **catalogue.system(name), "trainee": catalogue.trainee(name)} for name in listed
    }


def boards(catalogue: start.Catalogue, study: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The rows of each leaderboard of a study."""
    return {board: rows(catalogue, board) for board in names.study(catalogue.config, study)["leaderboards"]}


def dataset_of(catalogue: start.Catalogue, board: str) -> str:
    return catalogue.config["leaderboards"][board]["dataset"]


def trained(of_board: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in of_board.values() if "patches" in row]


PAPERS = ("alexnet", "mcsa", "mcsa_mitosis", "breakhis", "breakhis_starts", "prcnn")


@pytest.mark.parametrize("study", PAPERS)
def test_the_papers_figures_stand_beside_each_table(catalogue: start.Catalogue, study: str) -> None:
    for board in boards(catalogue, study):
        assert catalogue.config["leaderboards"][board]["published"]


@pytest.mark.parametrize("study", ["alexnet", "networks"])
def test_the_improved_alexnet_is_there_in_both_readings_beside_the_tutorial_s_network(
    catalogue: start.Catalogue, study: str
) -> None:
    for of_board in boards(catalogue, study).values():
        assert {"otsu", "watershed"} <= {row["module"] for row in of_board.values()}
        windows = [row for row in trained(of_board) if row["module"] in ("alexnet", "alexnet_literal", "janowczyk_cnn")]
        assert sorted(row["module"] for row in windows) == ["alexnet", "alexnet_literal", "janowczyk_cnn"]
        for key in ("patches", "budget", "targets", "train"):
            assert all(row[key] == windows[0][key] for row in windows)


MCSA_ROWS = {  # of the ablation, then the U-Nets of the comparison: channel, spatial, residual
    ("mcsa_unet", False, False, "none"),
    ("mcsa_unet", True, False, "none"),
    ("mcsa_unet", False, True, "none"),
    ("mcsa_unet", False, False, "input"),
    ("mcsa_unet", True, True, "features"),
    ("mcsa_unet", False, False, "everywhere"),
    ("unetpp", None, None, None),
    ("unet3plus", None, None, None),
    ("ms_rcnn", None, None, None),
}


@pytest.mark.parametrize("study", ["mcsa", "mcsa_mitosis"])
def test_mcsa_unet_has_its_ablation_and_its_comparison_under_one_recipe(catalogue: start.Catalogue, study: str) -> None:
    for of_board in boards(catalogue, study).values():
        found = trained(of_board)
        keys = ("channel", "spatial", "residual")
        assert {(row["module"], *map(row["network"].get, keys)) for row in found} >= MCSA_ROWS
        assert {row["network"]["spatial_target"] for row in found if row["module"] == "mcsa_unet"} == {"F", "F_c"}
        for key in ("patches", "budget", "seeds"):
            assert all(row[key] == found[0][key] for row in found)
        unets = [row for row in found if row["module"] != "ms_rcnn"]
        assert all(row["train"] == unets[0]["train"] for row in unets)
        assert not any({"init_from", "pretrained"} & row.keys() for row in found)


def test_breakhis_has_both_stages_and_none_by_images_and_by_patients(catalogue: start.Catalogue) -> None:
    listed = boards(catalogue, "breakhis")
    assert {dataset_of(catalogue, board) for board in listed} == {"breakhis", "breakhis@patient"}
    for board, of_board in listed.items():
        found = [row for row in trained(of_board) if row["module"] == "vgg16"]
        patches = {row["patches"] for row in found}
        assert [catalogue.config["patches"][name]["train"] for name in patches] == [[dataset_of(catalogue, board)]]
        of_stage = {row["network"]["free"]: row for row in found}
        a, b, scratch = of_stage[0], of_stage[5], of_stage[13]
        assert a["pretrained"] and "init_from" not in a
        assert of_board[b["init_from"]] == a
        assert not {"pretrained", "init_from"} & scratch.keys()
        assert (a["network"]["norm"], a["network"]["dropout"]) == (False, 0)
        assert b["network"]["norm"] and b["network"]["dropout"] > 0
        assert b["train"]["learning_rate"] == pytest.approx(a["train"]["learning_rate"] / 10)


def test_breakhis_is_compared_from_two_sets_of_imagenet_weights_and_none(catalogue: start.Catalogue) -> None:
    [of_board] = boards(catalogue, "breakhis_starts").values()
    stage_a = [row for row in of_board.values() if row["network"]["free"] == 0]
    assert len({row["pretrained"] for row in stage_a}) == 2
    stage_b = [row for row in of_board.values() if row["network"]["free"] == 5]
    assert {of_board[row["init_from"]]["pretrained"] for row in stage_b} == {row["pretrained"] for row in stage_a}
    assert any(not {"pretrained", "init_from"} & row.keys() for row in of_board.values())


def augmented(row: dict[str, Any]) -> bool:
    return any(row["train"]["augment"].values())


def merged(row: dict[str, Any]) -> bool:
    return row["instances"]["min_edge"] is not None


def pooled(of_board: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of P-RCNN itself, as the paper has it: tiled, ResNet-101, from ImageNet where that is wide enough."""
    return [
        row
        for row in of_board.values()
        if row["module"] == "prcnn"
        and row["predict"]["tile"]
        and not row["instances"]["every"]
        and row["trainee"] in ("prcnn-pooled", "prcnn-plain-pooled")
    ]


@pytest.mark.parametrize("board", ["prcnn-dsb2018", "prcnn-stage2", "prcnn-val"])
def test_p_rcnn_is_ablated_by_augmentation_and_by_merging(catalogue: start.Catalogue, board: str) -> None:
    found = pooled(rows(catalogue, board))
    assert sorted((augmented(row), merged(row)) for row in found) == [
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    ]
    for with_augmentation in (False, True):  # merging alone differs: one training serves both
        assert len({row["trainee"] for row in found if augmented(row) == with_augmentation}) == 1
    assert len({row["patches"] for row in found}) == 1


@pytest.mark.parametrize("board", ["prcnn-dsb2018", "prcnn-stage2"])
def test_one_p_rcnn_predicts_whole_images_and_tiles_united_in_several_ways(
    catalogue: start.Catalogue, board: str
) -> None:
    of_board = rows(catalogue, board)
    alike = [row for row in of_board.values() if row["trainee"] == "prcnn-pooled"]
    ways = {(bool(row["predict"]["tile"]), row["instances"]["min_edge"], row["instances"]["every"]) for row in alike}
    assert {(True, 3, False), (True, 1, True), (True, None, False)} <= ways
    assert any(not tiled for tiled, _, _ in ways)
    assert {"unet2-pooled", "unet3-pooled", "mask_rcnn-pooled", "watershed"} <= of_board.keys()


@pytest.mark.parametrize("board", ["prcnn-kumar", "prcnn-isbi2009"])
def test_merging_is_judged_where_images_are_larger_than_a_tile(catalogue: start.Catalogue, board: str) -> None:
    """Most images of DSB 2018 are one tile, of which every way of merging makes the same."""
    alike = [row for row in rows(catalogue, board).values() if row["trainee"] == "prcnn-pooled"]
    ways = {(bool(row["predict"]["tile"]), row["instances"]["min_edge"], row["instances"]["every"]) for row in alike}
    assert {(True, 3, False), (True, 1, True), (True, None, False)} <= ways
    assert any(not tiled for tiled, _, _ in ways)


def test_p_rcnn_from_scratch_is_a_row_where_that_is_another_training(
    catalogue: start.Catalogue,
) -> None:
    of_board, full = rows(catalogue, "prcnn-dsb2018"), catalogue is under("full")
    assert ("prcnn-scratch-pooled" in of_board) == full
    assert ("pretrained" in of_board["prcnn-pooled"]) == full


@pytest.mark.parametrize("name", ["prcnn-scratch", "ms_rcnn"])
def test_detectors_from_scratch_are_not_normalised_by_batches_of_two(catalogue: start.Catalogue, name: str) -> None:
    assert catalogue.config["systems"][name]["network"]["norm"] == "group"


def test_p_rcnn_is_tuned_on_each_dataset_and_compared_untuned(catalogue: start.Catalogue) -> None:
    tuned = set()
    for board, of_board in boards(catalogue, "prcnn").items():
        for row in (row for row in of_board.values() if "init_from" in row):
            assert of_board[row["init_from"]]["network"] == row["network"]  # the same one stands beside it untuned
            assert dataset_of(catalogue, board) in catalogue.config["patches"][row["patches"]]["train"]
            tuned.add(dataset_of(catalogue, board))
    # The small profile leaves out what no mirror of ours holds.
    assert tuned >= {"monuseg@kumar", "isbi2009"} | (set() if catalogue.config["max_steps"] else {"tnbc"})


def test_the_networks_study_has_every_system_that_segments(catalogue: start.Catalogue) -> None:
    [of_board] = boards(catalogue, "networks").values()
    wanted = {
        name
        for name in registry.names()
        if registry.declared(name, "TRAINED") and registry.declared(name, "OUTPUT") != "classes"
    }
    assert wanted <= {row["module"] for row in trained(of_board)}
    assert len({row["patches"] for row in trained(of_board)}) == 1


@pytest.mark.parametrize(("study", "ranks"), [("scaling", {1, 2}), ("scaling8", {1, 2, 4, 8})])
def test_scaling_differs_by_ranks_alone(catalogue: start.Catalogue, study: str, ranks: set[int]) -> None:
    [of_board] = boards(catalogue, study).values()
    found = list(of_board.values())
    assert {row["train"]["ranks"] for row in found} == ranks
    for row in found:
        assert {**row["train"], "ranks": 1} == {**found[0]["train"], "ranks": 1}
        assert all(row[key] == found[0][key] for key in ("module", "network", "targets", "loss", "patches", "budget"))


# ---------------------------------------------------------------------- networks


def sizes(catalogue: start.Catalogue, study: str) -> dict[str, int]:
    """Parameters of the network of each system that a study trains, built without memory."""
    found = {}
    for of_board in boards(catalogue, study).values():
        for row in trained(of_board):
            if row["system"] not in found:
                with torch.device("meta"):
                    network = registry.load(row["module"]).build({"classes": ["one", "other"], **row})
                found[row["system"]] = sum(parameter.numel() for parameter in network.parameters())
    return found


@pytest.mark.parametrize("study", ["alexnet", "mcsa", "breakhis", "prcnn"])
def test_the_small_profile_makes_the_papers_networks_narrower(study: str) -> None:
    full, small = (sizes(under(overlay), study) for overlay in OVERLAYS)
    wide = [system for system, size in small.items() if size >= full[system]]
    assert wide == (["janowczyk_cnn-dense"] if study == "alexnet" else [])  # small as it is
