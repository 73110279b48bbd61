"""Checks of a configuration that a JSON schema cannot make: names that must exist, values that must fit together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import readers
from karyobench.errors import KaryobenchError, nearest
from karyobench.systems import registry
from karyobench.workflow import explain

Record = dict[str, Any]


def check(config: Record) -> None:
    """Raise KaryobenchError listing every fault, each with its key and, for a misspelt name, the nearest known one."""
    faults = [
        *_unknown(config, "study", [config["study"]], "studies"),
        *(f for name, boards in config["studies"].items() for f in _study(config, name, boards)),
        *(f for name, record in config["leaderboards"].items() for f in _leaderboard(config, name, record)),
        *(f for name, record in config["experiments"].items() for f in _experiment(config, name, record)),
        *(f for name, record in config["patches"].items() for f in _patches(config, name, record)),
        *(f for name, record in config["datasets"].items() for f in _dataset(name, record)),
        *(f for name, record in config["stains"].items() for f in _stain(config, name, record)),
        *(f for name, record in config["systems"].items() for f in _system(name, record)),
        *_metrics(config["metrics"]),
    ]
    if faults:
        raise KaryobenchError(explain.listed(faults))


def check_paths(config: Record, datasets: list[str], experiments: list[str]) -> None:
    """Raise KaryobenchError naming each local path of the study that is not there.

    Without this, Snakemake would take the outputs that an earlier run made from the path for up to date.
    """
    named = {f"datasets.{d}.source.local": config["datasets"][d]["source"].get("local") for d in datasets}
    for system in {config["experiments"][name]["system"] for name in experiments}:
        named[f"systems.{system}.predict.folder"] = config["systems"][system]["predict"].get("folder")
    faults = [f"{key}: there is no '{path}'" for key, path in sorted(named.items()) if path and not Path(path).exists()]
    if faults:
        raise KaryobenchError(explain.listed(faults))


def _unknown(config: Record, where: str, names: list[str], catalogue: str) -> Iterator[str]:
    for name in names:
        if name not in config[catalogue]:
            yield f"{where}: '{name}' is not among {catalogue}{nearest(name, config[catalogue])}"


def _study(config: Record, name: str, boards: list[str]) -> Iterator[str]:
    return _unknown(config, f"studies.{name}", boards, "leaderboards")


def _leaderboard(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"leaderboards.{name}"
    yield from _unknown(config, f"{where}.dataset", [record["dataset"]], "datasets")
    yield from _unknown(config, f"{where}.experiments", record["experiments"], "experiments")


def _experiment(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"experiments.{name}"
    yield from _unknown(config, f"{where}.system", [record["system"]], "systems")
    if "patches" in record:
        yield from _unknown(config, f"{where}.patches", [record["patches"]], "patches")
        if "budget" not in record:
            yield f"{where}: a trained experiment needs a budget, such as {{steps: 300}}"
        if "stain" in record:
            yield f"{where}.stain: comes from the patch set; remove it here"
    else:
        yield from _stain_name(config, f"{where}.stain", record["stain"])
        for key in sorted({"budget", "init_from"} & record.keys()):
            yield f"{where}.{key}: nothing is trained here; remove it"
    if "init_from" in record:
        yield from _unknown(config, f"{where}.init_from", [record["init_from"]], "experiments")
        if "patches" not in config["experiments"].get(record["init_from"], {"patches": None}):
            yield f"{where}.init_from: experiment '{record['init_from']}' is not trained and has no weights"
    system = config["systems"].get(record["system"])
    if system is not None and _trained(system) != ("patches" in record):
        yield f"{where}: system '{record['system']}' " + (
            "is trained, so the experiment must name its patches"
            if _trained(system)
            else "is not trained, so the experiment names its stain, not patches"
        )


def _stain_name(config: Record, where: str, name: str) -> Iterator[str]:
    if name != "none":
        yield from _unknown(config, where, [name], "stains")


def _patches(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"patches.{name}"
    yield from _unknown(config, f"{where}.train", record["train"], "datasets")
    yield from _stain_name(config, f"{where}.stain", record["stain"])
    for dataset in record["train"]:
        regions = config["datasets"].get(dataset, {}).get("regions")
        if regions and regions["guard"] < record["crop"]:
            yield (
                f"{where}.crop: {record['crop']} px is wider than the guard of {regions['guard']} px between the "
                f"regions of dataset '{dataset}'; widen datasets.{dataset}.regions.guard or use smaller crops"
            )


def _dataset(name: str, record: Record) -> Iterator[str]:
    try:
        readers.path_of(record["reader"])
    except KaryobenchError as error:
        yield f"datasets.{name}.reader: {error}"
    if record.get("regions") and "percentiles" in (record.get("intensity") or {}):
        yield (
            f"datasets.{name}.intensity: percentiles of a whole field would carry its test regions into its training "
            "regions; give the range of its training regions instead"
        )


def _stain(config: Record, name: str, record: Record) -> Iterator[str]:
    yield from _unknown(config, f"stains.{name}.reference.dataset", [record["reference"]["dataset"]], "datasets")
    if name == "none":
        yield "stains: 'none' is kept for images as they are; choose another name"


def _system(name: str, record: Record) -> Iterator[str]:
    try:
        known = registry.declared(record["module"], "KEYS")
    except KaryobenchError as error:
        yield f"systems.{name}.module: {error}"
        return
    for section, keys in known.items():
        where = f"systems.{name}.{section}"
        given = record.get(section, {})
        yield from (f"{where}: unknown key '{key}'{nearest(key, keys)}" for key in sorted(given.keys() - set(keys)))
        yield from (f"{where}: the key '{key}' is missing" for key in sorted(set(keys) - given.keys()))


def _metrics(record: Record) -> Iterator[str]:
    if record["f1_threshold"] not in record["iou_thresholds"]:
        yield f"metrics.f1_threshold: {record['f1_threshold']} is not among metrics.iou_thresholds"


def _trained(system: Record) -> bool:
    try:
        return registry.declared(system["module"], "TRAINED")
    except KaryobenchError:
        return False
