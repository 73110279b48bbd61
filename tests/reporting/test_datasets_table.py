"""Tables of datasets: measured beside published, each difference named and explained; the facts are whole."""

import csv
import html
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

import datasets as step
from karyobench.datasets.summary import summarise
from karyobench.errors import KaryobenchError
from karyobench.reporting import dataset_views, datasets, pages

CONFIG = {
    "study": "data <1>",
    "datasets": [
        {"name": "dsb2018", "licence": "CC0-1.0", "citation": "Caicedo et al. <2019>"},
        {"name": "isbi2009"},
        {"name": "drive", "licence": "research", "citation": "Staal et al."},
    ],
}


def images(count: int, box: list[int], objects: list[int], **attributes: Any) -> dict[str, dict[str, Any]]:
    """Attributes of images as ingest writes them, with these numbers of objects in turn."""
    name = "-".join(map(str, attributes.values()))
    return {f"{name}-{k}": {"box": box, "n_instances": objects[k % len(objects)], **attributes} for k in range(count)}


def summaries() -> list[dict[str, Any]]:
    """DSB 2018 in part, with other counts; U2OS of ISBI 2009 exactly as published, without NIH3T3; DRIVE whole."""
    dsb = images(2, [0, 0, 256, 256], [1], image_type="he", image_type_known="he")
    dsb |= images(3, [0, 0, 256, 320], [9, 375], image_type="fluorescence", image_type_known="fluorescence")
    checks = [
        {"check": "overlapping pixels", "images": 2, "amount": 7, "note": ""},
        {"check": "grey images", "images": 3, "amount": 3, "note": ""},
        {"check": "lost objects", "images": 0, "amount": 0, "note": ""},
    ]
    counts = {"images": 664, "objects": 28986, "why": "the original release has 670 images"}
    record = {"dataset": "dsb2018", "truth": "manual", "image_type": "kmeans", "counts": counts}
    # 24 + 63 + 46 * x = 1831 has no whole x: 44 images of 38, one of 41 and one of 31 do.
    u2os = images(48, [0, 0, 1030, 1349], [24, 63, 41, 31, *[38] * 44], image_type="fluorescence", collection="U2OS")
    drive = images(40, [0, 0, 584, 565], [1], image_type="fundus")
    return [
        summarise(record, "5 of 664; some", dsb, checks),
        summarise({"dataset": "isbi2009", "truth": "manual"}, "", u2os, []),
        summarise({"dataset": "drive", "truth": "manual", "objects": "vessels"}, "", drive, []),
    ]


def cells(title: str, made: list[dict[str, Any]] | None = None) -> dict[str, dict[str, str]]:
    """Rows of the table of this title by their first cell, each by column."""
    shown = dataset_views.views(CONFIG, made or summaries())
    table = next(table for table in shown["tables"] if table.title == title)
    assert {len(row) for row in table.cells} == {len(table.alignment)}
    header, *rows = table.cells
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_every_fact_is_whole() -> None:
    with datasets.FACTS.open(newline="", encoding="utf-8") as stream:
        facts = list(csv.DictReader(stream))
    assert tuple(facts[0]) == datasets.FACT_COLUMNS
    keys = [(fact["table"], fact["name"], fact["what"]) for fact in facts]
    assert len(set(keys)) == len(keys)
    for fact in facts:
        assert fact["table"] in ("survey", "p-rcnn", "breakhis")
        assert fact["what"] in datasets.CSV_COLUMNS
        assert fact["what"] == "stain" or float(fact["stated"]) > 0
        assert fact["dataset"]
        assert fact["source"]


def test_facts_of_the_papers() -> None:
    rows = {row["name"]: row for row in datasets.published({"dsb2018", "isbi2009", "tnbc", "monuseg", "glas"})}
    assert list(rows) == ["Kumar", "Warwick-QU", "DSB_train", "ISBI1", "ISBI2", "TNBC", "TCGA"]
    dsb = rows["DSB_train"]["stated"]
    assert [dsb[what] for what in ("height_mean", "width_mean", "images", "objects")] == [
        "333.9",
        "378.5",
        "664",
        "21547",
    ]
    assert [dsb[what] for what in ("he", "fluorescence", "brightfield")] == ["107", "541", "16"]
    assert sum(int(rows[name]["stated"]["objects"]) for name in ("ISBI1", "ISBI2")) == 1831 + 2178
    assert (rows["ISBI2"]["by"], rows["ISBI2"]["value"]) == ("collection", "NIH3T3")
    assert rows["Kumar"]["stated"]["images"] == "44"


