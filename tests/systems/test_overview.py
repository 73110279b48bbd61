"""Every system says what it is; the parameter counts are those of the papers, or follow from their layer lists."""

import json
import subprocess
import sys

import pytest

import smoke
from karyobench.systems import overview, registry

COUNTS = {
    "alexnet": 1_146_850,
    "alexnet_literal": 1_146_850,
    "prcnn": 63_733_406,
    "vgg16": 134_268_738,
}
TRAINABLE = {"prcnn": 63_621_918}


@pytest.fixture(scope="module")
def described() -> dict[str, dict]:
    shown = subprocess.run(
        [sys.executable, "scripts/describe.py", "systems", "--json"], cwd=smoke.ROOT, check=True, capture_output=True
    )
    return {record["name"]: record for record in json.loads(shown.stdout)}


def test_every_system_is_described(described):
    assert sorted(described) == registry.names()
    for name, record in described.items():
        trained = registry.declared(name, "TRAINED")
        assert (record["parameters"] is not None) == ("train" in record["stages"]) == trained
        assert record["task"] == registry.declared(name, "TASK")
        assert record["paper"] == registry.declared(name, "PAPER")


def test_stages_are_those_that_a_system_can_have(described):
    last = ["predict", "merge", "evaluate"]
    assert described["otsu"]["stages"] == last
    assert described["unet3"]["stages"] == ["patch", "train", "export", *last]
    for name in ("vgg16", "prcnn", "ms_rcnn"):
        assert described[name]["stages"] == ["pretrained", "patch", "train", "export", *last]
    adopting = {name for name in registry.names() if hasattr(registry.load(name), "adopt")}
    assert {name for name, record in described.items() if "pretrained" in record["stages"]} == adopting


@pytest.mark.parametrize("name", ["alexnet", "alexnet_literal", "mcsa_unet", "prcnn", "vgg16"])
def test_papers_that_we_know_by_their_content_alone_say_so(described, name):
    assert "(authors and year not known to us)" in described[name]["paper"]


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_parameter_counts(described, name):
    assert described[name]["parameters"] == COUNTS[name]
    assert described[name]["trainable"] == TRAINABLE.get(name, described[name]["trainable"])


def test_the_page_shows_the_same(described):
    page = overview.page()
    for name, record in described.items():
        assert f"| `{name}` | {record['task']} | {record['paper']} |" in page
    assert "1,146,850" in page
