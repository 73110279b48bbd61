"""What the datasets of a study hold, as ingest found it, and what papers say of them: our own table of facts."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from karyobench.errors import KaryobenchError

Record = dict[str, Any]

FACTS = Path(__file__).with_name("published_datasets.csv")
FACT_COLUMNS = ("table", "name", "dataset", "by", "value", "what", "stated", "source", "note")

KINDS = {"he": "H&E", "ihc": "IHC", "fluorescence": "fluorescence", "brightfield": "bright field", "fundus": "fundus"}
PER_IMAGE = ("objects_min", "objects_mean", "objects_max")
SIDES = tuple(f"{side}_{end}" for side in ("width", "height") for end in ("min", "mean", "max"))
_FOUND = ("images", "objects", "empty", *PER_IMAGE, *SIDES, *KINDS, "stain")
CSV_COLUMNS = ("source", "name", "dataset", "truth_of", "truth", "subset", "by", "value", *_FOUND)


def read(paths: Sequence[str | Path], names: Sequence[str]) -> list[Record]:
    """Summaries of the named datasets. Raises KaryobenchError naming a file that is none, or is that of another."""
    if len(paths) != len(names):
        raise KaryobenchError(f"--summaries must give the files of the datasets in --config, in their order: {names}")
    summaries = []
    for path, name in zip(paths, names, strict=True):
        try:
            summary = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise KaryobenchError(f"{path}: cannot be read as a summary ({error}); run ingest again") from None
        if summary.get("dataset") != name:
            raise KaryobenchError(f"{path}: is not the summary of dataset '{name}'; run ingest again")
        summaries.append(summary)
    return summaries


def csv_text(summaries: Sequence[Record], facts: Path = FACTS) -> str:
    """Every row of the summaries, then the published rows of these datasets, under CSV_COLUMNS; blank is unknown."""
    by_name = {summary["dataset"]: summary for summary in summaries}
    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for name, summary in by_name.items():
        about = {"source": "measured", "name": name, "dataset": name, "truth_of": summary["objects"]}
        about |= {"truth": summary["truth"], "subset": summary["subset"]}
        for by, value in ((row["by"], row["value"]) for row in summary["rows"]):
            writer.writerow({**about, "by": by, "value": value, **found(summary, by, value)})
    for row in published(by_name, facts):
        writer.writerow({key: row[key] for key in ("source", "name", "dataset", "by", "value")} | row["stated"])
    return text.getvalue()


def published(datasets: Mapping[str, Any], facts: Path = FACTS) -> list[Record]:
    """Published rows of these datasets: table, name, dataset, by, value, source, and `stated` and `notes` per figure.

    by and value say with which row of the dataset's summary it compares. Figures keep the digits that were printed.
    """
    rows: dict[tuple[str, ...], Record] = {}
    with facts.open(newline="", encoding="utf-8") as stream:
        for fact in csv.DictReader(stream):
            key = {name: fact[name] for name in ("table", "name", "dataset", "by", "value", "source")}
            if fact["dataset"] in datasets:
                row = rows.setdefault(tuple(key.values()), {**key, "stated": {}, "notes": {}})
                row["stated"][fact["what"]] = fact["stated"]
                row["notes"][fact["what"]] = fact["note"]
    return list(rows.values())


def found(summary: Record, by: str, value: str) -> Record:
    """What a summary has for the images with this value of an attribute, by the names of the facts; {} without any.

    Image types are counted for the whole dataset, and for parts of a dataset of one type.
    """
    row = next((row for row in summary["rows"] if (row["by"], row["value"]) == (by, value)), None)
    if row is None:
        return {}
    kinds = {r["value"]: r["images"] for r in summary["rows"] if r["by"] == "image_type"}
    stain = ", ".join(KINDS.get(kind, kind) for kind in kinds)
    if len(kinds) == 1:
        kinds = dict.fromkeys(kinds, row["images"])
    elif by != "all":
        kinds, stain = {}, ""
    return {key: row.get(key) for key in _FOUND} | kinds | {"stain": stain}


def differences(row: Record, measured: Record) -> list[str]:
    """Figures of a published row that differ from those measured, to the digits that were printed."""
    return [what for what, stated in row["stated"].items() if not _agrees(stated, measured.get(what))]


def _agrees(stated: str, value: Any) -> bool:
    if isinstance(value, int | float):
        return f"{value:.{len(stated.partition('.')[2])}f}" == stated
    return stated == value
