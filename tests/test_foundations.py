"""Atomic files, canonical forms, and what every step does with a user's mistake."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

import smoke
from karyobench import cli, files
from karyobench.errors import nearest


def test_a_file_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    with pytest.raises(ValueError, match="halfway"), files.atomic(path) as partial:
        partial.write_text("half")
        raise ValueError("halfway")
    assert list(path.parent.iterdir()) == []
    files.write_text(path, "whole")
    with pytest.raises(ValueError, match="halfway"), files.atomic(path) as partial:
        partial.write_text("half")
        raise ValueError("halfway")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_replaces_an_earlier_one(tmp_path: Path) -> None:
    for content in ("first", "second"):
        with files.atomic(tmp_path / "site") as partial:
            partial.mkdir()
            (partial / f"{content}.html").write_text(content)
    assert [p.name for p in (tmp_path / "site").iterdir()] == ["second.html"]


def test_the_canonical_form_does_not_depend_on_the_order_of_keys() -> None:
    assert files.canonical({"b": [1, 2.5, None], "a": {"d": True, "c": "x"}}) == files.canonical(
        {"a": {"c": "x", "d": True}, "b": [1, 2.5, None]}
    )
    assert files.canonical({"a": 1}) != files.canonical({"a": 1.0})
    with pytest.raises(TypeError):
        files.canonical({"a": {1, 2}})
    with pytest.raises(ValueError, match="JSON"):
        files.canonical({"a": float("nan")})


def test_the_nearest_word_is_named() -> None:
    assert nearest("watersehd", ["otsu", "watershed"]) == " (did you mean 'watershed'?)"
    assert nearest("x", ["otsu", "unet3"]) == " (known: otsu, unet3)"
    assert nearest("x", []) == ""


STEP = """
import argparse, sys, time
from karyobench import cli
from karyobench.errors import KaryobenchError

def main(args):
    if args.config.get("mistake"):
        raise KaryobenchError("image 'a' is spoilt; replace it")
    print("ready", flush=True)
    time.sleep(600)

cli.run(main, cli.parser("A step."))
"""


def step(tmp_path: Path, config: str) -> list[str]:
    """Command line of a small step."""
    (tmp_path / "step.py").write_text(STEP)
    return [sys.executable, str(tmp_path / "step.py"), "--config", config]


def environment() -> dict[str, str]:
    """With the library on the path, as it is beside the real steps."""
    return {**smoke.environment(), "PYTHONPATH": str(smoke.ROOT / "scripts")}


def test_a_mistake_ends_with_one_message_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        step(tmp_path, '{"mistake": true}'), env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("error: image 'a' is spoilt; replace it")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("config", ["{", "[1]"])
def test_a_configuration_that_is_no_json_object_is_refused(tmp_path: Path, config: str) -> None:
    done = subprocess.run(step(tmp_path, config), env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "JSON" in done.stderr


def test_a_step_ends_with_the_snakemake_above_it(tmp_path: Path) -> None:
    """A process named like Snakemake starts a shell that starts the step; it is killed, and the step must end."""
    driver = tmp_path / "snakemake"
    driver.write_text("import subprocess, sys\nsubprocess.run(['bash', '-c', sys.argv[1] + '; true'])\n")
    command = " ".join(f"'{word}'" for word in step(tmp_path, "{}"))
    above = subprocess.Popen(
        [sys.executable, str(driver), command], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert above.stdout.readline() == "ready\n"
    below = [p for p in psutil.Process(above.pid).children(recursive=True) if "step.py" in " ".join(p.cmdline()[:2])]
    assert len(below) == 1
    above.kill()
    above.wait()
    smoke.wait_for(lambda: not below[0].is_running(), seconds=20)


def test_a_step_started_by_hand_goes_on_when_its_shell_ends(tmp_path: Path) -> None:
    command = " ".join(f"'{word}'" for word in step(tmp_path, "{}"))
    shell = subprocess.Popen(
        ["bash", "-c", f"{command} & echo $!; wait"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    process = psutil.Process(int(shell.stdout.readline()))
    assert shell.stdout.readline() == "ready\n"
    shell.kill()
    shell.wait()
    time.sleep(1.5)
    assert process.is_running()
    process.kill()


def test_compiled_code_is_kept_apart_for_each_state_of_its_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    cli.keep_compiled_code()
    first = os.environ.pop("NUMBA_CACHE_DIR")
    read = Path.read_bytes
    edited = Path(cli.__file__).parent / "stain" / "kernels.py"
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"\n" * (path == edited))
    cli.keep_compiled_code()
    assert os.environ.pop("NUMBA_CACHE_DIR") != first
    monkeypatch.setenv("NUMBA_CACHE_DIR", "mine")
    cli.keep_compiled_code()
    assert os.environ["NUMBA_CACHE_DIR"] == "mine"
