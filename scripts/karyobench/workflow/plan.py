"""Say what a run would do and cost, from Snakemake's dry run and the records of earlier runs."""

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karyobench.files import canonical

_RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):$")
_KEY = re.compile(r"^    (reason|wildcards|benchmark): (.*)$")


@dataclass(frozen=True)
class Job:
    """One job of a dry run: its rule, wildcards as text, why it runs, and where its benchmark is kept."""

    rule: str
    wildcards: str
    reason: str
    benchmark: str | None


def jobs(dry_run: str) -> list[Job]:
    """Jobs that `snakemake -n` printed, in its order."""
    return list(_jobs(dry_run.splitlines()))


def _jobs(lines: Iterable[str]) -> Iterator[Job]:
    rule, told = None, {}
    for line in [*lines, "rule end:"]:
        if head := _RULE.match(line):
            if rule is not None:
                yield Job(rule, told.get("wildcards", ""), told.get("reason", ""), told.get("benchmark"))
            rule, told = head.group(1), {}
        elif key := _KEY.match(line):
            told[key.group(1)] = key.group(2)


def seconds(planned: list[Job], benchmarks: Path) -> tuple[float, int]:
    """Estimated seconds of work in sequence, and the number of jobs for which no earlier run gives an estimate.

    A job that ran before counts as it did then; another as the mean of its rule's earlier jobs.
    """
    known, unknown = 0.0, 0
    for job in planned:
        took = _seconds_of(Path(job.benchmark)) if job.benchmark else None
        if took is None:
            same_rule = [s for p in sorted((benchmarks / job.rule).rglob("*.tsv")) if (s := _seconds_of(p)) is not None]
            took = sum(same_rule) / len(same_rule) if same_rule else None
        known, unknown = (known + took, unknown) if took is not None else (known, unknown + 1)
    return known, unknown


def _seconds_of(path: Path) -> float | None:
    try:
        return float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
    except (OSError, IndexError, ValueError):
        return None


def render(
    planned: list[Job], datasets: dict[str, dict[str, Any]], pretrained: dict[str, dict[str, Any]], workdir: Path
) -> str:
    """The plan as text: jobs per rule, why each reruns, downloads, disk, time, licences.

    datasets, pretrained: the study's records by name.
    """
    counted = Counter(job.rule for job in planned if job.rule != "all")
    parts = [f"{sum(counted.values())} jobs to run" + ("" if counted else ": everything is up to date")]
    parts += [f"  {rule:<12} {count:>4}" for rule, count in counted.items()]
    parts += ["", "Why each job runs", *_reasons(planned)] if counted else []
    parts += ["", "Downloads", *_downloads(planned, datasets, pretrained)]
    parts += ["", "Disk", f"  {_megabytes(_used(workdir))} in results and resources, {_megabytes(_free(workdir))} free"]
    parts += ["", "Time", f"  {_time(planned, workdir)}"]
    parts += ["", "Datasets and licences", *_licences(datasets)]
    parts += ["", "Pretrained weights and licences", *_licences(pretrained)] if pretrained else []
    return "\n".join(parts)


def _reasons(planned: list[Job]) -> Iterator[str]:
    for job in planned:
        if job.rule != "all":
            yield f"  {job.rule} [{job.wildcards}]: {job.reason}"


def _licences(records: dict[str, dict[str, Any]]) -> list[str]:
    return [f"  {name}: {record['licence']} ({record['citation']})" for name, record in records.items()]


def _downloads(
    planned: list[Job], datasets: dict[str, dict[str, Any]], pretrained: dict[str, dict[str, Any]]
) -> list[str]:
    told = []
    for rule, records in (("download", datasets), ("pretrained", pretrained)):
        wanted = {job.wildcards.partition("=")[2] for job in planned if job.rule == rule}
        told += [f"  {name}: {_source(records[name]['source'])}" for name in sorted(wanted & records.keys())]
    return told or ["  none"]


def _source(source: dict[str, Any]) -> str:
    if "files" in source:
        return _several(list(source["files"].values()), source.get("registration", {}))
    size = _megabytes(source["bytes"]) if source.get("bytes") else "size not stated"
    return f"{source.get('url') or source.get('package') or source.get('local') or canonical(source)}, {size}"


def _several(declared: list[dict[str, Any]], registration: dict[str, str]) -> str:
    sizes = [file["bytes"] for file in declared if file.get("bytes")]
    unknown = len(declared) - len(sizes)
    more = f" and {unknown} of size not stated" if unknown else ""
    parts = [f"{len(declared)} file{'s' * (len(declared) > 1)}"]
    parts += [f"{_megabytes(sum(sizes))}{more}" if sizes else "size not stated"]
    by_hand = sum(file["url"] is None for file in declared)
    if by_hand:
        which = "" if by_hand == len(declared) else f"{by_hand} of them "
        parts += [f"{which}by hand: {registration.get('page', 'page not stated')}"]
    return ", ".join(parts)


def _time(planned: list[Job], workdir: Path) -> str:
    known, unknown = seconds([j for j in planned if j.rule != "all"], workdir / "results" / "benchmarks")
    told = f"about {known / 60:.1f} minutes one job after another, by earlier runs" if known else "no estimate"
    return told + (f"; {unknown} jobs have no earlier run to judge by" if unknown else "")


def _used(workdir: Path) -> int:
    roots = [workdir / "results", workdir / "resources"]
    return sum(p.stat().st_size for root in roots for p in root.rglob("*") if p.is_file())


def _free(workdir: Path) -> int:
    return shutil.disk_usage(workdir).free


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
