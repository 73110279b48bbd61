"""The pages of a site: what each template is given, and the templates' own number formats."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from karyobench.datasets.store import reading
from karyobench.metrics.scores import SCORES
from karyobench.reporting import captions, overlays, views
from karyobench.reporting.entries import Entry, by_experiment, file_name
from karyobench.reporting.gallery import Card
from karyobench.reporting.runs import Board, Run
from karyobench.reporting.views import Record

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("site.css", "site.js")
DOWNLOADS = {"csv": "CSV, every seed", "summary": "CSV, summary", "markdown": "Markdown", "latex": "LaTeX"}


@dataclass(frozen=True)
class Shown:
    """A leaderboard as the site shows it.

    summary, seeds: rows of its two CSV files. cards: gallery of each experiment's first seed. figures: SVG by its
    file below the site. name: what its files and anchors are called.
    """

    board: Board
    entries: list[Entry]
    summary: list[Record]
    seeds: list[Record]
    cards: dict[str, list[Card]]
    figures: dict[str, str]

    @property
    def name(self) -> str:
        """The leaderboard's name as it stands in files and anchors."""
        return file_name(self.board.config["name"])


def environment() -> jinja2.Environment:
    """The templates, with everything escaped that is not marked as HTML, and unknown names refused."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"score": _score, "number": _number, "known": _known, "minutes": _minutes, "pretty": _pretty}
    made.globals |= {"colours": overlays.COLOURS}
    return made


def front(study: str, shown: Sequence[Shown]) -> Record:
    """Context of `index.html.j2`."""
    experiments = {entry.run.experiment for each in shown for entry in each.entries}
    return {"study": study, "root": "", "n_experiments": len(experiments), "boards": [_board(each) for each in shown]}


def experiment(study: str, name: str, shown: Sequence[Shown]) -> Record:
    """Context of `experiment.html.j2`: one part per seed, within it one per leaderboard."""
    found = [(each, entry) for each in shown for entry in each.entries if entry.run.experiment == name]
    run = found[0][1].run
    seeds: dict[int, list[tuple[Shown, Entry]]] = {}
    for each, entry in found:
        seeds.setdefault(entry.run.seed, []).append((each, entry))
    about = {"name": name, "system": run.system, "task": run.task, "fake": run.fake}
    return {
        "study": study,
        "root": "../",
        "experiment": about | {"seeds": [_seed(seed, parts) for seed, parts in seeds.items()]},
    }


def page_of(experiment: str) -> str:
    """Where an experiment's page lies below the site."""
    return f"experiment/{file_name(experiment)}.html"


def scores_figure(board: str) -> str:
    """Where the bar chart of a leaderboard lies below the site."""
    return f"figures/{board}/scores.svg"


def training_figure(board: str) -> str:
    """Where the training curves of all experiments of a leaderboard lie below the site."""
    return f"figures/{board}/training.svg"


def run_figure(board: str, run: Run) -> str:
    """Where the training curve of one experiment and seed lies below the site."""
    return f"figures/{board}/runs/{file_name(run.experiment)}-{run.seed}.svg"


def download_of(record: Record, kind: str) -> str:
    """Where a copy of one of a leaderboard's four tables lies below the site."""
    suffix = "_summary" if kind == "summary" else ""
    return f"downloads/{file_name(record['name'])}{suffix}{Path(record[kind]).suffix}"


def _board(shown: Shown) -> Record:
    board, entries = shown.board, by_experiment(shown.entries)
    measured = [
        {**row, "page": page_of(row["experiment"]), "minutes": views.minutes(entries[row["experiment"]])}
        for row in views.measured(shown.summary)
    ]
    published, alignment = views.published(board, shown.summary)
    bars_file, curves_file = scores_figure(shown.name), training_figure(shown.name)
    return {
        **_common(shown),
        "facts": captions.facts(board),
        "leads": views.leads(board, shown.summary),
        "measured": measured,
        "published": published,
        "alignment": alignment,
        "seeds": [{**row, "page": page_of(row["experiment"])} for row in views.measured(shown.seeds)],
        "downloads": [(label, download_of(board.config, kind)) for kind, label in DOWNLOADS.items()],
        "bars": Markup(shown.figures[bars_file]),
        "bars_file": bars_file,
        "intervals": any(bar.aji_interval for bar in views.bars(shown.summary)),
        "curves": Markup(shown.figures.get(curves_file, "")),
        "curves_file": curves_file,
        "galleries": [
            {"name": name, "page": page_of(name), "fake": entries[name][0].run.fake, "cards": cards}
            for name, cards in shown.cards.items()
        ],
    }


def _common(shown: Shown) -> Record:
    board = shown.board
    return {
        "id": f"board-{shown.name}",
        "name": board.config["name"],
        "title": captions.title(board),
        "warnings": views.warnings(board),
        "labels": captions.score_labels(board),
        "mpp": board.config["dataset_facts"]["mpp"],
    }


def _seed(seed: int, parts: list[tuple[Shown, Entry]]) -> Record:
    first, entry = parts[0]
    curve_file = run_figure(first.name, entry.run)
    return {
        "seed": seed,
        "budget": _budget(entry),
        "curve": Markup(first.figures.get(curve_file, "")),
        "curve_file": curve_file,
        "records": [*_training(entry), ("Configuration slice of the row", entry.record["config"])],
        "boards": [_scored(each, entry) for each, entry in parts],
    }


def _budget(entry: Entry) -> list[tuple[str, str]]:
    if entry.training is None:
        return [("Training", "none")]
    told = [("Training steps", str(entry.run.steps)), ("Device", entry.run.device)]
    return [*told, ("Minutes to train", _minutes(entry.training["minutes"]))]


def _training(entry: Entry) -> list[tuple[str, Any]]:
    """The run record, its configuration apart; nothing where nothing was trained."""
    if entry.training is None:
        return []
    record = {key: value for key, value in entry.training.items() if key != "config"}
    return [
        ("Training record: budget, software, data", record),
        ("Configuration of the training", entry.training["config"]),
    ]


def _scored(shown: Shown, entry: Entry) -> Record:
    cards = shown.cards[entry.run.experiment]
    first = by_experiment(shown.entries)[entry.run.experiment][0]
    return {
        **_common(shown),
        "anchor": f"board-{shown.name}",
        "id": f"seed-{entry.run.seed}-{shown.name}",
        "cards": cards if entry is first else [],
        "images": entry.images.to_dict("records"),
        "mean": entry.images[list(SCORES)].mean().to_dict(),
        "provenance": entry.provenance,
        "sources": _sources(entry),
    }


def _sources(entry: Entry) -> list[tuple[str, str, str]]:
    """Image id, raw file and sha256 of the pixels of each scored image."""
    with reading(entry.board.config["images"]) as store:
        found = [(image, store.attributes(image)) for image in entry.images["image"]]
    return [(image, about["source_file"], about["sha256"]) for image, about in found]


def _score(value: float) -> str:
    return f"{value:.3f}" if _known(value) else "–"


def _minutes(value: float | None) -> str:
    return f"{value:.1f}" if _known(value) else "–"


def _number(value: Any) -> str:
    """A number for `data-value`: empty where there is none, so that it sorts last."""
    return str(value) if _known(value) else ""


def _known(value: Any) -> bool:
    return not (value is None or pd.isna(value))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