def test_facts_of_breakhis_add_up() -> None:
    stated = {(row["by"], row["value"]): int(row["stated"]["images"]) for row in datasets.published({"breakhis"})}
    powers = ("40", "100", "200", "400")
    for label in ("benign", "malignant"):
        parts = [stated["magnification+label", f"{power} {label}"] for power in powers]
        assert sum(parts) == stated["label", label]
    assert sum(stated["magnification", power] for power in powers) == stated["all", "all"] == 7909


def test_the_table_of_all_datasets() -> None:
    found = cells("Datasets")
    assert list(found) == ["dsb2018", "isbi2009", "drive"]
    dsb = found["dsb2018"]
    assert [dsb[k] for k in ("images", "objects", "fewest", "mean", "most")] == ["5", "395", "1", "79.0", "375"]
    assert (dsb["truth"], dsb["width"], dsb["height"]) == ("nuclei, manual", "256–320", "256")
    assert dsb["findings"] == "overlapping pixels: 7 in 2 images; grey images: 3"
    assert (dsb["copy"], found["drive"]["copy"]) == ("5 of 664; some", "whole")
    assert (found["drive"]["objects"], found["drive"]["truth"]) == ("–", "vessels, manual")
    assert found["drive"]["findings"] == "none"


def test_a_row_that_agrees_says_so() -> None:
    found = cells("P-RCNN paper, table 1")
    published, here = found["ISBI1 (published)"], found["isbi2009, collection U2OS (here)"]
    last = "source or difference"
    assert here.pop(last) == "agrees"
    assert published.pop(last) == "P-RCNN paper, table 1"
    assert list(here.values())[1:] == list(published.values())[1:]
    assert here["nuclei"] == "1831"
    assert cells("Survey, table 1")["drive (here)"][last] == "agrees"


def test_what_differs_is_named_and_explained() -> None:
    here = cells("P-RCNN paper, table 1")["dsb2018 (here)"]
    assert [here[k] for k in ("mean height", "mean width", "images", "nuclei")] == ["256.0", "294.4", "5", "395"]
    assert [here[k] for k in ("H&E", "fluorescence", "bright field")] == ["2", "3", "–"]
    names, reasons = here["source or difference"].split(": ", 1)
    assert names == "differs in mean height, mean width, images, nuclei, H&E, fluorescence, bright field"
    assert reasons.startswith("a part of the dataset is here; the original release has 670 images; the corrected masks")


def test_a_part_of_which_there_is_nothing() -> None:
    here = cells("P-RCNN paper, table 1")["isbi2009, collection NIH3T3 (here)"]
    assert here["images"] == "–"
    assert here["source or difference"].startswith("differs in all: none of them is here: the label maps of all 49")


def test_a_difference_without_a_reason_is_not_hidden() -> None:
    made = summaries()
    made[2]["rows"][0]["images"] = 39
    here = cells("Survey, table 1", made)["drive (here)"]
    assert here["source or difference"] == "differs in images: no reason is known"


@pytest.mark.parametrize(
    ("stated", "value", "agrees"),
    [
        *[("333.9", 333.93, True), ("333.9", 333.96, False), ("1030.0", 1030.0, True), ("44", 44, True)],
        *[("44", 45, False), ("44", None, False), ("H&E", "H&E", True), ("H&E", "H&E, IHC", False)],
    ],
)
def test_figures_agree_to_the_digits_that_were_printed(stated: str, value: Any, agrees: bool) -> None:
    row = {"stated": {"x": stated}}
    assert datasets.differences(row, {"x": value}) == ([] if agrees else ["x"])


def test_image_types_are_counted_where_they_are_known() -> None:
    dsb, isbi, _ = summaries()
    assert datasets.found(dsb, "all", "all")["stain"] == "fluorescence, H&E"
    assert datasets.found(isbi, "collection", "U2OS")["fluorescence"] == 48
    assert "he" not in {key for key, value in datasets.found(dsb, "image_type", "he").items() if value}
    assert datasets.found(dsb, "organ", "liver") == {}


