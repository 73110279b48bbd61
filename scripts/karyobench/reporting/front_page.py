"""The front page of a study: of each leaderboard who leads, by how much and how sure, and its tables."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from karyobench.metrics.kinds import main_of
from karyobench.reporting import captions, overall, pages, reproduction, scaling, views
from karyobench.reporting.class_figures import roc_figure
from karyobench.reporting.curves import score_intervals
from karyobench.reporting.entries import by_experiment
from karyobench.reporting.pages import Shown
from karyobench.reporting.views import Record

COPIED = {
    **{"csv": "every seed", "summary": "summary", "strata": "strata", "pairs": "pairs of systems"},
    **{"reproduction": "reproduction", "markdown": "Markdown", "latex": "LaTeX"},
}
"""Tables of a leaderboard that a reader may take away, and what they are called."""


OVERALL = {
    **{"overall": "downloads/overall.csv", "json": "downloads/overall.json"},
    "overall_ranks": "figures/overall.svg",
}
"""Where table and picture of the systems over all leaderboards lie below the site."""


def context(study: str, shown: Sequence[Shown], texts: dict[str, str]) -> Record:
    """Context of `index.html.j2`. texts: `overall_texts`."""
    experiments = {entry.run.experiment for each in shown for entry in each.entries}
    return {
        **{"study": study, "root": "", "n_experiments": len(experiments)},
        "does": _does(shown),
        "overall": _overall(texts, [each.board.config["name"] for each in shown]) if texts else None,
        "boards": [_board(each) for each in shown],
    }


def overall_texts(shown: Sequence[Shown]) -> dict[str, str]:
    """CSV and SVG of the systems over all leaderboards; nothing unless there are several, of the same kind."""
    boards = [each.board for each in shown]
    if len(boards) < 2 or len({(board.kind.name, board.kind.classes) for board in boards}) > 1:
        return {}
    main = boards[0].kind.main
    return overall.texts(boards, main, captions.score_labels(boards[0])[main])


def figures(shown: Shown) -> dict[str, str]:
    """SVG of a leaderboard's figures, by their files below the site."""
    made = {pages.figure_of(shown.name, "ranks"): shown.ranks}
    if drawn := views.intervals(shown.tables["summary"]):
        label = captions.score_labels(shown.board)[shown.board.kind.main]
        made[pages.figure_of(shown.name, "scores")] = score_intervals(f"scores-{shown.name}", label, drawn)
    if measured := scaling.speeds(shown.entries):
        made[pages.figure_of(shown.name, "scaling")] = scaling.figure(f"scaling-{shown.name}", measured)
    if shown.board.kind.classes:
        firsts = [entry for entry in shown.firsts if not entry.run.fake] or shown.firsts
        curves = roc_figure(f"roc-{shown.name}", {entry.run.experiment: entry for entry in firsts})
        made[pages.figure_of(shown.name, "roc")] = curves
    return made


def speeds(shown: Shown) -> pd.DataFrame:
    """Speed of training by ranks; empty unless something was trained with different numbers of them."""
    measured = scaling.speeds(shown.entries)
    return scaling.table(measured) if measured else pd.DataFrame()


def downloads(shown: Shown) -> list[tuple[str, list[tuple[str, str]]]]:
    """Each table's name, and the formats and files in which it may be taken."""
    listed = []
    for kind, told in COPIED.items():
        suffix = Path(shown.board.config[kind]).suffix
        formats = [suffix, ".json"] if suffix == ".csv" else [suffix]
        listed.append((told, [(s[1:], pages.download_of(shown.board.config, kind, s)) for s in formats]))
    return listed


def _board(shown: Shown) -> Record:
    board, tables = shown.board, shown.tables
    published, alignment = views.published(board, tables["summary"])
    verdict = views.verdict(board, tables["summary"], tables["pairs"])
    seeds = by_experiment(shown.entries)
    return {
        **pages.common(shown),
        "facts": captions.facts(board),
        "n_images": len(board.images),
        "n_true": 0 if board.kind.classes else int(board.images["n_true"].sum()),
        "verdict": verdict,
        "measured": [
            {**_linked(row), "minutes": views.minutes(seeds[row["experiment"]])}
            for row in views.measured(tables["summary"])
        ],
        **{"published": published, "alignment": alignment},
        "reproduction": views.reproduction(tables["reproduction"]),
        "rule": reproduction.RULE,
        "confusion": _confusion(shown),
        "scaling": speeds(shown).to_dict("records"),
        "scaling_file": pages.download_of(board.config, "scaling", ".csv"),
        "strata": views.strata(tables["strata"], tables["summary"]),
        "seeds": [_linked(row) for row in views.measured(tables["csv"])],
        "downloads": downloads(shown),
        "figures": {Path(path).stem: (path, Markup(svg)) for path, svg in figures(shown).items()},
        "gallery": _gallery(shown, verdict),
    }


def _does(shown: Sequence[Shown]) -> str:
    """What the systems of the study do, in words."""
    told = {
        "objects": "outline nuclei in microscopy",
        "points": "find points in microscopic images",
        "classes": "classify microscopic images",
    }
    return " or ".join(dict.fromkeys(told[each.board.kind.name] for each in shown))


def _confusion(shown: Shown) -> list[tuple[str, str]]:
    """Columns of images by true and told class, each with its heading; none of a leaderboard of objects."""
    if not shown.board.kind.classes:
        return []
    return [(name, name.replace("_as_", " as ")) for name in shown.board.kind.totals(shown.board.images)]


def _overall(texts: dict[str, str], names: list[str]) -> Record:
    rows = [{**row, "there": [float(row[name]) for name in names]} for row in views.rows(texts["overall"])]
    made = {"rows": rows, "names": names, "files": OVERALL, "ranks": Markup(texts["overall_ranks"])}
    return made | {"main": main_of(rows[0])}


def _gallery(shown: Shown, verdict: Record | None) -> Record:
    """Best, median and worst image of the leader, or of the first row where nobody competes."""
    seeds = by_experiment(shown.entries)
    name = verdict["first"]["experiment"] if verdict else shown.firsts[0].run.experiment
    return {"name": name, "page": pages.page_of(name), "cards": pages.best_and_worst(shown, seeds[name][0])}


def _linked(row: Record) -> Record:
    return {**row, "page": pages.page_of(row["experiment"])}
