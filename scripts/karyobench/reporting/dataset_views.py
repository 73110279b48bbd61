"""Tables of a study's datasets for people: what each holds, beside the papers' tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from karyobench.reporting.cells import Cells, markdown_table
from karyobench.reporting.datasets import FACTS, KINDS, PER_IMAGE, SIDES, Record, differences, found, published

_PRCNN = {
    **{"height_mean": "mean height", "width_mean": "mean width", "images": "images", "objects": "nuclei"},
    **{"objects_min": "fewest", "objects_max": "most"},
    **{kind: KINDS[kind] for kind in ("he", "fluorescence", "brightfield")},
}
_NAMES = {**dict.fromkeys(SIDES, "size"), "stain": "stain", **_PRCNN}
_LAST = "source or difference"


@dataclass(frozen=True)
class Table:
    """A table for people. cells: header first; alignment: a letter per column as in `tables`."""

    title: str
    text: str
    cells: Cells
    alignment: str


def views(config: Mapping[str, Any], summaries: Sequence[Record], facts: Path = FACTS) -> Record:
    """What there is to show, for Markdown and for pages: `tables`, a list of Table, and `sources`, name and text.

    config: {study, datasets: [{name, licence, citation, ...}]}. summaries: of these datasets, see `read`. Without a
    dataset that a published table lists, that table is left out; so is that of image types where k-means named none.
    """
    by_name = {summary["dataset"]: summary for summary in summaries}
    rows = published(by_name, facts)
    tables = [
        _overall(summaries),
        _typing(summaries),
        _survey(rows, by_name),
        _prcnn(rows, by_name),
        _breakhis(rows, by_name),
    ]
    return {"tables": [table for table in tables if len(table.cells) > 1], "sources": _sources(config)}


def markdown(study: str, shown: Record) -> str:
    """The views as a Markdown page."""
    parts = [f"# Datasets of study {study}"]
    for table in shown["tables"]:
        parts += [f"## {table.title}", table.text, markdown_table(table.cells, table.alignment)]
    sources = "\n".join(f"- **{name}**: {text}" for name, text in shown["sources"])
    return "\n\n".join([*parts, "## Sources", sources]) + "\n"


def page(study: str, shown: Record, figures: Sequence[tuple[str, str]]) -> Record:
    """Context of `datasets.html.j2`. figures: name and file below the site of each figure of stain normalisation."""
    tables = [asdict(table) | {"id": f"table-{k}"} for k, table in enumerate(shown["tables"], start=1)]
    return {"study": study, "root": "", "tables": tables, "sources": shown["sources"], "figures": list(figures)}


def _explained(row: Record, measured: Record, summary: Record) -> str:
    """Which figures differ and why: a partial copy, what the dataset's record says, what is told of the figures."""
    differing = differences(row, measured)
    if not differing:
        return "agrees"
    subset = summary["subset"]
    of_record = [entry["why"].removeprefix(f"subset: {subset}").lstrip("; ") for entry in summary["published"]]
    notes = [row["notes"][what] for what in differing]
    reasons = dict.fromkeys(filter(None, ["a part of the dataset is here" if subset else "", *of_record, *notes]))
    names = ", ".join(dict.fromkeys(_NAMES[what] for what in differing)) if measured else "all: none of them is here"
    return f"differs in {names}: {'; '.join(reasons) or 'no reason is known'}"


def _overall(summaries: Sequence[Record]) -> Table:
    header = ["dataset", "truth", "images", "objects", "fewest", "mean", "most", "width", "height", "findings", "copy"]
    rows = []
    for summary in summaries:
        row = summary["rows"][0]
        cells = [summary["dataset"], f"{summary['objects']}, {summary['truth']}"]
        cells += [_cell(row[key]) for key in ("images", "objects", *PER_IMAGE)]
        cells += [_range(row["width_min"], row["width_max"]), _range(row["height_min"], row["height_max"])]
        rows.append([*cells, _findings(summary), summary["subset"] or "whole"])
    text = (
        "Images and objects as they were ingested; fewest, mean and most are objects per image, sizes are pixels. "
        "Findings are what the checks met with; nothing is changed for them."
    )
    return Table("Datasets", text, [header, *rows], "llrrrrrrrtt")


