"""Experiments that predict with the weights of another one: nothing is trained twice."""

import copy
import json
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.errors import KaryobenchError
from karyobench.workflow import start

TRAINED, OTHER = "prcnn-pooled", "prcnn-unmerged-pooled"


@pytest.fixture(scope="module")
def config() -> dict:
    config = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))
    start.read(config, smoke.ROOT, validate)
    return config


@pytest.fixture(scope="module")
def catalogue(config: dict) -> start.Catalogue:
    return start.Catalogue(config)


def row(experiment: str) -> SimpleNamespace:
    return SimpleNamespace(experiment=experiment, seed="1", dataset="dsb2018", leaderboard="prcnn-dsb2018")


def test_the_weights_and_the_record_of_training_are_the_other_s(catalogue: start.Catalogue) -> None:
    assert catalogue.weights(row(OTHER)) == catalogue.weights(row(TRAINED))
    assert catalogue.test_images(row(OTHER)) == catalogue.test_images(row(TRAINED))
    shown = {r["experiment"]: r for r in json.loads(catalogue.slice("leaderboard")(row(OTHER)))["rows"]}
    assert shown[OTHER]["run"] == shown[TRAINED]["run"] == f"results/models/{TRAINED}/1/run.json"
    assert shown[OTHER]["metrics"] != shown[TRAINED]["metrics"]
    assert len(catalogue.run_files(row(OTHER))) > len(set(catalogue.run_files(row(OTHER))))


def test_it_may_predict_otherwise(catalogue: start.Catalogue) -> None:
    ours, theirs = (json.loads(catalogue.slice("merge")(row(name))) for name in (OTHER, TRAINED))
    assert (ours["instances"]["min_edge"], theirs["instances"]["min_edge"]) == (None, 3)
    whole = json.loads(catalogue.slice("predict")(row("prcnn-whole-pooled")))
    assert (whole["predict"]["tile"], whole["predict"]["resize"]) == (None, 512)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights_of": "prcnn-pooed"}, "'prcnn-pooed' is not among experiments .did you mean 'prcnn-pooled'"),
        ({"weights_of": "watershed-kumar"}, "trains no weights"),
        ({"seeds": [1, 2]}, r"has the seeds \[1\] alone"),
        ({"system": "prcnn-scratch"}, "differ in module or network"),
        ({"budget": {"steps": 3}}, "budget: nothing is trained here"),
    ],
)
def test_weights_that_cannot_fit_are_refused(config: dict, change: dict, message: str) -> None:
    changed = copy.deepcopy(config)
    changed["experiments"][OTHER] |= change
    with pytest.raises(KaryobenchError, match=message):
        start.Catalogue(changed)


def test_the_classes_must_be_those_that_the_other_has_learnt(config: dict) -> None:
    changed = copy.deepcopy(config)
    changed["datasets"]["mine"] = changed["datasets"]["breakhis"] | {"classes": ["malignant", "benign"]}
    changed["experiments"]["borrowed"] = {**config["experiments"]["vgg16_a-breakhis"], "weights_of": "vgg16_a-breakhis"}
    for key in ("patches", "pretrained", "budget"):
        del changed["experiments"]["borrowed"][key]
    board = {"dataset": "breakhis", "split": "test", "experiments": ["borrowed"], "scores": [], "published": None}
    changed["leaderboards"]["mine"] = board
    start.Catalogue(changed)
    board["dataset"] = "mine"
    with pytest.raises(KaryobenchError, match="'borrowed' learns the classes benign, malignant of dataset 'breakhis'"):
        start.Catalogue(changed)


def test_no_pretrained_weights_where_an_overlay_takes_them_away(config: dict) -> None:
    changed = copy.deepcopy(config)
    changed["experiments"][TRAINED]["pretrained"] = None
    start.read(changed, smoke.ROOT, validate)
    assert start.Catalogue(changed).initial_weights(row(TRAINED)) == []
    assert start.Catalogue(config).initial_weights(row(TRAINED)) != []
