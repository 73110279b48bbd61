"""The catalogue's answers, on the project's own configuration."""

import copy
import json
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.errors import KaryobenchError
from karyobench.workflow import start

CLASSIFIERS = ("alexnet", "alexnet_literal", "janowczyk_cnn")


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


def test_a_study_needs_what_the_weights_that_its_experiments_start_from_were_trained_on(
    catalogue: start.Catalogue,
) -> None:
    boards = {
        "x": {
            "dataset": "isbi2009",
            "split": "test",
            "experiments": ["prcnn-tuned-isbi2009"],
            "scores": [],
            "published": None,
        }
    }
    chosen = of(catalogue, study="y", studies={"y": ["x"]}, leaderboards=boards)
    assert chosen.datasets == ["dsb2018", "isbi2009", "monuseg", "tnbc"]
    assert chosen.pretrained == ["resnet101-torchvision"]


def of(catalogue: start.Catalogue, **changes: object) -> start.Catalogue:
    """The catalogue with some of the configuration's top-level keys changed."""
    return start.Catalogue({**copy.deepcopy(catalogue.config), **changes})


def test_a_study_of_data_makes_every_split_and_patch_set_that_it_names(catalogue: start.Catalogue) -> None:
    data = {"datasets": ["breakhis", "monuseg"], "patches": ["cpm15-256"]}
    chosen = of(catalogue, study="mine", studies={"mine": data})
    assert chosen.targets == [
        "results/splits/breakhis.csv",
        "results/splits/breakhis@patient.csv",
        "results/splits/breakhis@patients.csv",
        "results/splits/monuseg.csv",
        "results/splits/monuseg@kumar.csv",
        "results/patches/cpm15-256.h5",
        "results/site/mine",
    ]
    assert chosen.datasets == ["breakhis", "cpm15", "monuseg"]
    assert chosen.stain_figures(names(study="mine")) == ["results/figures/stain/reinhard-monuseg/cpm15.svg"]


def test_a_name_selects_a_split_and_a_fold_of_it(catalogue: start.Catalogue) -> None:
    def chosen(name: str) -> dict:
        return json.loads(catalogue.slice("split")(names(dataset=name)))["split"]

    records = catalogue.config["datasets"]
    assert chosen("tnbc") == records["tnbc"]["split"]
    assert chosen("tnbc@fold11") == {**records["tnbc"]["split"], "fold": 11}
    assert chosen("glas@patient") == records["glas"]["splits"]["patient"]
    assert chosen("glas@patient-fold2") == {**records["glas"]["splits"]["patient"], "fold": 2}


@pytest.mark.parametrize("name", ["tnbc@fold12", "tnbc@fold0", "glas@fold1", "glas@patients", "glas@patient-fold6"])
def test_splits_that_do_not_exist(catalogue: start.Catalogue, name: str) -> None:
    boards = {"x": {"dataset": name, "split": "test", "experiments": ["otsu"], "scores": [], "published": None}}
    with pytest.raises(KaryobenchError, match=f"dataset '{name.split('@')[0]}' has no further split"):
        of(catalogue, study="y", studies={"y": ["x"]}, leaderboards=boards)


def test_splits_of_one_dataset_share_its_images(catalogue: start.Catalogue) -> None:
    boards = {
        "x": {"dataset": "monuseg@kumar", "split": "test", "experiments": ["otsu"], "scores": [], "published": None}
    }
    chosen = of(catalogue, study="y", studies={"y": ["x"]}, leaderboards=boards)
    job = names(experiment="otsu", dataset="monuseg@kumar", seed="1")
    assert chosen.test_images(job) == chosen.ingested_dataset(job) == "results/datasets/monuseg.h5"
    assert chosen.published_split(job)[0].endswith("published_splits/kumar-16-8-6.csv")
    assert json.loads(chosen.slice("evaluate")(job))["splits"] == ["test"]
    assert chosen.metric_files(names(leaderboard="x")) == ["results/metrics/otsu/1/monuseg@kumar.csv"]


def test_class_maps_are_drawn_of_systems_that_classify_pixels(catalogue: start.Catalogue) -> None:
    chosen = of(catalogue, study="y", studies={"y": ["alexnet-hgsc"]})
    wanted = {f"{name}-hgsc": f"results/figures/classes/{name}-hgsc/1/hgsc" for name in CLASSIFIERS}
    needed = chosen.study_files(names(study="y"))
    assert {path for path in needed if path.startswith("results/figures/classes/")} == {*wanted.values()}
    rows = json.loads(chosen.slice("report")(names(study="y")))["leaderboards"][0]["rows"]
    assert {row["experiment"]: row["class_maps"] for row in rows if row["class_maps"]} == wanted
    assert {row["experiment"] for row in rows if not row["class_maps"]} == {"otsu-hgsc", "watershed-hgsc"}


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


@pytest.mark.parametrize(
    ("budget", "cap", "asked"),
    [
        ({"steps": 9}, None, {"steps": 9}),
        ({"steps": 9}, 9, {"steps": 9}),
        ({"steps": 9}, 8, {"steps": 9, "max_steps": 8}),
        ({"epochs": 2}, None, {"epochs": 2}),
        ({"epochs": 2}, 8, {"epochs": 2, "max_steps": 8}),
    ],
)
def test_a_cap_is_part_of_a_budget_that_it_may_lower(
    catalogue: start.Catalogue, budget: dict, cap: int | None, asked: dict
) -> None:
    chosen = of(catalogue, max_steps=cap)
    chosen.config["experiments"]["unet3-hgsc"]["budget"] = budget
    assert json.loads(chosen.slice("train")(names(experiment="unet3-hgsc", seed="1")))["budget"] == asked


def test_training_is_told_what_it_starts_from(catalogue: start.Catalogue) -> None:
    where, chosen = names(experiment="unet3-hgsc", seed="1"), of(catalogue)
    assert json.loads(catalogue.slice("train")(where))["initial"] == "scratch"
    chosen.config["experiments"]["unet3-hgsc"]["init_from"] = "unet3-dsb"
    assert json.loads(chosen.slice("train")(where))["initial"] == "experiment unet3-dsb"


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
