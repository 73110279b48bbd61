"""Faults of a configuration are told in words that name the key and the remedy."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import validate

import smoke
from karyobench.errors import KaryobenchError
from karyobench.workflow import describe, start

CONFIG = yaml.safe_load((smoke.ROOT / "config.yaml").read_text(encoding="utf-8"))


def read(config: dict[str, Any]) -> start.Catalogue:
    """Check a configuration as the Snakefile does."""
    start.read(config, smoke.ROOT, validate)
    return start.Catalogue(config)


def changed(*path: str, value: Any) -> dict[str, Any]:
    """The project's configuration with one key set, or removed when the value is `...`."""
    config = copy.deepcopy(CONFIG)
    record = config
    for key in path[:-1]:
        record = record[key]
    if value is ...:
        del record[path[-1]]
    else:
        record[path[-1]] = value
    return config


def test_the_project_s_own_configuration_is_sound() -> None:
    assert read(copy.deepcopy(CONFIG)).leaderboards == ["hgsc", "dsb_sample"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (changed("thread", value=2), ["top level", "unknown key 'thread'", "did you mean 'threads'?"]),
        (changed("threads", value="two"), ["threads: must be integer, is 'two'"]),
        (
            changed("leaderboards", "mcsa", "scores", value=["mpa_recal", "aji_0.5"]),
            ["leaderboards.mcsa.scores", "did you mean 'mpa_recall'?", "did you mean 'aji_0.50'?"],
        ),
        (
            changed("leaderboards", "breakhis", "scores", value=["dice"]),
            ["leaderboards.breakhis.scores: the tables of classes hold all their scores"],
        ),
        (changed("study", value="dmeo"), ["study: 'dmeo'", "did you mean 'demo'?"]),
        (changed("datasets", "hgsc", "licence", value=...), ["datasets.hgsc", "'licence' is missing"]),
        (changed("datasets", "hgsc", "reader", value="hgcs"), ["datasets.hgsc.reader", "did you mean 'hgsc'?"]),
        (changed("datasets", "hgsc", "image_type", value="HE"), ["datasets.hgsc.image_type", "'HE'", "fluorescence"]),
        (changed("datasets", "hgsc", "source", value={"ulr": "x"}), ["datasets.hgsc.source", "exactly one of url"]),
        (
            changed("stains", "macenko-hgsc", "beta", value="15e-2"),
            ["stains.macenko-hgsc.beta", "must be number", "0.001"],
        ),
        (changed("stains", "macenko-hgsc", "method", value="macenco"), ["did you mean 'macenko'?"]),
        (changed("stains", "macenko-hgsc", "reference", "dataset", value="hgcs"), ["did you mean 'hgsc'?"]),
        (
            changed("patches", "hgsc-160", "crop", value=200),
            ["patches.hgsc-160.crop", "guard of 160 px", "hgsc.regions.guard"],
        ),
        (changed("patches", "hgsc-160", "train", value=["hgs"]), ["patches.hgsc-160.train", "did you mean 'hgsc'?"]),
        (changed("systems", "unet3", "module", value="unet"), ["systems.unet3.module", "did you mean 'unet3'?"]),
        (changed("systems", "unet3", "network", "widht", value=8), ["systems.unet3.network", "did you mean 'width'?"]),
        (changed("systems", "unet3", "network", "width", value=...), ["systems.unet3.network", "'width' is missing"]),
        (changed("systems", "unet3", "train", "ranks", value=4), ["unet3.train.ranks", "4 ranks", "a batch of 6"]),
        (changed("systems", "prcnn", "instances", value={"min_edge": None, "every": True}), ["prcnn.instances.every"]),
        (changed("systems", "unet3", "resources", "nodes", value=2), ["unet3.resources.nodes", "2 nodes"]),
        (changed("experiments", "unet3-hgsc", "patches", value="hgsc-16"), ["did you mean 'hgsc-160'?"]),
        (changed("experiments", "unet3-hgsc", "budget", value=...), ["experiments.unet3-hgsc", "needs a budget"]),
        (changed("experiments", "unet3-hgsc", value={"system": "unet3", "stain": "none"}), ["must name its patches"]),
        (
            changed("experiments", "otsu", value={"system": "otsu", "patches": "hgsc-160", "budget": {"steps": 1}}),
            ["experiments.otsu", "is not trained"],
        ),
        (changed("experiments", "otsu", "system", value="ostu"), ["experiments.otsu.system", "did you mean 'otsu'?"]),
        (changed("leaderboards", "hgsc", "experiments", value=["unet-hgsc"]), ["did you mean 'unet3-hgsc'?"]),
        (
            changed("experiments", "otsu", value={"system": "otsu", "stain": "none", "budget": {"steps": 1}}),
            ["experiments.otsu.budget", "remove it"],
        ),
        (
            changed("experiments", "unet3-hgsc", "init_from", value="otsu"),
            ["unet3-hgsc.init_from", "'otsu' is not trained"],
        ),
        (changed("leaderboards", "hgsc", "split", value="train"), ["leaderboards.hgsc.split", "'train'"]),
        (changed("studies", "demo", value=["hgsk"]), ["studies.demo", "did you mean 'hgsc'?"]),
        (changed("metrics", value={"iou_thresholds": [1.5]}), ["metrics.iou_thresholds.0", "1.5"]),
        (changed("studies", "demo", value={"datasets": ["hgsd"]}), ["studies.demo", "did you mean 'hgsc'?"]),
        (changed("studies", "demo", value={"patches": ["hgsc-16"]}), ["studies.demo", "did you mean 'hgsc-160'?"]),
        (changed("stains", "macenko-hgsc", "alpha", value=...), ["needs the key 'alpha' (1 in its paper)"]),
        (changed("stains", "reinhard-monuseg", "beta", value=0.1), ["reinhard-monuseg.beta", "does not use it"]),
        (
            changed("datasets", "monuseg", "split", "list", value="monuseg"),
            ["monuseg.split.list", "no published"],
        ),
        (
            changed("leaderboards", "hgsc", "dataset", value="breakhis"),
            ["leaderboards.hgsc: experiment 'otsu-hgsc' outlines objects", "'breakhis' is a class per image"],
        ),
        (
            changed("systems", "otsu-he", value={"module": "one_class", "predict": {"tile": None, "class": "benign"}}),
            ["leaderboards.hgsc: experiment 'otsu-hgsc' tells the class", "dataset 'hgsc' has no classes"],
        ),
        (
            changed("patches", "hgsc-160", "train", value=["breakhis"]),
            ["experiments.unet3-hgsc", "'unet3-hgsc' outlines objects"],
        ),
        (changed("patches", "hgsc-160", "train", value=["hgsc", "breakhis"]), ["patches.hgsc-160.train", "`classes`"]),
        (changed("datasets", "breakhis", "classes", value=...), ["datasets.breakhis.classes", "list them"]),
        (changed("datasets", "hgsc", "classes", value=["a", "b"]), ["datasets.hgsc.classes", "objects are nuclei"]),
        (changed("datasets", "breakhis", "classes", value=["one"]), ["datasets.breakhis.classes"]),
        (changed("metrics", value={"f1_threshold": 0.52}), ["metrics.f1_threshold", "0.52", "iou_thresholds"]),
    ],
)
def test_a_fault_is_named_with_its_remedy(config: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(KaryobenchError) as caught:
        read(config)
    assert all(text in str(caught.value) for text in told), str(caught.value)


def test_every_fault_is_told_at_once() -> None:
    config = changed("threads", value="two")
    config["stduies"] = {}
    with pytest.raises(KaryobenchError) as caught:
        read(config)
    assert "must be integer" in str(caught.value) and "did you mean 'studies'?" in str(caught.value)


def test_a_fault_ends_snakemake_with_one_message(tmp_path: Path) -> None:
    workdir = smoke.make_workdir(tmp_path)
    smoke.write_config(workdir, {"systems": {"unet3": {"netwrok": {}}}})
    told = smoke.run(workdir, "--dry-run", "--cores", "1")
    assert told.returncode != 0
    assert "systems.unet3: unknown key 'netwrok' (did you mean 'network'?)" in told.stdout
    assert "Traceback" not in told.stdout


def test_another_working_directory_is_refused_with_the_remedy(tmp_path: Path) -> None:
    told = smoke.run(smoke.make_workdir(tmp_path / "a"), "--dry-run", "--cores", "1", "--directory", str(tmp_path))
    assert told.returncode != 0
    assert "run Snakemake from the root of the repository" in told.stdout


def test_the_configuration_page_is_that_of_the_schema() -> None:
    schema = yaml.safe_load((smoke.ROOT / start.SCHEMA).read_text(encoding="utf-8"))
    assert (smoke.ROOT / "docs" / "configuration.md").read_text(encoding="utf-8") == describe.page(schema)
