"""The static site of a study: front page, datasets, a page per experiment and per leaderboard's images."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import jinja2

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.reporting import (
    class_cards,
    dataset_views,
    datasets,
    experiment_page,
    front_page,
    gallery,
    images_page,
    pages,
    views,
)
from karyobench.reporting.entries import by_experiment, entries
from karyobench.reporting.file_names import file_name
from karyobench.reporting.pages import Shown
from karyobench.reporting.runs import load

log = logging.getLogger("karyobench")

_TABLES = ("csv", "summary", "strata", "pairs", "reproduction")


def build(config: dict[str, Any], output: str | Path) -> None:
    """Write the site of a study, a directory that opens from disk and loads nothing from the network.

    config: `study`; `leaderboards`: each the slice of the leaderboard step with `images` (HDF5 of the dataset) and
    the files that the step writes (`csv`, `summary`, `strata`, `pairs`, `reproduction`, `ranks`, `markdown`, `latex`),
    each of its rows with `merged`, `class_maps` (a folder, or null), `history` and `config`, the part of the
    configuration behind it; `datasets`: name and facts of each, with their `summaries` (JSON) in the same order, and
    `stain_figures` (SVG). Raises KaryobenchError naming a file that is missing or does not fit.
    """
    with files.atomic(output) as folder:
        folder.mkdir()
        for name in pages.ASSETS:
            shutil.copyfile(pages.TEMPLATES / name, folder / name)
        templates, study = pages.environment(), config["study"]
        shown = [_show(record, folder) for record in config["leaderboards"]]
        texts = front_page.overall_texts(shown)
        _write(folder / "index.html", templates, front_page.context(study, shown, texts))
        _write_overall(texts, folder)
        for each in shown:
            _write_board(each, study, folder, templates)
        for name in by_experiment(entry for each in shown for entry in each.entries):
            page = experiment_page.context(study, name, shown)
            _write(folder / pages.page_of(name), templates, page, "experiment.html.j2")
            if page["experiment"]["training"]:
                _write_text(folder / pages.curves_of(name), page["experiment"]["training"]["curve"])
            for board in page["experiment"]["boards"]:
                for path, svg in board["figures"].values():
                    _write_text(folder / path, svg)
                for picture in board["class_maps"]:
                    _copy(picture["source"], folder / picture["file"])
        _write_datasets(config, folder, templates)
    log.info("open %s", Path(output) / "index.html")


def _show(record: dict[str, Any], folder: Path) -> Shown:
    rows = record["rows"]
    board = load(record, [row["metrics"] for row in rows], [row["run"] for row in rows if row["run"]], record["images"])
    listed = entries(board)
    draw = class_cards.cards if board.kind.classes else gallery.cards
    drawn = draw([seeds[0] for seeds in by_experiment(listed).values()], folder)
    log.info("%s: gallery of %d images", record["name"], len(drawn))
    tables = {kind: views.read_table(record[kind]) for kind in _TABLES}
    return Shown(board, listed, tables, {card.image: card for card in drawn}, _read(record["ranks"]))


def _write_board(shown: Shown, study: str, folder: Path, templates: jinja2.Environment) -> None:
    """Images, figures and downloads of a leaderboard."""
    page = images_page.context(study, shown)
    _write(folder / pages.images_of(shown.name), templates, page, images_page.template(shown))
    for path, svg in front_page.figures(shown).items():
        _write_text(folder / path, svg)
    if not (speeds := front_page.speeds(shown)).empty:
        text = speeds.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        _write_text(folder / pages.download_of(shown.board.config, "scaling", ".csv"), text)
    for kind in front_page.COPIED:
        source = shown.board.config[kind]
        text, suffix = _read(source), Path(source).suffix
        _write_text(folder / pages.download_of(shown.board.config, kind, suffix), text)
        if kind in _TABLES:
            _write_json(folder / pages.download_of(shown.board.config, kind, ".json"), shown.tables[kind])


def _write_overall(texts: dict[str, str], folder: Path) -> None:
    for kind, text in texts.items():
        _write_text(folder / front_page.OVERALL[kind], text)
    if texts:
        _write_json(folder / front_page.OVERALL["json"], views.rows(texts["overall"]))


def _write_datasets(config: dict[str, Any], folder: Path, templates: jinja2.Environment) -> None:
    summaries = datasets.read(config["summaries"], [record["name"] for record in config["datasets"]])
    figures = [_stain_figure(Path(path), folder) for path in config["stain_figures"]]
    shown = dataset_views.page(config["study"], dataset_views.views(config, summaries), figures)
    _write(folder / "datasets.html", templates, shown)


def _stain_figure(path: Path, folder: Path) -> tuple[str, str]:
    """Label of a figure of stain normalisation, and its copy below the site."""
    dataset, stain = path.stem, path.parent.name
    name = f"figures/stain-{file_name(stain)}-{file_name(dataset)}{path.suffix}"
    _copy(path, folder / name)
    return f"{dataset}, {stain}", name


def _copy(source: str | Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, path)


def _write(path: Path, templates: jinja2.Environment, context: dict[str, Any], template: str | None = None) -> None:
    _write_text(path, templates.get_template(template or f"{path.name}.j2").render(context))


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _write_json(path: Path, rows: list[views.Record]) -> None:
    _write_text(path, json.dumps(views.plain(rows), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise KaryobenchError(f"{path}: cannot be read ({error}); run leaderboard again") from None
