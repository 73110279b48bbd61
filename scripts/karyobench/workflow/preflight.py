"""Checks of a SLURM cluster and its profile, before a run pays for what they would find."""

import atexit
import logging
import os
import re
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from karyobench.errors import KaryobenchError, nearest
from karyobench.workflow import slurm
from karyobench.workflow.slurm import Run

log = logging.getLogger("karyobench")

_WANTED = ("all", "no-cuda", "off")
_CPU_RULE, _GPU_RULE = "evaluate", "train"  # stand for the others: a site's accounts and limits hold for all alike
_PATIENCE = 60  # seconds that a check's own job may wait in the queue
_JOB = ("--job-name=preflight", f"--immediate={_PATIENCE}")
_BUSY = ("Requested nodes are busy", "Immediate execution impossible")
_CUDA = """
import sys, torch
found = torch.cuda.is_available()
print("torch", torch.__version__, "sees", torch.cuda.get_device_name() if found else "no GPU")
sys.exit(not found)
"""


@dataclass(frozen=True)
class Check:
    """Outcome of one check: `state` is PASS, FAIL or SKIP; a failure says in `remedy` what to do."""

    name: str
    state: str
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.state}  {self.name}: {self.detail}" + (f"\n      remedy: {self.remedy}" if self.remedy else "")


def check(
    profile: dict[str, Any], rules: list[str], workdir: Path, run: Run = slurm.command, cuda: bool = True
) -> list[Check]:
    """Check a profile from `slurm.read_profile` on the cluster it is for; what a failure makes moot is left out.

    `rules` are the names of the workflow's rules. `run` runs a command (a stub in tests). With `cuda` false, no GPU
    node is asked whether torch sees its GPU. A check whose own job finds no free node within a minute is skipped.
    """
    return list(_checks(profile, rules, workdir, run, cuda))


def at_start(workflow: Any, workdir: Path, run: Run = slurm.command) -> None:
    """Ready the cluster for a Snakemake run that holds `workdir`: no job of a dead run is left, and all checks pass.

    When the run ends, however often it is interrupted, its own jobs are cancelled too: Snakemake forgets those that
    it was just submitting. CUDA is checked when a job goes where the GPUs are. The environment variable
    KARYOBENCH_PREFLIGHT leaves out that check (`no-cuda`) or all (`off`).
    Raises KaryobenchError with every failure and its remedy.
    """
    profile, wanted = slurm.settings_in_use(workflow), os.environ.get("KARYOBENCH_PREFLIGHT", "all")
    if wanted not in _WANTED:
        raise KaryobenchError(f"KARYOBENCH_PREFLIGHT is '{wanted}'; set it to one of: {', '.join(_WANTED)}")
    prefix = profile["slurm-jobname-prefix"]
    if not prefix:
        raise KaryobenchError("set slurm-jobname-prefix in the profile; jobs that a killed run leaves are found by it")
    slurm.cancel_leftovers(prefix, workdir, run)
    atexit.register(_cancel_at_exit, prefix, workdir, run)
    if wanted == "off":
        return
    longest = slurm.longest_jobs(workflow, profile)
    cuda = wanted == "all" and (slurm.partition(profile, _GPU_RULE, gpu=True) or "") in longest
    checks = check(profile, [rule.name for rule in workflow.rules], workdir, run, cuda)
    checks.append(time_limits(longest, run))
    for made in checks:
        if made.state == "SKIP":
            log.warning("preflight: %s", made)
    if failures := [str(made) for made in checks if made.state == "FAIL"]:
        raise KaryobenchError("\n".join(["the cluster is not ready for this profile", *failures]))


def time_limits(longest: dict[str, tuple[int, str]], run: Run = slurm.command) -> Check:
    """Whether the longest job for each partition (`slurm.longest_jobs`) may run there; SLURM lets it wait for ever."""
    rows = [line.partition("|") for line in run(["sinfo", "--noheader", "--format=%R|%l"]).stdout.splitlines()]
    limits = {name: limit for name, _, limit in rows}
    wrong = [
        f"{rule} asks for {asked} minutes, but partition '{name}' ends jobs after {limits[name]}"
        for name, (asked, rule) in sorted(longest.items())
        if name in limits and asked > slurm.minutes(limits[name])
    ]
    if not wrong:
        return Check("time limits", "PASS", "no job is longer than its partition allows")
    remedy = "set a shorter runtime for the rule under set-resources, or name another partition for it"
    return Check("time limits", "FAIL", "; ".join(wrong), remedy)


