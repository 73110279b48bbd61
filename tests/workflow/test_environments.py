"""Each rule's environment file holds what the rule's step needs, from the pins of requirements.txt."""

import ast
import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import smoke
from karyobench.workflow import fingerprint

ENVS = sorted((smoke.ROOT / "envs").glob("*.yaml"))
RULE = re.compile(r"^rule (\w+):.*?^    conda:\n        \"\.\./envs/(\w+)\.yaml\"", re.MULTILINE | re.DOTALL)
RULES = {
    rule: env for path in sorted((smoke.ROOT / "rules").glob("*.smk")) for rule, env in RULE.findall(path.read_text())
}


def pins(path: Path) -> set[str]:
    """`name==version` lines of a requirements file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def pip_list(env: str) -> list[str]:
    """The pip list of an environment file."""
    record = yaml.safe_load((smoke.ROOT / "envs" / f"{env}.yaml").read_text(encoding="utf-8"))
    return next(entry["pip"] for entry in record["dependencies"] if isinstance(entry, dict))


def test_every_rule_names_an_environment_that_exists() -> None:
    steps = {path.stem for path in (smoke.ROOT / "scripts").glob("*.py")}
    assert set(RULES) == steps - {"plan", "show", "preflight", "describe", "score"}
    assert {path.stem for path in ENVS} == set(RULES.values())


@pytest.mark.parametrize("env", [path.stem for path in ENVS])
def test_pins_are_those_of_the_requirements(env: str) -> None:
    assert set(pip_list(env)) <= pins(smoke.ROOT / "requirements.txt")


@pytest.mark.parametrize("rule", RULES)
def test_an_environment_holds_every_package_that_its_step_imports(rule: str) -> None:
    """Read from the sources: the step, what it imports, and for steps that run a system every system."""
    files = set(fingerprint._closure(fingerprint.SCRIPTS / f"{rule}.py"))
    if rule in ("train", "export", "predict", "merge"):
        for path in (fingerprint.SCRIPTS / "karyobench" / "systems").glob("*.py"):
            files |= fingerprint._closure(path)
    if rule == "ingest":
        for path in (fingerprint.SCRIPTS / "karyobench" / "datasets" / "readers").glob("*.py"):
            files |= fingerprint._closure(path)
    distributions = importlib.metadata.packages_distributions()
    needed = {name for path in files for name in third_party(path)}
    held = {pin.split("==")[0].lower() for pin in pip_list(RULES[rule])}
    missing = {name for name in needed if not held & {d.lower() for d in distributions[name]}}
    assert not missing


def third_party(path: Path) -> set[str]:
    """Top-level names of the packages that a file imports, beyond the standard library and our own."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"karyobench"}


@pytest.mark.slow
@pytest.mark.parametrize("env", [path.stem for path in ENVS])
def test_each_step_runs_in_its_own_environment(env: str, finished: Path, tmp_path: Path) -> None:
    """Without Snakemake's packages: a package that an environment file lacks shows here."""
    workdir = tmp_path / "work"
    shutil.copytree(finished, workdir, symlinks=True)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *pip_list(env)], check=True)
    for rule, lines in smoke.commands(workdir, "--forceall").items():
        if RULES[rule] == env:
            line = (
                lines[0].split(" 2>&1 | tee ")[0].replace("python scripts/", f"{shlex.quote(str(python))} scripts/", 1)
            )
            done = subprocess.run(line, shell=True, cwd=workdir, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{rule}: {done.stderr}"