def _findings(summary: Record) -> str:
    told = (
        f"{check['check']}: {check['amount']}"
        + (f" in {check['images']} images" if check["amount"] != check["images"] else "")
        for check in summary["checks"]
        if check["images"]
    )
    return "; ".join(told) or "none"


def _typing(summaries: Sequence[Record]) -> Table:
    typed = [(s["dataset"], s["typing"]["confusion"]) for s in summaries if s["typing"]]
    kinds = sorted({kind for _, confusion in typed for named in confusion.values() for kind in named})
    rows = [
        [f"{dataset}: {KINDS.get(known, known)}", *(str(named.get(kind, 0)) for kind in kinds)]
        for dataset, confusion in typed
        for known, named in confusion.items()
    ]
    text = "Images by the staining that is known (rows) and that k-means on colour statistics names (columns)."
    header = ["known", *(f"named {KINDS.get(kind, kind)}" for kind in kinds)]
    return Table("Image types", text, [header, *rows], "l" + "r" * len(kinds))


def _survey(rows: Sequence[Record], summaries: Mapping[str, Record]) -> Table:
    text = "Those rows of the survey's table of datasets that are in this study; width x height in pixels."
    cells = _beside([row for row in rows if row["table"] == "survey"], summaries, _survey_cells)
    return Table("Survey, table 1", text, [["dataset", "pixels", "images", "stain", _LAST], *cells], "lrrlt")


def _prcnn(rows: Sequence[Record], summaries: Mapping[str, Record]) -> Table:
    text = "Those rows of the paper's table of datasets that are in this study; fewest and most are nuclei per image."
    cells = _beside([row for row in rows if row["table"] == "p-rcnn"], summaries, _prcnn_cells)
    header = ["dataset", *_PRCNN.values(), _LAST]
    return Table("P-RCNN paper, table 1", text, [header, *cells], "l" + "r" * len(_PRCNN) + "t")


def _breakhis(rows: Sequence[Record], summaries: Mapping[str, Record]) -> Table:
    text = "The VGG16 paper's table of BreakHis: images by magnification and class."
    cells = _beside([row for row in rows if row["table"] == "breakhis"], summaries, _image_cells)
    return Table("VGG16 paper, table 1", text, [["images of", "images", _LAST], *cells], "lrt")


def _beside(
    rows: Sequence[Record], summaries: Mapping[str, Record], cells: Callable[[Mapping[str, Any]], list[str]]
) -> Cells:
    """Each published row, and below it what was measured; the last column has the source and the difference."""
    made = []
    for row in rows:
        summary = summaries[row["dataset"]]
        measured = found(summary, row["by"], row["value"])
        here = row["dataset"] if row["by"] == "all" else f"{row['dataset']}, {row['by']} {row['value']}"
        made.append([f"{row['name']} (published)", *cells(row["stated"]), row["source"]])
        made.append([f"{here} (here)", *cells(measured), _explained(row, measured, summary)])
    return made


def _survey_cells(values: Mapping[str, Any]) -> list[str]:
    sides = [_range(values.get(f"{side}_min"), values.get(f"{side}_max")) for side in ("width", "height")]
    pixels = " x ".join(sides) if "width_min" in values else "–"
    return [pixels, _cell(values.get("images")), values.get("stain") or "–"]


def _image_cells(values: Mapping[str, Any]) -> list[str]:
    return [_cell(values.get("images"))]


def _prcnn_cells(values: Mapping[str, Any]) -> list[str]:
    return [_cell(values.get(what)) for what in _PRCNN]


def _cell(value: Any) -> str:
    """A number with at most one decimal, a published figure as printed, a dash for what is not known."""
    if value is None:
        return "–"
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def _range(low: Any, high: Any) -> str:
    return _cell(low) if low == high else f"{_cell(low)}–{_cell(high)}"


def _sources(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (d["name"], f"{d.get('citation', 'source not stated').rstrip('.')}. Licence: {d.get('licence', 'not stated')}.")
        for d in config["datasets"]
    ]