def _cancel_at_exit(prefix: str, workdir: Path, run: Run) -> None:
    try:
        slurm.cancel_leftovers(prefix, workdir, run)
    except KaryobenchError as error:
        log.error("error: %s", error)


def _checks(profile: dict[str, Any], rules: list[str], workdir: Path, run: Run, cuda: bool) -> Iterator[Check]:
    yield _rule_names(profile, rules)
    yield (answers := _answers(run))
    if answers.state == "FAIL":
        return
    yield _status(profile, run)
    yield (partitions := _partitions(profile, run))
    if partitions.state == "FAIL":
        return
    cpu = slurm.options(profile, _CPU_RULE, gpu=False)
    yield (accepted := _accepts("CPU job", cpu, "a partition, account, mem_mb or runtime of default-resources", run))
    if accepted.state == "PASS":
        yield _shared_files(workdir, cpu, float(profile.get("latency-wait", 5)), run)
    if profile["partitions"] and not slurm.partition(profile, _GPU_RULE, gpu=True):
        yield Check("GPU job", "SKIP", "no partition of the profile has max_gpu; systems with gpu: 1 cannot run")
        return
    gpu = slurm.options(profile, _GPU_RULE, gpu=True)
    yield (accepted := _accepts("GPU job", gpu, 'gpu_model, or gres: "gpu:1" with gpu: 0, under set-resources', run))
    if accepted.state == "PASS":
        yield _sees_cuda(gpu, run) if cuda else Check("CUDA", "SKIP", "left out")


def _rule_names(profile: dict[str, Any], rules: list[str]) -> Check:
    unknown = [(table, name) for table in slurm.RULE_TABLES for name in profile[table] if name not in rules]
    if not unknown:
        return Check("rule names", "PASS", "every rule that the profile names exists")
    return Check(
        "rule names",
        "FAIL",
        "; ".join(f"{table} names '{name}', which is no rule{nearest(name, rules)}" for table, name in unknown),
        "correct the names in the profile; Snakemake would ignore them silently",
    )


def _answers(run: Run) -> Check:
    commands = (["sbatch", "--version"], ["srun", "--version"], ["scancel", "--version"], ["squeue", "--me", "-h"])
    for words in commands:
        if (asked := run(words)).returncode:
            remedy = "run on a login node of the cluster, with SLURM's commands on PATH (often: module load slurm)"
            return Check("SLURM answers", "FAIL", f"{words[0]}: {_said(asked.stderr)}", remedy)
    return Check("SLURM answers", "PASS", run(["sbatch", "--version"]).stdout.strip())


def _status(profile: dict[str, Any], run: Run) -> Check:
    """Whether Snakemake can learn that a job has ended; where it cannot, it waits for ever without a word."""
    name, chosen = "job status", profile.get("slurm-status-command", "sacct")
    if chosen == "sacct":
        if not (asked := run(["sacct", "--allocations", "--noheader", "--starttime=now-1minutes"])).returncode:
            return Check(name, "PASS", "sacct")
        remedy = "set slurm-status-command: squeue in the profile; with sacct Snakemake would wait for ever"
        return Check(name, "FAIL", f"sacct: {_said(asked.stderr)}", remedy)
    if run(["sacct", "--version"]).returncode:
        if slurm.resources(profile, _CPU_RULE).get("slurm_account"):
            return Check(name, "PASS", "squeue, and no sacct")
        remedy = "set slurm_account under default-resources; without sacct Snakemake cannot guess it"
        return Check(name, "FAIL", "squeue without sacct, and no slurm_account", remedy)
    age = re.search(r"^MinJobAge\s*=\s*(\d+)", run(["scontrol", "show", "config"]).stdout, re.MULTILINE)
    kept, first = int(age[1]) if age else 0, int(profile.get("slurm-init-seconds-before-status-checks", 40))
    if kept >= 3 * first:
        return Check(name, "PASS", f"squeue, which shows ended jobs for {kept} s")
    remedy = f"set slurm-init-seconds-before-status-checks to at most {kept // 3}, or use sacct where it works"
    return Check(name, "FAIL", f"squeue forgets ended jobs after {kept} s, sooner than 3 x {first} s", remedy)


