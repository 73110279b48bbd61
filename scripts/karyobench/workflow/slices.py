"""What each step uses of the configuration: one function per step, from the catalogue and a job's wildcards."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from karyobench.systems import registry
from karyobench.workflow import names, paths, resources

if TYPE_CHECKING:
    from karyobench.workflow.catalogue import Catalogue

Record = dict[str, Any]

_NOT_INGESTED = {"source", "split", "splits", "licence", "citation"}
_FACTS = ("truth", "image_type", "mpp", "licence", "citation")
TABLES = {
    "csv": paths.LEADERBOARD,
    "summary": paths.SUMMARY,
    "strata": paths.STRATA,
    "pairs": paths.PAIRS,
    "reproduction": paths.REPRODUCTION,
    "ranks": paths.RANKS,
    "markdown": paths.MARKDOWN,
    "latex": paths.LATEX,
}


def download(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The dataset's source."""
    return {"dataset": wildcards.dataset, "source": catalogue.config["datasets"][wildcards.dataset]["source"]}


def pretrained(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """Where pretrained weights come from, what file they are, and what input they expect."""
    record = catalogue.config["pretrained"][wildcards.pretrained]
    return {"pretrained": wildcards.pretrained, **_keys(record, "source", "format", "input")}


def ingest(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The dataset's record but for what other steps use of it."""
    record = catalogue.config["datasets"][wildcards.dataset]
    return {"dataset": wildcards.dataset, **{k: v for k, v in record.items() if k not in _NOT_INGESTED}}


def split(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The record of one split."""
    return {"dataset": wildcards.dataset, "split": names.split(catalogue.config, wildcards.dataset)}


def normalize(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The stain's record."""
    return {"name": wildcards.stain, "stain": catalogue.config["stains"][wildcards.stain]}


def stain_figure(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The stain's record, and the dataset that the figure shows."""
    return {**normalize(catalogue, wildcards), "dataset": wildcards.dataset}


def patch(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The patch set's record, and the classes of its datasets."""
    record = catalogue.config["patches"][wildcards.patches]
    return {"name": wildcards.patches, "patches": record, **_classes(catalogue, record["train"][0])}


def train(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """Experiment, seed, budget, initial weights, patch set, and the sections of the system that training uses."""
    experiment = catalogue.config["experiments"][wildcards.experiment]
    return {
        "experiment": wildcards.experiment,
        "seed": int(wildcards.seed),
        "threads": resources.threads_per_rank(catalogue.system(wildcards.experiment), catalogue.config["threads"]),
        "budget": _budget(catalogue, experiment),
        "initial": _initial(experiment),
        "data": {"patches": experiment["patches"], **catalogue.config["patches"][experiment["patches"]]},
        **_classes(catalogue, catalogue.config["patches"][experiment["patches"]]["train"][0]),
        **_keys(catalogue.system(wildcards.experiment), "module", "network", "targets", "loss", "train"),
    }


def export(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The sections of the system that prediction uses, and the classes of what it was trained on."""
    patches = catalogue.config["experiments"][wildcards.experiment]["patches"]
    return {
        "threads": catalogue.config["threads"],
        **_classes(catalogue, catalogue.config["patches"][patches]["train"][0]),
        **_keys(catalogue.system(wildcards.experiment), "module", "network", "predict"),
    }


def predict(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """Scored splits, and the sections of the system that prediction uses."""
    return {
        "splits": _scored_splits(catalogue, wildcards.dataset),
        "threads": catalogue.config["threads"],
        **_classes(catalogue, wildcards.dataset),
        **_keys(catalogue.system(wildcards.experiment), "module", "network", "predict"),
    }


def merge(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The sections of the system that make instances."""
    return _keys(catalogue.system(wildcards.experiment), "module", "instances")


def evaluate(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """Metrics, scored splits, and the dataset's classes."""
    splits, classes = _scored_splits(catalogue, wildcards.dataset), _classes(catalogue, wildcards.dataset)
    return {"metrics": _metrics(catalogue, wildcards.dataset), "splits": splits, **classes}


def leaderboard(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """A leaderboard's record with its rows, and the facts of its dataset."""
    name = wildcards.leaderboard
    board = catalogue.config["leaderboards"][name]
    return {
        "name": name,
        **_keys(board, "dataset", "split", "scores", "published"),
        "metrics": _metrics(catalogue, board["dataset"]),
        "dataset_facts": _keys(catalogue.config["datasets"][names.base(board["dataset"])], *_FACTS),
        "rows": [_row(catalogue, experiment, seed, board["dataset"]) for experiment, seed in catalogue.rows(name)],
    }


def datasets(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """The datasets of a study, each with what its table says of it."""
    listed = catalogue.datasets_of_study(wildcards.study)
    return {
        "study": wildcards.study,
        "datasets": [{"name": name, **_keys(catalogue.config["datasets"][name], *_FACTS)} for name in listed],
    }


def report(catalogue: Catalogue, wildcards: SimpleNamespace) -> Record:
    """All that a study's site shows."""
    study = names.study(catalogue.config, wildcards.study)
    return {
        **datasets(catalogue, wildcards),
        "summaries": catalogue.summaries(wildcards),
        "stain_figures": catalogue.stain_figures(wildcards),
        "leaderboards": [_shown(catalogue, name) for name in study["leaderboards"]],
    }


def _shown(catalogue: Catalogue, name: str) -> Record:
    dataset = catalogue.config["leaderboards"][name]["dataset"]
    return {
        **leaderboard(catalogue, SimpleNamespace(leaderboard=name)),
        "images": catalogue.ingested(dataset),
        **{kind: pattern.format(leaderboard=name) for kind, pattern in TABLES.items()},
        "rows": [_shown_row(catalogue, experiment, seed, dataset) for experiment, seed in catalogue.rows(name)],
    }


def _shown_row(catalogue: Catalogue, experiment: str, seed: int, dataset: str) -> Record:
    wildcards = {"experiment": experiment, "seed": seed, "dataset": dataset}
    record = catalogue.config["experiments"][experiment]
    return {
        **_row(catalogue, experiment, seed, dataset),
        "merged": paths.MERGED.format(**wildcards),
        "class_maps": catalogue.class_maps(experiment, seed, dataset),
        "weights": _of_training(catalogue, paths.WEIGHTS, experiment, seed),
        "config": {"experiment": record, "system": _without_resources(catalogue.system(experiment))},
    }


def _row(catalogue: Catalogue, experiment: str, seed: int, dataset: str) -> Record:
    wildcards = {"experiment": experiment, "seed": seed, "dataset": dataset}
    record = catalogue.config["experiments"][experiment]
    return {
        "experiment": experiment,
        "seed": seed,
        "system": record["system"],
        "task": registry.declared(catalogue.system(experiment)["module"], "TASK"),
        "metrics": paths.METRICS.format(**wildcards),
        "run": _of_training(catalogue, paths.RUN, experiment, seed),
        "history": _of_training(catalogue, paths.HISTORY, experiment, seed),
        "initial": _initial(catalogue.config["experiments"][catalogue.trainee(experiment)]),
        **_keys(catalogue.system(experiment)["predict"], "runtime"),
    }


def _of_training(catalogue: Catalogue, pattern: str, experiment: str, seed: int) -> str | None:
    """A file of the training that made an experiment's weights; None where nothing is trained."""
    if not catalogue.trained(experiment):
        return None
    return pattern.format(experiment=catalogue.trainee(experiment), seed=seed)


def _metrics(catalogue: Catalogue, dataset: str) -> Record:
    """What is counted and scored; within it `point_radius` is that of the dataset's objects, and left out without."""
    metrics, objects = catalogue.config["metrics"], catalogue.config["datasets"][names.base(dataset)]["objects"]
    radius = metrics["point_radius"].get(objects)
    others = {key: value for key, value in metrics.items() if key != "point_radius"}
    return {**others, "point_radius": radius} if radius else others


def _classes(catalogue: Catalogue, dataset: str) -> Record:
    """`classes` of a dataset whose truth is a class per image; nothing of another."""
    return _keys(catalogue.config["datasets"][names.base(dataset)], "classes")


def _budget(catalogue: Catalogue, experiment: Record) -> Record:
    """The budget, and the cap on its steps where it may be lower."""
    budget, cap = experiment["budget"], catalogue.config["max_steps"]
    return budget if cap is None or budget.get("steps", cap + 1) <= cap else {**budget, "max_steps": cap}


def _initial(experiment: Record) -> str:
    """What training starts from."""
    if "pretrained" in experiment:
        return f"pretrained {experiment['pretrained']}"
    return f"experiment {experiment['init_from']}" if "init_from" in experiment else "scratch"


def _scored_splits(catalogue: Catalogue, dataset: str) -> list[str]:
    """Parts of a dataset's split that some leaderboard scores."""
    boards = catalogue.config["leaderboards"].values()
    return sorted({board["split"] for board in boards if board["dataset"] == dataset})


def _keys(record: Record, *wanted: str) -> Record:
    return {name: record[name] for name in wanted if name in record}


def _without_resources(system: Record) -> Record:
    return {key: value for key, value in system.items() if key != "resources"}