def test_the_confusion_of_image_types() -> None:
    found = cells("Image types")
    assert [list(row.values())[1:] for row in found.values()] == [["3", "0"], ["0", "2"]]
    assert list(found) == ["dsb2018: fluorescence", "dsb2018: H&E"]


def test_tables_without_rows_are_left_out() -> None:
    made = [summarise({"dataset": "mine", "truth": "manual"}, "", images(1, [0, 0, 2, 2], [1], image_type="he"), [])]
    shown = dataset_views.views({"study": "s", "datasets": [{"name": "mine"}]}, made)
    assert [table.title for table in shown["tables"]] == ["Datasets"]
    assert shown["sources"] == [("mine", "source not stated. Licence: not stated.")]


def written(folder: Path) -> list[str]:
    for summary in summaries():
        (folder / f"{summary['dataset']}.json").write_text(json.dumps(summary))
    return [str(folder / f"{record['name']}.json") for record in CONFIG["datasets"]]


def test_the_step_writes_both_files(tmp_path: Path) -> None:
    out = [str(tmp_path / "t.csv"), str(tmp_path / "t.md")]
    command = ["--config", json.dumps(CONFIG), "--summaries", *written(tmp_path), "--csv", out[0], "--markdown", out[1]]
    step.main(step.arguments().parse_args(command))
    rows = list(csv.DictReader(io.StringIO(Path(out[0]).read_text())))
    assert {row["source"] for row in rows} == {
        *("measured", "P-RCNN paper, table 1", "the set's own page (the survey's table 1 lists it)")
    }
    u2os = next(row for row in rows if row["value"] == "U2OS" and row["source"] == "measured")
    assert (u2os["images"], u2os["objects"], u2os["fluorescence"], u2os["he"]) == ("48", "1831", "48", "")
    assert float(u2os["objects_mean"]) == pytest.approx(1831 / 48)
    stated = next(row for row in rows if row["name"] == "DSB_train")
    assert (stated["height_mean"], stated["objects"], stated["truth"]) == ("333.9", "21547", "")
    text = Path(out[1]).read_text()
    assert re.findall(r"^#+ .*", text, re.M) == [
        *("# Datasets of study data <1>", "## Datasets", "## Image types", "## Survey, table 1"),
        *("## P-RCNN paper, table 1", "## Sources"),
    ]
    assert "- **dsb2018**: Caicedo et al. <2019>. Licence: CC0-1.0." in text


def test_the_page_shows_the_same_tables(tmp_path: Path) -> None:
    shown = dataset_views.views(CONFIG, summaries())
    figures = [("macenko, dsb2018", "figures/stain/a.svg")]
    context = dataset_views.page(CONFIG["study"], shown, figures)
    text = pages.environment().get_template("datasets.html.j2").render(context)
    made = [
        [[_plain(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]
        for rows in (
            re.findall(r"<tr[^>]*>.*?</tr>", table, re.S) for table in re.findall(r"<table>.*?</table>", text, re.S)
        )
    ]
    assert made == [table.cells for table in shown["tables"]]
    assert "Caicedo et al. &lt;2019&gt;" in text
    assert "data <1>" not in text
    assert 'src="figures/stain/a.svg"' in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert all(anchor in ids for anchor in re.findall(r'href="#([^"]+)"', text))


def _plain(cell: str) -> str:
    """Text of a cell; a heading that sorts is a button."""
    return html.unescape(re.sub(r"</?button[^>]*>", "", cell))


def test_a_summary_that_is_none_or_of_another_dataset(tmp_path: Path) -> None:
    paths = written(tmp_path)
    with pytest.raises(KaryobenchError, match=r"isbi2009\.json: is not the summary of dataset 'dsb2018'"):
        datasets.read([paths[1]], ["dsb2018"])
    Path(paths[0]).write_text("{")
    with pytest.raises(KaryobenchError, match=r"dsb2018\.json: cannot be read as a summary .*run ingest again"):
        datasets.read(paths, ["dsb2018", "isbi2009", "drive"])
    with pytest.raises(KaryobenchError, match="--summaries must give the files"):
        datasets.read(paths[:2], ["dsb2018", "isbi2009", "drive"])
