"""docs/your-data.md: what it tells a user to write is what works."""

import re
import subprocess
from pathlib import Path
from typing import Any

import imagecodecs
import pandas as pd
import pytest
import yaml

import own_images
import smoke
import synthetic

PAGE = (smoke.ROOT / "docs/your-data.md").read_text(encoding="utf-8")
TEN_LINES, *OTHERS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMAND = re.search(r"^snakemake .*--configfile mine\.yaml.*$", PAGE, re.MULTILINE)[0]
TABLE = re.findall(r"^\| `(\{kind: .*?\})` \|", PAGE, re.MULTILINE)


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A copy of the workflow, with the page's configuration and images as it describes them.

    Squares that touch become one object, so that Otsu's threshold finds them.
    """
    smoke.make_workdir(tmp_path)
    for pair in synthetic.dataset("")["pairs"]:
        for folder, pixels in (
            ("images", synthetic.picture(pair["id"])),
            ("labels", (synthetic.truth(pair["id"]) + 1) // 2),
        ):
            path = tmp_path / f"my-images/{folder}/{pair['id']}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(imagecodecs.png_encode(pixels))
    (tmp_path / "mine.yaml").write_text(TEN_LINES)
    return tmp_path


def run(workdir: Path, *arguments: str) -> str:
    """Output of the page's command."""
    command = ["bash", "-c", f"{COMMAND.replace('--cores all', '--cores 2')} {' '.join(arguments)}"]
    done = subprocess.run(command, cwd=workdir, env=smoke.environment(), text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def jobs(output: str) -> dict[str, int]:
    """Number of jobs by rule in Snakemake's table."""
    table = output.split("Job stats:")[1].split("total")[0]
    return {rule: int(count) for rule, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)}


def test_ten_lines_and_two_more() -> None:
    assert len(TEN_LINES.splitlines()) == 12
    assert list(yaml.safe_load(TEN_LINES)) == ["datasets", "leaderboards", "studies"]


def test_the_command_plans_two_systems_on_the_images(workdir: Path) -> None:
    planned = jobs(run(workdir, "-n"))
    assert planned["predict"] == planned["evaluate"] == 2
    assert planned["ingest"] == planned["split"] == planned["report"] == 1
    assert "train" not in planned


def test_the_lines_that_train_and_every_split_are_taken(workdir: Path) -> None:
    config: dict[str, Any] = yaml.safe_load(TEN_LINES) | yaml.safe_load(OTHERS[-1])
    splits = {f"s{k}": yaml.safe_load(split) for k, split in enumerate(TABLE)}
    assert [split["kind"] for split in splits.values()] == ["stratified", "stratified", "folds", "listed", "test"]
    config["datasets"]["mine"]["splits"] = splits
    config["studies"]["mine"] = {"leaderboards": ["mine"], "datasets": ["mine"]}
    (workdir / "mine.yaml").write_text(yaml.safe_dump(config))
    planned = jobs(run(workdir, "-n"))
    assert (planned["train"], planned["patch"], planned["predict"]) == (1, 1, 3)
    assert planned["split"] == 1 + len(splits)


def test_each_format_is_as_the_tests_of_the_reader_have_it(tmp_path: Path) -> None:
    shown = [yaml.safe_load(block)["folder"] for block in OTHERS[:-1]]
    assert [folder for folder in shown if "group" not in folder] == [
        own_images.make(tmp_path / form, form) for form in own_images.FORMATS
    ]
    assert re.search(shown[-1]["group"], "p07_slide2_03")[1] == "p07"


def test_the_messages_are_those_of_the_program() -> None:
    """Of each message in the page's last table the part that does not depend on the files stands in the source."""
    sources = "\n".join(path.read_text() for path in sorted((smoke.ROOT / "scripts/karyobench/datasets").rglob("*.py")))
    told = re.findall(r"^\| `(.*?)` \|", PAGE.split("## What the messages mean")[1], re.MULTILINE)
    assert len(told) == 10
    for message in told:
        for words in re.split(r"'.*?'|\(.*?\)|uint16|\d|Point|val", message):
            assert words.strip(" :,") in sources, words


@pytest.mark.slow
def test_the_command_scores_two_systems(workdir: Path) -> None:
    run(workdir)
    board = pd.read_csv(workdir / "results/leaderboards/mine.csv")
    assert sorted(board["experiment"]) == ["otsu", "watershed"]
    assert (board["f1"] > 0.9).all()
    for promised in ("results/site/mine/index.html", "results/datasets/mine.json", "results/logs/split/mine.log"):
        assert (workdir / promised).is_file()
        assert promised in PAGE
