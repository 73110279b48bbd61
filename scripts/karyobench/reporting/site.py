"""The static site of a study: front page, datasets, a page per experiment, and all that they show beside them."""

import logging
import shutil
from pathlib import Path
from typing import Any

import jinja2

from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.reporting import dataset_views, datasets, pages, views
from karyobench.reporting.curves import score_bars, training_curves
from karyobench.reporting.entries import Entry, by_experiment, entries, file_name
from karyobench.reporting.gallery import cards
from karyobench.reporting.pages import Shown
from karyobench.reporting.runs import load

log = logging.getLogger("karyobench")


def build(config: dict[str, Any], output: str | Path) -> None:
    """Write the site of a study, a directory that opens from disk and loads nothing from the network.

    config: `study`; `leaderboards`: each the slice of the leaderboard step with `images` (HDF5 of the dataset) and
    the files `csv`, `summary`, `markdown` and `latex`, each of its rows with `instances`, `history` and `config`, the
    part of the configuration behind it; `datasets`: name and facts of each, with their `summaries` (JSON) in the same
    order, and `stain_figures` (SVG). Raises KaryobenchError naming a file that is missing or does not fit.
    """
    with files.atomic(output) as folder:
        folder.mkdir()
        shown = [_show(record, folder) for record in config["leaderboards"]]
        for each in shown:
            _write_parts(each, folder)
        for name in pages.ASSETS:
            shutil.copyfile(pages.TEMPLATES / name, folder / name)
        templates = pages.environment()
        _write(
            folder / "index.html", templates.get_template("index.html.j2").render(pages.front(config["study"], shown))
        )
        for name in by_experiment(entry for each in shown for entry in each.entries):
            page = templates.get_template("experiment.html.j2").render(pages.experiment(config["study"], name, shown))
            _write(folder / pages.page_of(name), page)
        _write_datasets(config, folder, templates)
    log.info("open %s", Path(output) / "index.html")


def _show(record: dict[str, Any], folder: Path) -> Shown:
    rows = record["rows"]
    board = load(record, [row["metrics"] for row in rows], [row["run"] for row in rows if row["run"]], record["images"])
    listed = entries(board)
    summary = views.read_table(record["summary"])
    drawn = {name: cards(seeds[0], folder) for name, seeds in by_experiment(listed).items()}
    log.info("%s: gallery of %d experiments", record["name"], len(drawn))
    return Shown(board, listed, summary, views.read_table(record["csv"]), drawn, _figures(record, listed, summary))


def _figures(record: dict[str, Any], listed: list[Entry], summary: list[views.Record]) -> dict[str, str]:
    """SVG of each figure, by its file below the site."""
    name = file_name(record["name"])
    made = {pages.scores_figure(name): score_bars(f"scores-{name}", views.bars(summary))}
    trained = {key: seeds for key, seeds in by_experiment(listed).items() if seeds[0].curve}
    for entry in (entry for seeds in trained.values() for entry in seeds):
        made[pages.run_figure(name, entry.run)] = training_curves(f"run-{entry.run.seed}", [[entry.curve]])
    if trained:
        runs = [[entry.curve for entry in seeds] for seeds in trained.values()]
        made[pages.training_figure(name)] = training_curves(f"training-{name}", runs)
    return made


def _write_datasets(config: dict[str, Any], folder: Path, templates: jinja2.Environment) -> None:
    summaries = datasets.read(config["summaries"], [record["name"] for record in config["datasets"]])
    figures = [_stain_figure(Path(path), folder) for path in config["stain_figures"]]
    shown = dataset_views.page(config["study"], dataset_views.views(config, summaries), figures)
    _write(folder / "datasets.html", templates.get_template("datasets.html.j2").render(shown))


def _stain_figure(path: Path, folder: Path) -> tuple[str, str]:
    """Label of a figure of stain normalisation, and its copy below the site."""
    dataset, stain = path.stem, path.parent.name
    name = f"figures/stain-{file_name(stain)}-{file_name(dataset)}{path.suffix}"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / name)
    return f"{dataset}, {stain}", name


def _write_parts(shown: Shown, folder: Path) -> None:
    """Figures and downloads of a leaderboard."""
    for path, svg in shown.figures.items():
        _write(folder / path, svg)
    for kind in pages.DOWNLOADS:
        target = folder / pages.download_of(shown.board.config, kind)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(shown.board.config[kind], target)
        except OSError as error:
            raise KaryobenchError(
                f"{shown.board.config[kind]}: cannot be read ({error}); run leaderboard again"
            ) from None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
