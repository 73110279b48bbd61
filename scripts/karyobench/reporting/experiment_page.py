"""The page of an experiment: its standings, how it was trained, its images, and what its numbers rest on."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from karyobench import files
from karyobench.datasets.store import reading
from karyobench.reporting import class_figures as drawing
from karyobench.reporting import pages, views
from karyobench.reporting.curves import training_curves
from karyobench.reporting.entries import Entry, by_experiment
from karyobench.reporting.file_names import file_name
from karyobench.reporting.pages import Shown
from karyobench.reporting.views import Record


def context(study: str, name: str, shown: Sequence[Shown]) -> Record:
    """Context of `experiment.html.j2`: training per seed, and a part per leaderboard."""
    found = pages.of_experiment(shown, name)
    run = found[0][1].run
    boards = [each for each in shown if name in by_experiment(each.entries)]
    about = {"name": name, "system": run.system, "task": run.task, "fake": run.fake}
    return {
        "study": study,
        "root": "../",
        "experiment": about | {"training": _training(found), "boards": [_board(each, name) for each in boards]},
    }


def _runs(found: Sequence[tuple[Shown, Entry]]) -> dict[int, Entry]:
    """An entry of each trained seed; on every leaderboard it rests on the same training."""
    return {entry.run.seed: entry for _, entry in found if entry.training is not None}


def _training(found: Sequence[tuple[Shown, Entry]]) -> Record | None:
    runs = _runs(found)
    if not runs:
        return None
    records = {seed: _flat(entry.training) for seed, entry in sorted(runs.items())}
    keys = dict.fromkeys(key for record in records.values() for key in record)
    name = found[0][1].run.experiment
    drawn = training_curves(f"training-{file_name(name)}", [[runs[seed].curve for seed in records]])
    return {
        "seeds": list(records),
        "rows": [(key.replace("_", " "), [record.get(key, "–") for record in records.values()]) for key in keys],
        "curve": Markup(drawn),
        "curve_file": pages.curves_of(name),
        "configs": [(seed, runs[seed].training["config"]) for seed in records],
    }


def _flat(record: Record) -> dict[str, str]:
    """A run record, its configuration and clock apart, as names and texts; versions of software each on their own."""
    flat: dict[str, Any] = {key: value for key, value in record.items() if key not in ("config", "software", "clock")}
    flat |= {f"software: {name}": version for name, version in record.get("software", {}).items()}
    return {key: _text(value) for key, value in flat.items()}


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    return value if isinstance(value, str) else files.canonical(value)


def _board(shown: Shown, name: str) -> Record:
    seeds = by_experiment(shown.entries)[name]
    ranked = len(views.competitors(shown.tables["summary"]))
    return {
        **pages.common(shown),
        "anchor": f"board-{shown.name}",
        "csv": shown.board.config["csv"],
        "ranked": ranked,
        "row": next(row for row in views.measured(shown.tables["summary"]) if row["experiment"] == name),
        "cards": pages.best_and_worst(shown, seeds[0]),
        "class_maps": _class_maps(shown, seeds[0]),
        "anchors": {card.image: card.anchor for card in shown.cards.values()},
        "configs": _configs(seeds),
        "seeds": [_seed(entry) for entry in seeds],
        "sources": _sources(seeds[0]),
        "figures": {what: (path, Markup(svg)) for what, (path, svg) in class_figures(shown, name).items()},
    }


def class_figures(shown: Shown, name: str) -> dict[str, tuple[str, str]]:
    """Confusion tables of an experiment's seeds and its ROC curves, each with its file below the site; of classes."""
    if not shown.board.kind.classes:
        return {}
    made, folder, stem = {}, f"figures/{shown.name}", file_name(name)
    seeds = drawing.labelled(by_experiment(shown.entries)[name])
    for label, entry in seeds.items():
        key = f"{stem}-confusion-{entry.run.seed}"
        told = "Images by true and told class" + (f", {label}" if len(seeds) > 1 else "")
        made[told] = (f"{folder}/{key}.svg", drawing.confusion_figure(f"{shown.name}-{key}", entry))
    roc = drawing.roc_figure(f"{shown.name}-{stem}-roc", seeds)
    return made | {"ROC curve": (f"{folder}/{stem}-roc.svg", roc)}


def _class_maps(shown: Shown, first: Entry) -> list[Record]:
    """Class maps of the best, median and worst image, of a system that has them, and where each lies on the site.

    An image without a prediction has none.
    """
    if first.record["class_maps"] is None:
        return []
    predicted = set(first.images["image"][first.images["missing"] == 0])
    return [
        {
            **{"roles": roles, "image": card.image, "shape": card.shape},
            "source": f"{first.record['class_maps']}/{file_name(card.image)}.png",
            "file": pages.class_map_of(shown.name, first.run.experiment, card.image),
        }
        for roles, card in pages.best_and_worst(shown, first)
        if card.image in predicted
    ]


def _configs(seeds: Sequence[Entry]) -> list[tuple[list[int], Record]]:
    """Each configuration slice, and the seeds that have it."""
    found: dict[str, tuple[list[int], Record]] = {}
    for entry in seeds:
        config = entry.record["config"]
        found.setdefault(files.canonical(config), ([], config))[0].append(entry.run.seed)
    return list(found.values())


def _seed(entry: Entry) -> Record:
    return {
        "seed": entry.run.seed,
        "images": entry.images.to_dict("records"),
        "mean": entry.board.kind.overall(entry.run.counts, entry.board.config["metrics"]).to_dict(),
        "provenance": entry.provenance,
    }


def _sources(entry: Entry) -> list[tuple[str, str, str]]:
    """Image id, raw file and sha256 of the pixels of each scored image."""
    with reading(entry.board.config["images"]) as store:
        found = [(image, store.attributes(image)) for image in entry.images["image"]]
    return [(image, about["source_file"], about["sha256"]) for image, about in found]