def _partitions(profile: dict[str, Any], run: Run) -> Check:
    tables = [profile["default-resources"], *profile["set-resources"].values()]
    named = {str(table["slurm_partition"]) for table in tables if "slurm_partition" in table}
    named |= set(profile["partitions"])
    known = run(["sinfo", "--noheader", "--format=%R"]).stdout.split()
    missing = [f"there is no partition '{name}'{nearest(name, known)}" for name in sorted(named - set(known))]
    if not missing:
        return Check("partitions", "PASS", ", ".join(sorted(named)) or "none named; SLURM's default is used")
    remedy = "name the cluster's own in the profile's partitions.yaml (or slurm_partition); sinfo lists them"
    return Check("partitions", "FAIL", "; ".join(missing), remedy)


def _accepts(name: str, options: list[str], settings: str, run: Run) -> Check:
    asked = run(["sbatch", "--test-only", *options, "--wrap=true"])
    if asked.returncode == 0:
        return Check(name, "PASS", f"sbatch accepts {' '.join(options)}")
    remedy = f"set what this cluster wants in the profile: {settings}"
    return Check(name, "FAIL", f"sbatch refuses {' '.join(options)}: {_said(asked.stderr)}", remedy)


def _shared_files(workdir: Path, options: list[str], patience: float, run: Run) -> Check:
    name, token = "shared files", uuid.uuid4().hex
    path = workdir / f".preflight-{token}"
    words = ["sh", "-c", 'echo "$1" > "$2"', "sh", token, str(path)]
    try:
        asked = run(["srun", *options, *_JOB, f"--chdir={workdir}", *words])
        if any(message in asked.stderr for message in _BUSY):
            return Check(name, "SKIP", f"no node was free within {_PATIENCE} s")
        if asked.returncode:
            remedy = f"start from a directory that the nodes can write; {workdir} must lie on the shared filesystem"
            return Check(name, "FAIL", f"a job could not write there: {_said(asked.stderr)}", remedy)
        if _appears(path, token, patience):
            return Check(name, "PASS", f"the head node sees what a job writes in {workdir}")
        remedy = "raise latency-wait in the profile, or start from a directory on the shared filesystem"
        return Check(name, "FAIL", f"a file written by a job did not appear in {workdir} in {patience:g} s", remedy)
    finally:
        path.unlink(missing_ok=True)


def _appears(path: Path, content: str, patience: float) -> bool:
    end = time.monotonic() + patience
    while not (path.is_file() and path.read_text().strip() == content):
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def _sees_cuda(options: list[str], run: Run) -> Check:
    if find_spec("torch") is None:
        return Check("CUDA", "SKIP", f"{sys.executable} has no torch; the rules' environments bring their own")
    asked = run(["srun", *options, *_JOB, sys.executable, "-c", _CUDA])
    if any(message in asked.stderr for message in _BUSY):
        return Check("CUDA", "SKIP", f"no GPU node was free within {_PATIENCE} s")
    if asked.returncode == 0:
        return Check("CUDA", "PASS", asked.stdout.strip())
    remedy = (
        "install torch's CUDA build for the nodes' driver (nvidia-smi on a GPU node shows it) in an environment that "
        "the nodes can read; --no-cuda (at the start of a run: KARYOBENCH_PREFLIGHT=no-cuda) leaves this check out"
    )
    return Check("CUDA", "FAIL", asked.stdout.strip() or _said(asked.stderr), remedy)


def _said(text: str) -> str:
    """The last line of what a command wrote to stderr, where SLURM puts the reason."""
    return (text.strip().splitlines() or ["no message"])[-1]
