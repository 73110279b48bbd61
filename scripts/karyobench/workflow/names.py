"""Names that the configuration uses in a short and a long form."""

import re
from typing import Any

Record = dict[str, Any]

_FOLD = re.compile(r"(?:(?P<split>.+)-)?fold(?P<fold>[1-9]\d*)")


def base(dataset: str) -> str:
    """The dataset of `dataset` or of `dataset@split`."""
    return dataset.split("@")[0]


def split(config: Record, dataset: str) -> Record | None:
    """Record of the split that a name selects; None where the dataset has no such split.

    `dataset`: its default split; `dataset@name`: another one; `dataset@fold3` and `dataset@name-fold3`: the third
    fold of either, where it is one of folds.
    """
    name, _, wanted = dataset.partition("@")
    record = config["datasets"][name]
    known = {"": record["split"], **record["splits"]}
    if wanted in known:
        return known[wanted]
    parted = _FOLD.fullmatch(wanted)
    chosen = known.get(parted["split"] or "") if parted else None
    if chosen is None or not 1 <= int(parted["fold"]) <= chosen.get("folds", 0):
        return None
    return {**chosen, "fold": int(parted["fold"])}


def splits(config: Record, dataset: str) -> list[str]:
    """Names of all splits of a dataset: its own for the default one, then `dataset@split`."""
    return [dataset, *(f"{dataset}@{name}" for name in config["datasets"][dataset]["splits"])]


def without_nulls(config: Record) -> Record:
    """The configuration with experiments in which `pretrained: null`, as an overlay has it, is left out."""
    listed = config["experiments"].items()
    kept = {name: {key: value for key, value in record.items() if value is not None} for name, record in listed}
    return {**config, "experiments": kept}


def experiments(config: Record) -> dict[str, Record]:
    """All experiments; one with `weights_of` has the patch set of the experiment that it names."""
    listed = config["experiments"]
    others = {name: listed[record["weights_of"]] for name, record in listed.items() if "weights_of" in record}
    return listed | {name: {**listed[name], "patches": other["patches"]} for name, other in others.items()}


def study(config: Record, name: str) -> dict[str, list[str]]:
    """The leaderboards, datasets and patch sets of a study; a plain list means leaderboards."""
    record = config["studies"][name]
    given = {"leaderboards": record} if isinstance(record, list) else record
    return {"leaderboards": [], "datasets": [], "patches": [], **given}
