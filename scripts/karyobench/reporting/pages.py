"""What all pages of a site share: the leaderboards that they show, addresses of files, and number formats."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from karyobench.reporting import captions, overlays, views
from karyobench.reporting.class_cards import ClassCard
from karyobench.reporting.entries import Entry, by_experiment
from karyobench.reporting.file_names import file_name
from karyobench.reporting.gallery import Card, choose
from karyobench.reporting.runs import Board
from karyobench.reporting.views import Record

TEMPLATES = Path(__file__).parent / "templates"
ASSETS = ("site.css", "site.js")


@dataclass(frozen=True)
class Shown:
    """A leaderboard as the site shows it.

    tables: rows of each of its CSV files by kind (`csv`, `summary`, ...). cards: its gallery, by image. ranks: SVG.
    """

    board: Board
    entries: list[Entry]
    tables: dict[str, list[Record]]
    cards: dict[str, Card | ClassCard]
    ranks: str

    @property
    def name(self) -> str:
        """The leaderboard's name as it stands in files and anchors."""
        return file_name(self.board.config["name"])

    @property
    def firsts(self) -> list[Entry]:
        """The first seed of each experiment, in the order of the summary, fakes last."""
        seeds = by_experiment(self.entries)
        listed = [seeds[row["experiment"]][0] for row in views.measured(self.tables["summary"])]
        return sorted(listed, key=lambda entry: entry.run.fake)


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
    formats = {"score": _score, "number": _number, "signed": _signed, "known": _known, "pretty": _pretty}
    made.filters |= formats | {"short": _short, "rank": _rank}
    made.globals |= {"colours": overlays.COLOURS}
    return made


def page_of(experiment: str) -> str:
    """Where an experiment's page lies below the site."""
    return f"experiment/{file_name(experiment)}.html"


def images_of(board: str) -> str:
    """Where the page of a leaderboard's images lies below the site."""
    return f"images/{board}.html"


def figure_of(board: str, kind: str) -> str:
    """Where a figure of a leaderboard lies below the site: its `scores`, its `ranks`."""
    return f"figures/{board}/{kind}.svg"


def curves_of(experiment: str) -> str:
    """Where the training curves of an experiment lie below the site."""
    return f"figures/training-{file_name(experiment)}.svg"


def class_map_of(board: str, experiment: str, image: str) -> str:
    """Where the class map of an image lies below the site."""
    return f"class-maps/{board}/{file_name(experiment)}/{file_name(image)}.png"


def download_of(record: Record, kind: str, suffix: str) -> str:
    """Where a copy of one of a leaderboard's tables lies below the site."""
    part = "" if kind in ("csv", "markdown", "latex") else f"_{kind}"
    name = file_name(record["name"])
    return f"downloads/{name}/{name}{part}{suffix}"


def common(shown: Shown) -> Record:
    """What every page says of a leaderboard."""
    board, labels = shown.board, captions.score_labels(shown.board)
    return {
        "key": shown.name,
        "id": f"board-{shown.name}",
        "name": board.config["name"],
        "title": captions.title(board),
        "warnings": views.warnings(board),
        "badges": views.badges(board),
        "labels": labels,
        "headline": {score: labels[score] for score in board.kind.headline},
        "points": board.kind.name == "points",
        "errors": overlays.POINT_ERRORS if board.kind.name == "points" else overlays.ERRORS,
        "error_columns": views.ERRORS[board.kind.name],
        "classes": board.kind.classes,
        "main": board.kind.main,
        "bounded": board.kind.bounded,
        "pooled": board.kind.pooled is not None,
        "mpp": board.config["dataset_facts"].get("mpp"),
        "images_page": images_of(shown.name),
    }


def best_and_worst(shown: Shown, first: Entry) -> list[tuple[str, Card | ClassCard]]:
    """Roles and card of the best, median and worst image of an experiment."""
    return [(roles, shown.cards[image]) for image, roles in choose(first.images, shown.board.kind.judged).items()]


def of_experiment(shown: Sequence[Shown], name: str) -> list[tuple[Shown, Entry]]:
    """Leaderboards and entries of an experiment."""
    return [(each, entry) for each in shown for entry in each.entries if entry.run.experiment == name]


def _score(value: float) -> str:
    return f"{value:.3f}".replace("-", "−") if _known(value) else "–"


def _signed(value: float) -> str:
    """A difference with its sign."""
    return f"{value:+.3f}".replace("-", "−") if _known(value) else "–"


def _rank(value: float) -> str:
    return f"{value:.0f}" if _known(value) else "–"


def _short(value: float | None) -> str:
    """A number with one decimal, or none from a hundred on."""
    if not _known(value):
        return "–"
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def _number(value: Any) -> str:
    """A number for `data-value`: empty where there is none, so that it sorts last."""
    return str(value) if _known(value) else ""


def _known(value: Any) -> bool:
    return not (value is None or value == "" or pd.isna(value))


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)
