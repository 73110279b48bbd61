"""The race of the benchmarks: what it measures of peers whose results, prints and faults are known."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MODULE = """
import numpy as np

def double(given):
    numbers = np.load(given)
    print("peers may print")
    return lambda: numbers * 2

def restless(given):
    rng = np.random.default_rng(0)
    return lambda: rng.random(3)

def hungry(given):
    return lambda: np.ones(4_000_000).sum(keepdims=True)

def silent(given):
    return lambda: None

def broken(given):
    raise ValueError("no such tile")
"""


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    """benchmarks/harness.py, which lies in no package."""
    spec = importlib.util.spec_from_file_location("harness", BENCHMARKS / "harness.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def race(harness, tmp_path):
    """Function (names of peers, arguments) -> rows of a race on the numbers 0 to 4."""
    (tmp_path / "module.py").write_text(MODULE)
    np.save(tmp_path / "numbers.npy", np.arange(5))

    def run(names: list[str], *arguments: str):
        args = harness.parser(None).parse_args(["--rounds", "2", *arguments])
        peers = [harness.Peer(f"the {name}", name, packages=("numpy",)) for name in names]
        return harness.run(tmp_path / "module.py", peers, {"five": str(tmp_path / "numbers.npy")}, args)

    return run


def test_rows_hold_results_times_and_versions(race, harness):
    double, restless, hungry, silent = race(["double", "restless", "hungry", "silent"])
    np.testing.assert_array_equal(double.result, [0, 2, 4, 6, 8])
    assert double.digest == harness.digest(np.arange(0, 10, 2))
    assert (double.repeatable, restless.repeatable, silent.repeatable) == (True, False, True)
    assert silent.result is None
    assert len(double.rounds) == 2
    assert 0 < double.seconds < hungry.seconds
    assert 30 < hungry.megabytes < 50
    assert double.versions == {"numpy": np.__version__}


def test_table_gives_ratios_and_the_judges_word(race, harness):
    rows = race(["double", "hungry"], "--only", "the double")
    assert [row.peer for row in rows] == ["the double"]
    other = harness.Row("slow", "five", [row * 3 for row in rows[0].rounds], 1.5, "abc", False, None)
    lines = harness.table([*rows, other], "the double", ("says", lambda row: row.peer[:3])).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[0].endswith("| says |")
    assert lines[2].split(" | ")[4] == "1.0"
    assert lines[3].split(" | ")[4:] == ["3.0", "1.5", "abc", "no", "slo |"]
    assert f"numpy {np.__version__}" in harness.machine(rows)


def test_a_peer_that_fails_is_named_with_its_last_words(race):
    with pytest.raises(RuntimeError, match=r"the broken ended:[\s\S]*no such tile"):
        race(["double", "broken"])


def test_environments_are_made_once_and_anew_when_their_packages_change(harness, tmp_path, monkeypatch):
    made, installed = [], []
    monkeypatch.setattr(harness.venv, "create", lambda home, **options: (made.append(home), home.mkdir(exist_ok=True)))
    monkeypatch.setattr(harness.subprocess, "run", lambda command, check: installed.append(command[5:]))
    first = harness.Environment("them", (("a==1", "b==2"), ("--no-deps", "c==3")))
    assert harness.install(first, tmp_path) == tmp_path / "them" / "bin" / "python"
    harness.install(first, tmp_path)
    assert installed == [["a==1", "b==2"], ["--no-deps", "c==3"]]
    harness.install(harness.Environment("them", (("a==2",),)), tmp_path)
    assert made == [tmp_path / "them"] * 2
    assert installed[2:] == [["a==2"]]
