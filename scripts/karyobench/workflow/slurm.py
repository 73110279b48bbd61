"""A SLURM cluster as this project sees it: the site's profile, its commands, and jobs that a dead run left behind."""

import logging
import math
import shlex
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from karyobench.errors import KaryobenchError

Run = Callable[[list[str]], subprocess.CompletedProcess[str]]

RULE_TABLES = ("set-resources", "set-threads")
log = logging.getLogger("karyobench")


def command(words: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command; one that is missing or silent for five minutes returns 127 or 124, as in a shell."""
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=300)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 127, "", f"{words[0]}: command not found")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 124, "", f"{words[0]}: no answer within 300 s")


def read_profile(directory: Path) -> dict[str, Any]:
    """Settings of a profile, with the content of its partition file under `partitions`.

    Raises KaryobenchError when a file is missing, is not YAML, or holds a list where the checks need a mapping.
    """
    profile = _read_mapping(directory / "config.yaml")
    for key in ("default-resources", *RULE_TABLES):
        if not isinstance(profile.setdefault(key, {}), dict):
            raise KaryobenchError(f"{directory}/config.yaml: write '{key}' as a mapping (name: value), not as a list")
    file = profile.get("slurm-partition-config")
    profile["partitions"] = _read_mapping(directory / file).get("partitions", {}) if file else {}
    return profile


def settings_in_use(workflow: Any) -> dict[str, Any]:
    """The same settings as `read_profile` gives, from a running Snakemake workflow: the profile with all overrides."""
    executor, given = workflow.executor_settings, workflow.resource_settings
    file = executor.partition_config
    return {
        "default-resources": _plain(given.default_resources or {}),
        "set-resources": {rule: _plain(table) for rule, table in given.overwrite_resources.items()},
        "set-threads": dict(given.overwrite_threads),
        "partitions": _read_mapping(Path(file)).get("partitions", {}) if file else {},
        "slurm-status-command": executor.status_command,
        "slurm-init-seconds-before-status-checks": executor.init_seconds_before_status_checks,
        "slurm-jobname-prefix": executor.jobname_prefix,
        "latency-wait": workflow.execution_settings.latency_wait,
    }


def _plain(resources: Any) -> dict[str, Any]:
    """Resources as a profile writes them: Snakemake holds strings as expressions to be evaluated per job."""
    return {name: made.raw if made.is_evaluable() else made.value for name, made in resources.items()}


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KaryobenchError(
            f"{path}: there is no such file; name the profile's directory, as profiles/slurm"
        ) from None
    except yaml.YAMLError as error:
        raise KaryobenchError(f"{path}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise KaryobenchError(f"{path}: must hold settings as 'name: value'")
    return content


def resources(profile: dict[str, Any], rule: str) -> dict[str, Any]:
    """Resources that a profile gives to a rule: its defaults, overridden by what it sets for the rule."""
    return {**profile["default-resources"], **profile["set-resources"].get(rule, {})}


def partition(profile: dict[str, Any], rule: str, gpu: bool) -> str | None:
    """Partition that a job of a rule goes to; None leaves the choice to SLURM."""
    fitting = [name for name, limits in profile["partitions"].items() if bool((limits or {}).get("max_gpu")) == gpu]
    return resources(profile, rule).get("slurm_partition") or (fitting[0] if fitting else None)


def longest_jobs(workflow: Any, profile: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Partition -> minutes and rule of the longest job that a Snakemake workflow is about to submit to it.

    SLURM's default partition, where the profile names none, is the empty name.
    """
    found: dict[str, tuple[int, str]] = {}
    for job in workflow.dag.needrun_jobs():
        gpu = bool(job.resources.get("gpu")) or "gpu" in job.resources.get("gres", "")
        name = partition(profile, job.rule.name, gpu) or ""
        if not job.is_local:
            found[name] = max(found.get(name, (0, "")), (job.resources.get("runtime", 0), job.rule.name))
    return found


def minutes(limit: str) -> float:
    """Minutes of a time limit as SLURM prints it: `days-hours:minutes:seconds` and shorter forms, or `infinite`."""
    if not limit[:1].isdigit():
        return math.inf
    days, _, clock = limit.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    hours, minute, second = [0] * (3 - len(parts)) + parts
    return int(days or 0) * 1440 + hours * 60 + minute + second / 60


def options(profile: dict[str, Any], rule: str, gpu: bool) -> list[str]:
    """Options that `sbatch` and `srun` need for a short job like those of a rule, with one GPU or none."""
    given = resources(profile, rule)
    named = {
        "partition": partition(profile, rule, gpu),
        "account": given.get("slurm_account"),
        "qos": given.get("qos"),
        "constraint": given.get("constraint"),
        "mem": given.get("mem_mb") if isinstance(given.get("mem_mb"), int) else None,
    }
    made = [f"--{name}={value}" for name, value in named.items() if value]
    made += ["--time=5", *shlex.split(given.get("slurm_extra", ""))]
    if gpu:
        model = f"{given['gpu_model']}:" if "gpu_model" in given else ""
        made.append(f"--gres={given['gres']}" if "gres" in given else f"--gpus={model}1")
    return made


def leftovers(prefix: str, workdir: Path, run: Run = command) -> list[str]:
    """Identifiers of this user's queued or running jobs that Snakemake started from a directory, oldest first.

    They are known by their name, `<prefix>_<identifier of the run>`, and by their working directory.
    Raises KaryobenchError when squeue does not answer.
    """
    asked = run(["squeue", "--me", "--noheader", "--sort=i", "--format=%A|%j|%Z"])
    if asked.returncode:
        raise KaryobenchError(f"squeue does not answer ({asked.stderr.strip()}); check the connection to SLURM")
    rows = [line.split("|", 2) for line in asked.stdout.splitlines()]
    home = workdir.resolve()
    return [job for job, name, folder in rows if name.startswith(f"{prefix}_") and Path(folder).resolve() == home]


def cancel_leftovers(prefix: str, workdir: Path, run: Run = command, patience: float = 60) -> list[str]:
    """Cancel the jobs of ended runs in a directory, wait until they are gone, and return their identifiers.

    Snakemake leaves jobs running when it is killed, and when it is interrupted while it submits them; they would
    write beside those of the next run. Only for a directory that no living run holds.
    Raises KaryobenchError when jobs stay for `patience` seconds.
    """
    jobs = leftovers(prefix, workdir, run)
    if jobs:
        log.warning("cancelling %d SLURM jobs that no run waits for: %s", len(jobs), " ".join(jobs))
        run(["scancel", *jobs])
    end = time.monotonic() + patience
    while remaining := jobs and leftovers(prefix, workdir, run):
        if time.monotonic() > end:
            raise KaryobenchError(
                f"SLURM jobs {' '.join(remaining)} do not end; cancel them with scancel, then start again"
            )
        time.sleep(1)
    return jobs
