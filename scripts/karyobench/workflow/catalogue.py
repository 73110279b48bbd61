"""Which files, which targets, which slice of the configuration: the answers that the rules ask for."""

from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from karyobench import files
from karyobench.datasets import readers
from karyobench.systems import registry
from karyobench.workflow import fingerprint, names, paths, references, resources, slices

Record = dict[str, Any]


class Catalogue:
    """A validated configuration, and the questions that the workflow has about it.

    Methods that take `wildcards` serve as Snakemake's input and params functions; any object with the wildcards as
    attributes will do. Raises KaryobenchError when the configuration names something that it does not define.
    """

    def __init__(self, config: Record) -> None:
        config = names.without_nulls(config)
        references.check(config)
        self.config = config = {**config, "experiments": names.experiments(config)}
        references.check_paths(config, self.datasets, self.pretrained, self._on_boards(self.leaderboards))

    # ------------------------------------------------------------------ targets

    @cached_property
    def leaderboards(self) -> list[str]:
        """Leaderboards of the chosen study."""
        return self.study["leaderboards"]

    @cached_property
    def study(self) -> Record:
        """The chosen study in its long form."""
        return names.study(self.config, self.config["study"])

    @property
    def targets(self) -> list[str]:
        """What the chosen study makes: its leaderboards, the datasets and patches that it names, and its site."""
        boards = [paths.SUMMARY.format(leaderboard=name) for name in self.leaderboards]
        named = [split for dataset in self.study["datasets"] for split in names.splits(self.config, dataset)]
        splits = [paths.SPLIT.format(dataset=name) for name in named]
        patches = [paths.PATCHES.format(patches=name) for name in self.study["patches"]]
        return [*boards, *splits, *patches, paths.SITE.format(study=self.config["study"])]

    @property
    def datasets(self) -> list[str]:
        """Every dataset that the chosen study needs, without the names of splits."""
        return self.datasets_of_study(self.config["study"])

    @property
    def pretrained(self) -> list[str]:
        """Pretrained weights that trainings of the chosen study start from, or those that they start from; sorted."""
        records = [self.config["experiments"][name] for name in self._lineage(self.leaderboards)]
        return sorted({record["pretrained"] for record in records if "pretrained" in record})

    def _on_boards(self, leaderboards: list[str]) -> list[str]:
        return [name for board in leaderboards for name in self.config["leaderboards"][board]["experiments"]]

    def _lineage(self, leaderboards: list[str]) -> list[str]:
        """Experiments of leaderboards, and those whose weights they start from or use, each once."""
        found = list(dict.fromkeys(self._on_boards(leaderboards)))
        for name in found:  # grows on the way
            record = self.config["experiments"][name]
            above = (record[key] for key in ("init_from", "weights_of") if key in record)
            found += [other for other in above if other not in found]
        return found

    def datasets_of_study(self, study: str) -> list[str]:
        """Datasets that a study names, scores, takes a stain's reference from, or trains on; sorted.

        What the experiments train on whose weights others start from counts too.
        """
        record = names.study(self.config, study)
        needed = set(record["datasets"])
        for board in record["leaderboards"]:
            needed.add(self.config["leaderboards"][board]["dataset"])
        for experiment in self._lineage(record["leaderboards"]):
            needed.update(self._datasets_of(experiment))
        for patches in record["patches"]:
            needed.update(self._datasets_of_patches(patches))
        return sorted({names.base(name) for name in needed})

    def _datasets_of(self, experiment: str) -> Iterable[str]:
        record = self.config["experiments"][experiment]
        if self.trained(experiment):
            return self._datasets_of_patches(record["patches"])
        return self._reference_dataset(record["stain"])

    def _datasets_of_patches(self, patches: str) -> Iterable[str]:
        record = self.config["patches"][patches]
        return [*record["train"], *self._reference_dataset(record["stain"])]

    def _reference_dataset(self, stain: str) -> Iterable[str]:
        return [] if stain == "none" else [self.config["stains"][stain]["reference"]["dataset"]]

    # ------------------------------------------------------------------ files

    def raw(self, dataset: str) -> list[str]:
        """Local raw files of a dataset, which are read in place; empty for downloads."""
        return self._local("datasets", dataset)

    def raw_weights(self, wildcards: SimpleNamespace) -> list[str]:
        """The local file of pretrained weights, which is read in place; empty for downloads."""
        return self._local("pretrained", wildcards.pretrained)

    def _local(self, catalogue: str, name: str) -> list[str]:
        local = self.config[catalogue][name]["source"].get("local")
        return _files_below(local) if local else []

    def ingested(self, dataset: str) -> str:
        """The ingested dataset of `dataset` or `dataset@split`."""
        return paths.DATASET.format(dataset=names.base(dataset))

    def ingested_dataset(self, wildcards: SimpleNamespace) -> str:
        """The ingested dataset of a job."""
        return self.ingested(wildcards.dataset)

    def published_split(self, wildcards: SimpleNamespace) -> list[str]:
        """The published list that a split is read from, if it is."""
        record = names.split(self.config, wildcards.dataset)
        return [paths.PUBLISHED_SPLIT.format(list=record["list"])] if record["kind"] == "published" else []

    def images(self, stain: str, dataset: str) -> str:
        """The normalised dataset, or the ingested one where the stain is `none`."""
        if stain == "none":
            return self.ingested(dataset)
        return paths.STAINED.format(stain=stain, dataset=names.base(dataset))

    def reference_files(self, wildcards: SimpleNamespace) -> dict[str, str]:
        """Ingested reference dataset of a stain, and its split."""
        dataset = self.config["stains"][wildcards.stain]["reference"]["dataset"]
        return {
            "reference": self.ingested(dataset),
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
        """Weights that an experiment starts from: `pretrained` ones, those of `init_from` under its seed, or none."""
        record = self.config["experiments"][wildcards.experiment]
        if "pretrained" in record:
            return [paths.PRETRAINED.format(pretrained=record["pretrained"])]
        if "init_from" in record:
            return [paths.WEIGHTS.format(experiment=record["init_from"], seed=wildcards.seed)]
        return []

    def weights(self, wildcards: SimpleNamespace) -> list[str]:
        """What predict loads: the weights, or what was exported from them; empty for systems without training."""
        if not self.trained(wildcards.experiment):
            return []
        if self._runtime(wildcards.experiment):
            return [paths.EXPORTED.format(experiment=wildcards.experiment, seed=wildcards.seed)]
        return [self.trained_weights(wildcards)]

    def trained_weights(self, wildcards: SimpleNamespace) -> str:
        """Weights of a trained experiment: its own, or those of the one that `weights_of` names."""
        return paths.WEIGHTS.format(experiment=self.trainee(wildcards.experiment), seed=wildcards.seed)

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

    def history_files(self, wildcards: SimpleNamespace) -> list[str]:
        """Training histories of the trained rows of a leaderboard."""
        return self._of_rows(paths.HISTORY, wildcards.leaderboard, trained_only=True)

    def leaderboard_images(self, wildcards: SimpleNamespace) -> str:
        """Dataset that a leaderboard scores."""
        return self.ingested(self.config["leaderboards"][wildcards.leaderboard]["dataset"])

    def published(self, wildcards: SimpleNamespace) -> list[str]:
        """The table of published figures, for leaderboards that print some beside their own."""
        return [paths.PUBLISHED] if self.config["leaderboards"][wildcards.leaderboard]["published"] else []

    def summaries(self, wildcards: SimpleNamespace) -> list[str]:
        """Summaries of the datasets of a study."""
        return [paths.INGESTED.format(dataset=name) for name in self.datasets_of_study(wildcards.study)]

    def stain_figures(self, wildcards: SimpleNamespace) -> list[str]:
        """Figures of the stains of a study's patch sets, one for each dataset that may hold H&E images."""
        study = names.study(self.config, wildcards.study)
        trained = {e for board in study["leaderboards"] for e, _ in self.rows(board) if self.trained(e)}
        patches = {*study["patches"], *(self.config["experiments"][name]["patches"] for name in trained)}
        records = [self.config["patches"][name] for name in patches]
        wanted = {(record["stain"], names.base(dataset)) for record in records for dataset in record["train"]}
        return [
            paths.STAIN_FIGURE.format(stain=stain, dataset=dataset)
            for stain, dataset in sorted(wanted)
            if stain != "none" and self.config["datasets"][dataset]["image_type"] in _MAY_BE_HE
        ]

    def class_maps(self, experiment: str, seed: int, dataset: str) -> str | None:
        """Folder with the class map of each image of a row; None where the system does not classify pixels."""
        if not registry.declared(self.system(experiment)["module"], "CLASS_MAP", absent=False):
            return None
        return paths.CLASS_MAPS.format(experiment=experiment, seed=seed, dataset=dataset)

    def study_files(self, wildcards: SimpleNamespace) -> list[str]:
        """All that a study's site shows: tables, counts, predictions, images, class maps, training records, stains."""
        tables = [pattern.format(study=wildcards.study) for pattern in (paths.DATASETS, paths.DATASETS_MARKDOWN)]
        found = [*tables, *self.summaries(wildcards), *self.stain_figures(wildcards)]
        for name in names.study(self.config, wildcards.study)["leaderboards"]:
            dataset = self.config["leaderboards"][name]["dataset"]
            found += [p.format(leaderboard=name) for p in slices.TABLES.values()]
            found.append(self.ingested(dataset))
            for pattern in (paths.METRICS, paths.MERGED):
                found += self._of_rows(pattern, name)
            drawn = [self.class_maps(experiment, seed, dataset) for experiment, seed in self.rows(name)]
            found += [folder for folder in drawn if folder]
            for pattern in (paths.RUN, paths.HISTORY, paths.WEIGHTS):
                found += self._of_rows(pattern, name, trained_only=True)
        return list(dict.fromkeys(found))

    @property
    def templates(self) -> list[str]:
        """Files that the site's pages are made from: data to the report's code, so inputs of its job."""
        return [str(path) for path in sorted(Path(paths.TEMPLATES).iterdir())]

    def _of_rows(self, pattern: str, leaderboard: str, trained_only: bool = False) -> list[str]:
        dataset = self.config["leaderboards"][leaderboard]["dataset"]
        return [
            pattern.format(experiment=self.trainee(name) if trained_only else name, seed=seed, dataset=dataset)
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

    def trainee(self, experiment: str) -> str:
        """The experiment whose training made the weights of this one: itself, unless `weights_of` names another."""
        return self.config["experiments"][experiment].get("weights_of", experiment)

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

    def training_resource(self, name: str) -> Callable[..., int | str | None]:
        """Resource function of training: see `resources.training`."""

        def ask(wildcards: SimpleNamespace, attempt: int) -> int | str | None:
            return resources.training(self.system(wildcards.experiment), self.config["threads"], attempt)[name]

        return ask

    def training_threads(self, wildcards: SimpleNamespace) -> int:
        """Processors of training on one machine: those of all its ranks."""
        system = self.system(wildcards.experiment)
        return max(self.config["threads"], system["train"]["ranks"])

    def prediction_gpu(self, wildcards: SimpleNamespace, attempt: int) -> int:
        """GPUs of a prediction: none where the runtime is one of the CPU."""
        return 0 if self._runtime(wildcards.experiment) else self.resource("gpu")(wildcards, attempt)

    def _runtime(self, experiment: str) -> Record | None:
        return self.system(experiment)["predict"].get("runtime")

    # ------------------------------------------------------------------ params

    def slice(self, step: str) -> Callable[[SimpleNamespace], str]:
        """Params function: the canonical JSON of what a step uses of the configuration."""
        make = getattr(slices, step)
        return lambda wildcards: files.canonical(make(self, wildcards))

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


_RUN_A_SYSTEM = {"train", "export", "predict", "merge"}
_MAY_BE_HE = ("he", "kmeans", None)


def _files_below(folder: str) -> list[str]:
    """Files of a folder that the user made, sorted; or the file itself."""
    path = Path(folder)
    found: Iterable[Path] = path.rglob("*") if path.is_dir() else [path]
    return sorted(str(p) for p in found if not p.is_dir() and not p.name.startswith("."))
