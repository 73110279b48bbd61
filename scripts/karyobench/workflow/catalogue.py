"""Which files, which targets, which slice of the configuration: the answers that the rules ask for."""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from karyobench import files
from karyobench.datasets import readers
from karyobench.systems import registry
from karyobench.workflow import fingerprint, paths, references

Record = dict[str, Any]


class Catalogue:
    """A validated configuration, and the questions that the workflow has about it.

    Methods that take `wildcards` serve as Snakemake's input and params functions; any object with the wildcards as
    attributes will do. Raises KaryobenchError when the configuration names something that it does not define.
    """

    def __init__(self, config: Record) -> None:
        references.check(config)
        self.config = config
        references.check_paths(config, self.datasets, [e for board in self.leaderboards for e, _ in self.rows(board)])

    # ------------------------------------------------------------------ targets

    @cached_property
    def leaderboards(self) -> list[str]:
        """Leaderboards of the chosen study."""
        return self.config["studies"][self.config["study"]]

    @property
    def targets(self) -> list[str]:
        """What the chosen study makes: its leaderboards and its site."""
        boards = [paths.SUMMARY.format(leaderboard=name) for name in self.leaderboards]
        return [*boards, paths.SITE.format(study=self.config["study"])]

    @property
    def datasets(self) -> list[str]:
        """Every dataset that the chosen study needs: those it scores, trains on, or takes a stain's reference from."""
        needed = set()
        for name in self.leaderboards:
            needed.add(self.config["leaderboards"][name]["dataset"])
            for experiment, _ in self.rows(name):
                needed.update(self._datasets_of(experiment))
        return sorted(needed)

    def _datasets_of(self, experiment: str) -> Iterable[str]:
        record = self.config["experiments"][experiment]
        if self.trained(experiment):
            yield from self.config["patches"][record["patches"]]["train"]
        if self.stain(experiment) != "none":
            yield self.config["stains"][self.stain(experiment)]["reference"]["dataset"]

    # ------------------------------------------------------------------ files

    def raw(self, dataset: str) -> list[str]:
        """Local raw files of a dataset, which are read in place; empty for downloads."""
        local = self.config["datasets"][dataset]["source"].get("local")
        return _files_below(local) if local else []

    def images(self, stain: str, dataset: str) -> str:
        """The normalised dataset, or the ingested one where the stain is `none`."""
        if stain == "none":
            return paths.DATASET.format(dataset=dataset)
        return paths.STAINED.format(stain=stain, dataset=dataset)

    def reference_files(self, wildcards: SimpleNamespace) -> dict[str, str]:
        """Ingested reference dataset of a stain, and its split."""
        dataset = self.config["stains"][wildcards.stain]["reference"]["dataset"]
        return {
            "reference": paths.DATASET.format(dataset=dataset),
            "reference_split": paths.SPLIT.format(dataset=dataset),
        }

    def patch_images(self, wildcards: SimpleNamespace) -> list[str]:
        """Normalised training datasets of a patch set, in its order."""
        record = self.config["patches"][wildcards.patches]
        return [self.images(record["stain"], dataset) for dataset in record["train"]]

    def patch_splits(self, wildcards: SimpleNamespace) -> list[str]:
        """Splits of a patch set's training datasets, in its order."""
        return [paths.SPLIT.format(dataset=d) for d in self.config["patches"][wildcards.patches]["train"]]

    def patches(self, wildcards: SimpleNamespace) -> str:
        """Patch set of an experiment."""
        return paths.PATCHES.format(patches=self.config["experiments"][wildcards.experiment]["patches"])

    def initial_weights(self, wildcards: SimpleNamespace) -> list[str]:
        """Weights that an experiment starts from: those of `init_from` under the same seed, or none."""
        start = self.config["experiments"][wildcards.experiment].get("init_from")
        return [paths.WEIGHTS.format(experiment=start, seed=wildcards.seed)] if start else []

    def weights(self, wildcards: SimpleNamespace) -> list[str]:
        """Weights of a trained experiment; empty for systems without training."""
        if not self.trained(wildcards.experiment):
            return []
        return [paths.WEIGHTS.format(experiment=wildcards.experiment, seed=wildcards.seed)]

    def test_images(self, wildcards: SimpleNamespace) -> str:
        """The dataset on which an experiment predicts, under the stain that the experiment was trained with."""
        return self.images(self.stain(wildcards.experiment), wildcards.dataset)

    def label_maps(self, wildcards: SimpleNamespace) -> list[str]:
        """Label maps made elsewhere that a `precomputed` experiment reads."""
        folder = self.system(wildcards.experiment)["predict"].get("folder")
        return _files_below(folder) if folder else []

    def rows(self, leaderboard: str) -> list[tuple[str, int]]:
        """Experiment and seed of each measured row."""
        listed = self.config["leaderboards"][leaderboard]["experiments"]
        return [(name, seed) for name in listed for seed in self.config["experiments"][name]["seeds"]]

    def metric_files(self, wildcards: SimpleNamespace) -> list[str]:
        """Per-image counts of each row of a leaderboard."""
        return self._of_rows(paths.METRICS, wildcards.leaderboard)

    def run_files(self, wildcards: SimpleNamespace) -> list[str]:
        """Run records of the trained rows of a leaderboard."""
        return self._of_rows(paths.RUN, wildcards.leaderboard, trained_only=True)

    def leaderboard_images(self, wildcards: SimpleNamespace) -> str:
        """Dataset that a leaderboard scores."""
        return paths.DATASET.format(dataset=self.config["leaderboards"][wildcards.leaderboard]["dataset"])

    def published(self, wildcards: SimpleNamespace) -> list[str]:
        """The table of published figures, for leaderboards that print some beside their own."""
        return [paths.PUBLISHED] if self.config["leaderboards"][wildcards.leaderboard]["published"] else []

    def study_files(self, wildcards: SimpleNamespace) -> list[str]:
        """All that a study's site shows: tables, counts, instances, images, training records."""
        found: list[str] = []
        for name in self.config["studies"][wildcards.study]:
            dataset = self.config["leaderboards"][name]["dataset"]
            found += [p.format(leaderboard=name) for p in _TABLES.values()]
            found.append(paths.DATASET.format(dataset=dataset))
            for pattern in (paths.METRICS, paths.INSTANCES):
                found += self._of_rows(pattern, name)
            for pattern in (paths.RUN, paths.HISTORY):
                found += self._of_rows(pattern, name, trained_only=True)
        return list(dict.fromkeys(found))

    @property
    def templates(self) -> list[str]:
        """Files that the site's pages are made from: data to the report's code, so inputs of its job."""
        return [str(path) for path in sorted(Path(paths.TEMPLATES).iterdir())]

    def _of_rows(self, pattern: str, leaderboard: str, trained_only: bool = False) -> list[str]:
        dataset = self.config["leaderboards"][leaderboard]["dataset"]
        return [
            pattern.format(experiment=name, seed=seed, dataset=dataset)
            for name, seed in self.rows(leaderboard)
            if self.trained(name) or not trained_only
        ]

    # ------------------------------------------------------------------ systems

    def system(self, experiment: str) -> Record:
        """System record of an experiment."""
        return self.config["systems"][self.config["experiments"][experiment]["system"]]

    def trained(self, experiment: str) -> bool:
        """Whether the experiment has a training stage: it then names a patch set."""
        return "patches" in self.config["experiments"][experiment]

    def stain(self, experiment: str) -> str:
        """Stain of an experiment: its patch set's, or its own where nothing is trained."""
        record = self.config["experiments"][experiment]
        if self.trained(experiment):
            return self.config["patches"][record["patches"]]["stain"]
        return record["stain"]

    def resource(self, name: str) -> Callable[..., int]:
        """Resource function of the jobs that run a system: `gpu`, `runtime` (minutes), or `mem_mb`, grown on retry."""

        def ask(wildcards: SimpleNamespace, attempt: int) -> int:
            asked = self.system(wildcards.experiment)["resources"][name]
            return asked * attempt if name == "mem_mb" else asked

        return ask

    # ------------------------------------------------------------------ params

    def slice(self, step: str) -> Callable[[SimpleNamespace], str]:
        """Params function: the canonical JSON of what a step uses of the configuration."""
        make = getattr(self, f"_{step}_slice")
        return lambda wildcards: files.canonical(make(wildcards))

    def code(self, step: str) -> Callable[[SimpleNamespace], str]:
        """Params function: the fingerprint of the code that a step runs for these wildcards."""
        return lambda wildcards: fingerprint.code(step, self._found_by_name(step, wildcards))

    def _found_by_name(self, step: str, wildcards: SimpleNamespace) -> Path | None:
        """The module that a step loads by a name in its slice, which its imports do not show."""
        if step in _RUN_A_SYSTEM:
            return registry.path_of(self.system(wildcards.experiment)["module"])
        if step == "ingest":
            return readers.path_of(self.config["datasets"][wildcards.dataset]["reader"])
        return None

    def _download_slice(self, wildcards: SimpleNamespace) -> Record:
        return {"dataset": wildcards.dataset, "source": self.config["datasets"][wildcards.dataset]["source"]}

    def _ingest_slice(self, wildcards: SimpleNamespace) -> Record:
        record = self.config["datasets"][wildcards.dataset]
        return {"dataset": wildcards.dataset, **{k: v for k, v in record.items() if k not in _NOT_INGESTED}}

    def _split_slice(self, wildcards: SimpleNamespace) -> Record:
        return {"dataset": wildcards.dataset, "split": self.config["datasets"][wildcards.dataset]["split"]}

    def _normalize_slice(self, wildcards: SimpleNamespace) -> Record:
        return {"name": wildcards.stain, "stain": self.config["stains"][wildcards.stain]}

    def _patch_slice(self, wildcards: SimpleNamespace) -> Record:
        return {"name": wildcards.patches, "patches": self.config["patches"][wildcards.patches]}

    def _train_slice(self, wildcards: SimpleNamespace) -> Record:
        experiment = self.config["experiments"][wildcards.experiment]
        return {
            "experiment": wildcards.experiment,
            "seed": int(wildcards.seed),
            "threads": self.config["threads"],
            "budget": experiment["budget"],
            "data": {"patches": experiment["patches"], **self.config["patches"][experiment["patches"]]},
            **_keys(self.system(wildcards.experiment), "module", "network", "targets", "loss", "train"),
        }

    def _predict_slice(self, wildcards: SimpleNamespace) -> Record:
        system = self.system(wildcards.experiment)
        return {
            "splits": self._scored_splits(wildcards.dataset),
            "threads": self.config["threads"],
            **_keys(system, "module", "network", "predict"),
        }

    def _merge_slice(self, wildcards: SimpleNamespace) -> Record:
        return _keys(self.system(wildcards.experiment), "module", "instances")

    def _evaluate_slice(self, wildcards: SimpleNamespace) -> Record:
        return {"metrics": self.config["metrics"], "splits": self._scored_splits(wildcards.dataset)}

    def _leaderboard_slice(self, wildcards: SimpleNamespace) -> Record:
        name = wildcards.leaderboard
        board = self.config["leaderboards"][name]
        return {
            "name": name,
            **_keys(board, "dataset", "split", "published"),
            "metrics": self.config["metrics"],
            "dataset_facts": _keys(self.config["datasets"][board["dataset"]], *_FACTS),
            "rows": [self._row(experiment, seed, board["dataset"]) for experiment, seed in self.rows(name)],
        }

    def _report_slice(self, wildcards: SimpleNamespace) -> Record:
        boards = self.config["studies"][wildcards.study]
        return {"study": wildcards.study, "leaderboards": [self._shown(name) for name in boards]}

    def _shown(self, name: str) -> Record:
        dataset = self.config["leaderboards"][name]["dataset"]
        return {
            **self._leaderboard_slice(SimpleNamespace(leaderboard=name)),
            "images": paths.DATASET.format(dataset=dataset),
            **{kind: pattern.format(leaderboard=name) for kind, pattern in _TABLES.items()},
            "rows": [self._shown_row(experiment, seed, dataset) for experiment, seed in self.rows(name)],
        }

    def _shown_row(self, experiment: str, seed: int, dataset: str) -> Record:
        names = {"experiment": experiment, "seed": seed, "dataset": dataset}
        record = self.config["experiments"][experiment]
        return {
            **self._row(experiment, seed, dataset),
            "instances": paths.INSTANCES.format(**names),
            "history": paths.HISTORY.format(**names) if self.trained(experiment) else None,
            "config": {"experiment": record, "system": _without_resources(self.system(experiment))},
        }

    def _row(self, experiment: str, seed: int, dataset: str) -> Record:
        names = {"experiment": experiment, "seed": seed, "dataset": dataset}
        record = self.config["experiments"][experiment]
        return {
            "experiment": experiment,
            "seed": seed,
            "system": record["system"],
            "task": registry.declared(self.system(experiment)["module"], "TASK"),
            "metrics": paths.METRICS.format(**names),
            "run": paths.RUN.format(**names) if self.trained(experiment) else None,
            "steps": record["budget"]["steps"] if self.trained(experiment) else 0,
        }

    def _scored_splits(self, dataset: str) -> list[str]:
        """Splits of a dataset that some leaderboard scores."""
        boards = self.config["leaderboards"].values()
        return sorted({board["split"] for board in boards if board["dataset"] == dataset})


_RUN_A_SYSTEM = {"train", "predict", "merge"}
_NOT_INGESTED = {"source", "split", "licence", "citation", "registration"}
_FACTS = ("truth", "image_type", "mpp", "licence", "citation")
_TABLES = {
    "csv": paths.LEADERBOARD,
    "summary": paths.SUMMARY,
    "markdown": paths.MARKDOWN,
    "latex": paths.LATEX,
}


def _keys(record: Record, *names: str) -> Record:
    return {name: record[name] for name in names if name in record}


def _without_resources(system: Record) -> Record:
    return {key: value for key, value in system.items() if key != "resources"}


def _files_below(folder: str) -> list[str]:
    """Files of a folder that the user made, sorted; or the file itself."""
    path = Path(folder)
    found: Iterable[Path] = path.rglob("*") if path.is_dir() else [path]
    return sorted(str(p) for p in found if not p.is_dir() and not p.name.startswith("."))
