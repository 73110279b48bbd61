"""Which systems go with which datasets: those that classify images with those whose truth is a class per image."""

from collections.abc import Iterator
from typing import Any

from karyobench.errors import KaryobenchError
from karyobench.systems import registry
from karyobench.workflow import names

Record = dict[str, Any]


def of(config: Record, dataset: str) -> tuple[str, ...]:
    """Classes of a dataset, with or without the name of a split; none where it has other truth, or does not exist."""
    return tuple(config["datasets"].get(names.base(dataset), {}).get("classes", ()))


def misfits(config: Record, where: str, experiment: str, dataset: str) -> Iterator[str]:
    """What is wrong, if anything, with an experiment's system on a dataset; what does not exist is told elsewhere."""
    record = config["experiments"].get(experiment, {})
    classifies = _classifies(config, record)
    if classifies is None or names.base(dataset) not in config["datasets"]:
        return
    known = of(config, dataset)
    if classifies and not known:
        yield (
            f"{where}: experiment '{experiment}' tells the class of an image, and dataset '{dataset}' has no classes; "
            "use a dataset with `objects: classes`, or a system that gives maps or instances"
        )
    elif known and not classifies:
        yield (
            f"{where}: experiment '{experiment}' outlines objects, and the truth of dataset '{dataset}' is a class per "
            "image; use a system that gives classes"
        )
    elif known:
        trained = config["experiments"].get(record.get("weights_of"), record)
        for learnt in config["patches"].get(trained.get("patches"), {"train": []})["train"]:
            if of(config, learnt) not in ((), known):
                yield (
                    f"{where}: experiment '{experiment}' learns the classes {', '.join(of(config, learnt))} of dataset "
                    f"'{learnt}', and dataset '{dataset}' has {', '.join(known)}; list the same in the same order"
                )


def _classifies(config: Record, experiment: Record) -> bool | None:
    """Whether an experiment's system tells classes; None where it cannot be known."""
    try:
        return registry.declared(config["systems"][experiment["system"]]["module"], "OUTPUT") == "classes"
    except (KeyError, KaryobenchError):
        return None
