"""The catalogue's answers, on the project's own configuration."""

import copy
import json
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.workflow import start


@pytest.fixture(scope="module")
def catalogue() -> start.Catalogue:
    config = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))
    start.read(config, smoke.ROOT, validate)
    return start.Catalogue(config)


def names(**wildcards: str) -> SimpleNamespace:
    """Wildcards as Snakemake gives them: attributes with text values."""
    return SimpleNamespace(**wildcards)


def test_targets_are_the_study_s_leaderboards_and_its_site(catalogue: start.Catalogue) -> None:
    assert catalogue.targets == [
        "results/leaderboards/hgsc_summary.csv",
        "results/leaderboards/dsb_sample_summary.csv",
        "results/site/demo",
    ]


def test_a_study_names_every_dataset_that_it_needs(catalogue: start.Catalogue) -> None:
    assert catalogue.datasets == ["dsb_sample", "hgsc"]


def test_the_stain_none_reads_the_ingested_dataset(catalogue: start.Catalogue) -> None:
    assert catalogue.images("none", "hgsc") == "results/datasets/hgsc.h5"
    assert catalogue.images("macenko-hgsc", "hgsc") == "results/stain/macenko-hgsc/hgsc.h5"


def test_a_trained_experiment_predicts_under_the_stain_of_its_patches(catalogue: start.Catalogue) -> None:
    where = catalogue.test_images(names(experiment="unet3-hgsc", dataset="hgsc"))
    assert where == "results/stain/macenko-hgsc/hgsc.h5"


def test_only_trained_experiments_have_weights(catalogue: start.Catalogue) -> None:
    assert catalogue.weights(names(experiment="otsu-hgsc", seed="1")) == []
    assert catalogue.weights(names(experiment="unet3-hgsc", seed="1")) == [
        "results/models/unet3-hgsc/1/weights.safetensors"
    ]


def test_slices_hold_what_the_step_uses_and_no_more(catalogue: start.Catalogue) -> None:
    train = json.loads(catalogue.slice("train")(names(experiment="unet3-hgsc", seed="1")))
    assert (
        train["budget"] == catalogue.config["experiments"]["unet3-hgsc"]["budget"]
        and train["seed"] == 1
        and train["threads"] == 2
    )
    assert {"predict", "instances", "resources"}.isdisjoint(train)
    merge = json.loads(catalogue.slice("merge")(names(experiment="unet3-hgsc", seed="1", dataset="hgsc")))
    assert set(merge) == {"module", "instances"}
    ingest = json.loads(catalogue.slice("ingest")(names(dataset="hgsc")))
    assert {"source", "split", "licence", "citation"}.isdisjoint(ingest)


def test_a_slice_does_not_depend_on_the_order_of_keys(catalogue: start.Catalogue) -> None:
    config = copy.deepcopy(catalogue.config)
    config["systems"]["unet3"] = dict(reversed(config["systems"]["unet3"].items()))
    where = names(experiment="unet3-hgsc", seed="1")
    assert start.Catalogue(config).slice("train")(where) == catalogue.slice("train")(where)


def test_memory_grows_with_each_attempt_and_the_gpu_does_not(catalogue: start.Catalogue) -> None:
    where = names(experiment="unet3-hgsc")
    assert [catalogue.resource("mem_mb")(where, attempt) for attempt in (1, 2)] == [8000, 16000]
    assert [catalogue.resource("gpu")(where, attempt) for attempt in (1, 2)] == [1, 1]
    assert catalogue.resource("gpu")(names(experiment="otsu-hgsc"), 1) == 0
