"""Checks of a configuration that a JSON schema cannot make: names that must exist, values that must fit together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from karyobench.datasets import lists, readers
from karyobench.errors import KaryobenchError, nearest
from karyobench.stain import PARAMETERS
from karyobench.systems import registry
from karyobench.workflow import classes, explain, names

Record = dict[str, Any]


def check(config: Record) -> None:
    """Raise KaryobenchError listing every fault, each with its key and, for a misspelt name, the nearest known one."""
    faults = [
        *_unknown(config, "study", [config["study"]], "studies"),
        *(f for name in config["studies"] for f in _study(config, name)),
        *(f for name, record in config["leaderboards"].items() for f in _leaderboard(config, name, record)),
        *(f for name, record in config["experiments"].items() for f in _experiment(config, name, record)),
        *(f for name, record in config["patches"].items() for f in _patches(config, name, record)),
        *(f for name, record in config["datasets"].items() for f in _dataset(name, record)),
        *(f for name, record in config["stains"].items() for f in _stain(config, name, record)),
        *(f for name, record in config["systems"].items() for f in _system(name, record)),
        *(f for name, record in config["systems"].items() for f in _ranks(name, record)),
        *_metrics(config["metrics"]),
    ]
    if faults:
        raise KaryobenchError(explain.listed(faults))


def check_paths(config: Record, datasets: list[str], pretrained: list[str], experiments: list[str]) -> None:
    """Raise KaryobenchError naming each local path of the study that is not there.

    Without this, Snakemake would take the outputs that an earlier run made from the path for up to date.
    """
    named = {f"datasets.{d}.source.local": config["datasets"][d]["source"].get("local") for d in datasets}
    named |= {f"pretrained.{p}.source.local": config["pretrained"][p]["source"].get("local") for p in pretrained}
    for system in {config["experiments"][name]["system"] for name in experiments}:
        named[f"systems.{system}.predict.folder"] = config["systems"][system]["predict"].get("folder")
    faults = [f"{key}: there is no '{path}'" for key, path in sorted(named.items()) if path and not Path(path).exists()]
    if faults:
        raise KaryobenchError(explain.listed(faults))


def _unknown(config: Record, where: str, names: list[str], catalogue: str) -> Iterator[str]:
    for name in names:
        if name not in config[catalogue]:
            yield f"{where}: '{name}' is not among {catalogue}{nearest(name, config[catalogue])}"


def _study(config: Record, name: str) -> Iterator[str]:
    for catalogue, listed in names.study(config, name).items():
        yield from _unknown(config, f"studies.{name}", listed, catalogue)


def _unknown_dataset(config: Record, where: str, name: str) -> Iterator[str]:
    """`name` is a dataset, or selects one of its splits: `dataset@split`, `dataset@fold2`, `dataset@split-fold2`."""
    dataset, _, split = name.partition("@")
    if dataset not in config["datasets"]:
        yield from _unknown(config, where, [dataset], "datasets")
    elif names.split(config, name) is None:
        further = config["datasets"][dataset]["splits"]
        yield f"{where}: dataset '{dataset}' has no further split '{split}'{nearest(split, further)}"


def _leaderboard(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"leaderboards.{name}"
    yield from _unknown_dataset(config, f"{where}.dataset", record["dataset"])
    yield from _unknown(config, f"{where}.experiments", record["experiments"], "experiments")
    yield from _scores(config, where, record)
    for name in record["experiments"]:
        yield from classes.misfits(config, where, name, record["dataset"])


def _scores(config: Record, where: str, record: Record) -> Iterator[str]:
    """Which truth a dataset has beside classes shows when it is read: its points refuse further scores there."""
    from karyobench.metrics.definitions import every_score

    known = every_score(config["metrics"])
    for score in record["scores"]:
        if score not in known:
            yield f"{where}.scores: '{score}' is no score{nearest(score, known)}"
    if record["scores"] and "classes" in config["datasets"].get(names.base(record["dataset"]), {}):
        yield f"{where}.scores: the tables of classes hold all their scores; remove the key"


def _experiment(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"experiments.{name}"
    yield from _unknown(config, f"{where}.system", [record["system"]], "systems")
    if "weights_of" in record:
        yield from _weights_of(config, where, record)
    elif "patches" in record:
        yield from _unknown(config, f"{where}.patches", [record["patches"]], "patches")
        if "budget" not in record:
            yield f"{where}: a trained experiment needs a budget, such as {{steps: 300}} or {{epochs: 75}}"
        if "stain" in record:
            yield f"{where}.stain: comes from the patch set; remove it here"
    else:
        yield from _stain_name(config, f"{where}.stain", record["stain"])
        for key in sorted({"budget", "init_from", "pretrained"} & record.keys()):
            yield f"{where}.{key}: nothing is trained here; remove it"
    if "init_from" in record:
        yield from _unknown(config, f"{where}.init_from", [record["init_from"]], "experiments")
        if "patches" not in config["experiments"].get(record["init_from"], {"patches": None}):
            yield f"{where}.init_from: experiment '{record['init_from']}' is not trained and has no weights"
        if record["init_from"] == name:
            yield f"{where}.init_from: names the experiment itself; name the one whose weights it starts from"
    for dataset in config["patches"].get(record.get("patches"), {"train": []})["train"]:
        yield from classes.misfits(config, where, name, dataset)
    if "pretrained" in record:
        yield from _pretrained(config, where, record)
    system = config["systems"].get(record["system"])
    if system is not None and _trained(system) != bool({"patches", "weights_of"} & record.keys()):
        yield f"{where}: system '{record['system']}' " + (
            "is trained, so the experiment must name its patches"
            if _trained(system)
            else "is not trained, so the experiment names its stain, not patches"
        )


def _weights_of(config: Record, where: str, record: Record) -> Iterator[str]:
    """Weights fit where module and `network` are the same; without training there is nothing else to say."""
    yield from _unknown(config, f"{where}.weights_of", [record["weights_of"]], "experiments")
    for key in sorted({"budget", "init_from", "pretrained"} & record.keys()):
        yield f"{where}.{key}: nothing is trained here; remove it"
    other = config["experiments"].get(record["weights_of"])
    if other is None:
        return
    if "patches" not in other:
        yield f"{where}.weights_of: experiment '{record['weights_of']}' trains no weights; name one that does"
    elif not set(record["seeds"]) <= set(other["seeds"]):
        yield f"{where}.seeds: experiment '{record['weights_of']}' has the seeds {other['seeds']} alone"
    ours, theirs = (config["systems"].get(name, {}) for name in (record["system"], other["system"]))
    if any(ours.get(key) != theirs.get(key) for key in ("module", "network")):
        yield (
            f"{where}.weights_of: systems '{record['system']}' and '{other['system']}' differ in module or network, so "
            "the weights do not fit"
        )


def _pretrained(config: Record, where: str, record: Record) -> Iterator[str]:
    yield from _unknown(config, f"{where}.pretrained", [record["pretrained"]], "pretrained")
    if "init_from" in record:
        yield f"{where}: training starts from pretrained weights or from those of init_from; remove one of them"
    system = config["systems"].get(record["system"])
    try:
        adopts = system is None or registry.defines(system["module"], "adopt")
    except KaryobenchError:
        return
    if not adopts:
        yield f"{where}.pretrained: system '{record['system']}' cannot start from weights of another origin; remove it"


def _stain_name(config: Record, where: str, name: str) -> Iterator[str]:
    if name != "none":
        yield from _unknown(config, where, [name], "stains")


def _patches(config: Record, name: str, record: Record) -> Iterator[str]:
    where = f"patches.{name}"
    for dataset in record["train"]:
        yield from _unknown_dataset(config, f"{where}.train", dataset)
    yield from _stain_name(config, f"{where}.stain", record["stain"])
    if len({classes.of(config, dataset) for dataset in record["train"]}) > 1:
        yield f"{where}.train: the datasets have not the same `classes` in the same order; make a patch set of each"
    for dataset in record["train"]:
        regions = config["datasets"].get(names.base(dataset), {}).get("regions")
        if regions and regions["guard"] < record["crop"]:
            yield (
                f"{where}.crop: {record['crop']} px is wider than the guard of {regions['guard']} px between the "
                f"regions of dataset '{dataset}'; widen datasets.{dataset}.regions.guard or use smaller crops"
            )


def _dataset(name: str, record: Record) -> Iterator[str]:
    if ("classes" in record) != (record["objects"] == "classes"):
        yield f"datasets.{name}.classes: " + (
            f"its objects are {record['objects']}, which have no classes; remove it, or set `objects: classes`"
            if "classes" in record
            else "its objects are classes; list them, such as [benign, malignant]"
        )
    try:
        readers.path_of(record["reader"])
    except KaryobenchError as error:
        yield f"datasets.{name}.reader: {error}"
    for key, split in {"split": record["split"], **{f"splits.{k}": v for k, v in record["splits"].items()}}.items():
        if split["kind"] == "published":
            try:
                lists.path(split["list"])
            except KaryobenchError as error:
                yield f"datasets.{name}.{key}.list: {error}"
    if record.get("regions") and "percentiles" in (record.get("intensity") or {}):
        yield (
            f"datasets.{name}.intensity: percentiles of a whole field would carry its test regions into its training "
            "regions; give the range of its training regions instead"
        )


def _stain(config: Record, name: str, record: Record) -> Iterator[str]:
    yield from _unknown_dataset(config, f"stains.{name}.reference.dataset", record["reference"]["dataset"])
    usual = PARAMETERS[record["method"]]
    for key in sorted(usual.keys() - record.keys()):
        yield f"stains.{name}: method '{record['method']}' needs the key '{key}' ({usual[key]} in its paper)"
    for key in sorted(record.keys() - usual.keys() - {"method", "reference"}):
        yield f"stains.{name}.{key}: method '{record['method']}' does not use it; remove it"
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
        if section == "predict" and _trained(record):
            given = {key: value for key, value in given.items() if key != "runtime"}
        yield from (f"{where}: unknown key '{key}'{nearest(key, keys)}" for key in sorted(given.keys() - set(keys)))
        yield from (f"{where}: the key '{key}' is missing" for key in sorted(set(keys) - given.keys()))
    instances = record.get("instances", {})
    if instances.get("every") and instances.get("min_edge") is None:
        yield f"systems.{name}.instances.every: needs min_edge, the least edge that is united; set it, or every: false"


def _ranks(name: str, record: Record) -> Iterator[str]:
    train, nodes = record.get("train", {"batch": 1, "ranks": 1}), record["resources"]["nodes"]
    if train["batch"] % train["ranks"]:
        yield (
            f"systems.{name}.train.ranks: {train['ranks']} ranks cannot share a batch of {train['batch']} evenly; "
            "choose a batch that is a multiple of ranks"
        )
    if train["ranks"] % nodes:
        yield f"systems.{name}.resources.nodes: {nodes} nodes cannot share train.ranks, {train['ranks']}, evenly"


def _metrics(record: Record) -> Iterator[str]:
    if record["f1_threshold"] not in record["iou_thresholds"]:
        yield f"metrics.f1_threshold: {record['f1_threshold']} is not among metrics.iou_thresholds"


def _trained(system: Record) -> bool:
    try:
        return registry.declared(system["module"], "TRAINED")
    except KaryobenchError:
        return False
