"""The site, built from invented inputs: links, markup, order, labels, escaping, determinism."""

import argparse
import html
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import invented_study as invented
import report
from karyobench import files
from karyobench.errors import KaryobenchError
from karyobench.reporting.overlays import outlines
from karyobench.reporting.site import build

_VOID = {"meta", "link", "img", "br", "input"}
_ODD = 'otsu-<script>alert(1)</script> & "q"'
_ODD_IMAGE = "im<b>&'1"
_UNIT = 12


class Page(HTMLParser):
    """Elements of a page (tag, attributes), its text, and what is wrong with its nesting."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.elements, self.faults = path, [], []
        self._open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.faults += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        """Values of the attributes of these names."""
        return [v for _, attributes in self.elements for k, v in attributes.items() if k in names and v is not None]

    @property
    def words(self) -> str:
        """Text with single spaces."""
        return " ".join(self.text.split())


def truth_map(nuclei: int) -> np.ndarray:
    """A row of square nuclei, 8 x 8 pixels each."""
    labels = np.zeros((_UNIT, _UNIT * nuclei), np.int32)
    for k in range(nuclei):
        labels[2:10, _UNIT * k + 2 : _UNIT * k + 10] = k + 1
    return labels


def found(truth: np.ndarray, share: int) -> np.ndarray:
    """Exactly the first `share` nuclei: AJI is share / n."""
    return np.where(truth <= share, truth, 0)


def study() -> dict[str, Any]:
    """Two leaderboards: one loud in every way, one with an odd name, sharing an experiment."""
    truth = {f"im{k}": truth_map(5) for k in range(4)} | {_ODD_IMAGE: truth_map(5)}
    pixels = {name: np.full((*labels.shape, 3), 40 * k, np.uint8) for k, (name, labels) in enumerate(truth.items())}
    images = {name: (pixels[name], truth[name]) for name in truth}
    shares = dict(zip(truth, (2, 5, 1, 3, 4), strict=True))
    good = {name: found(labels, shares[name]) for name, labels in truth.items()}
    weak = {name: found(labels, 1) for name, labels in truth.items()} | {"im2": None}
    predictions = {
        **{("unet3-a", seed): good for seed in (1, 2)},
        **{("otsu-a", 1): weak, (_ODD, 1): weak, ("oracle_truth", 1): truth},
    }
    loud = invented.board(
        *("dsb2018", images, predictions),
        **{"trained": {"unet3-a": 60}, "truth": "pseudo", "subset": "5 of 670 images", "published": "dsb2018"},
    )
    quiet = invented.board('b<i>"&', images, {("unet3-a", 1): weak}, trained={"unet3-a": 60})
    return invented.study("demo <1>", [loud, quiet])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The site and its slice; the working directory is where the slice's paths start."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("study"))
        config = study()
        build(config, "site")
        yield Path("site").resolve(), config


@pytest.fixture(scope="module")
def pages(built: tuple[Path, dict[str, Any]]) -> dict[str, Page]:
    """Every page by its path below the site."""
    site, _ = built
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))}


def test_one_page_per_experiment_with_safe_names(pages: dict[str, Page]) -> None:
    assert {"index.html", "datasets.html", "experiment/unet3-a.html", "experiment/otsu-a.html"} < set(pages)
    assert len(pages) == 6
    assert all(re.fullmatch(r"[A-Za-z0-9._/-]+", name) for name in pages)


def test_every_link_resolves_within_the_site(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    site, _ = built
    for page in pages.values():
        links = [v for v in page.values("href", "src") if not v.startswith("data:,")]
        assert len(links) > 5
        for link in links:
            path, _, anchor = link.partition("#")
            target = (page.path.parent / path).resolve() if path else page.path
            assert target.is_relative_to(site)
            assert target.is_file(), link
            if anchor:
                assert anchor in Page(target).values("id"), link


def test_nothing_is_loaded_from_the_network(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    site, _ = built
    for page in pages.values():
        outward = [
            (tag, name, value)
            for tag, attributes in page.elements
            for name, value in attributes.items()
            if re.search(r"(?i)(https?:|^//|url\((?!#))", value or "") and not name.startswith("xmlns")
        ]
        assert outward == []
    for path in (*site.glob("*.css"), *site.glob("*.js")):
        assert not re.search(r"https?:|@import|url\(|fetch|import\(", path.read_text()), path


def test_pages_are_well_formed_with_unique_ids(pages: dict[str, Page]) -> None:
    for name, page in pages.items():
        assert page.faults == [], name
        ids = page.values("id")
        assert len(ids) == len(set(ids)), name


def test_only_the_sites_own_script_runs_and_odd_names_are_text(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert [a for tag, a in page.elements if tag == "script"] == [
            {"src": f"{'../' if page.path.parent.name == 'experiment' else ''}site.js", "defer": None}
        ]
    assert _ODD in pages["index.html"].text
    assert _ODD_IMAGE in pages["experiment/otsu-a.html"].text
    assert "Study demo <1>" in pages["index.html"].text


def tables(page: Page) -> list[pd.DataFrame]:
    """Sortable tables of a page: the text of each cell, with `data-value` where there is one."""
    made = []
    for table in re.findall(r"<table>.*?</table>", page.path.read_text(encoding="utf-8"), re.S):
        headers = re.findall(r"<th scope=\"col\"[^>]*aria-sort=\"(\w+)\"><button type=\"button\">(.*?)</button>", table)
        if not headers:
            continue
        rows = []
        for body in re.findall(r"<tbody data-sortable.*?</tbody>", table, re.S):
            for row in re.findall(r"<tr>.*?</tr>", body, re.S):
                cells = re.findall(r"<t[hd]([^>]*)>(.*?)</t[hd]>", row, re.S)
                rows.append([_value(attributes, content) for attributes, content in cells])
        made.append(pd.DataFrame(rows, columns=[html.unescape(label) for _, label in headers]))
        assert [state for state, _ in headers].count("none") >= len(headers) - 1
    return made


def _value(attributes: str, content: str) -> Any:
    held = re.search(r'data-value="([^"]*)"', attributes)
    if held:
        return float(held.group(1) or "nan")
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", content)).split())


def test_sortable_columns_hold_the_numbers_of_the_csv(
    built: tuple[Path, dict[str, Any]], pages: dict[str, Page]
) -> None:
    shown = tables(pages["index.html"])[0].set_index("experiment")
    summary = pd.read_csv(built[1]["leaderboards"][0]["summary"])
    summary = summary[summary["source"] == "measured"].set_index("experiment")
    assert list(shown.index) == ["unet3-a", _ODD, "otsu-a", "oracle_truth fake"]
    for label, column in (("AJI", "aji"), ("F1@0.50", "f1"), ("pixel accuracy", "pixel_accuracy"), ("steps", "steps")):
        assert shown.loc["unet3-a", label] == summary.loc["unet3-a", column]
    assert shown.loc["otsu-a", "missing"] == 1
    assert shown.loc["unet3-a", "training minutes"] == 4.25
    assert np.isnan(shown.loc["otsu-a", "training minutes"])


def test_the_leader_is_a_measured_competitor_with_its_margin(pages: dict[str, Page]) -> None:
    # unet3-a finds 2, 5, 1, 3 and 4 of 5 nuclei: AJI 0.6. The others find 1 of 5 in four images, 0 in one: 0.16.
    words = pages["index.html"].words
    assert re.search(
        r"unet3-a leads in AJI with 0\.600 [^,]*, 0\.440 above " + re.escape(_ODD) + r" \(0\.160\)\.", words
    )
    assert "oracle_truth leads" not in words
    assert "unet3-a leads in AJI with 0.160 (95% interval" in words


def test_published_rows_stand_apart_and_keep_their_digits(pages: dict[str, Page]) -> None:
    text = pages["index.html"].path.read_text(encoding="utf-8")
    rows = [row for row in re.findall(r"<tr>.*?</tr>", text, re.S) if '<span class="badge">published</span>' in row]
    sortable = "".join(re.findall(r"<tbody data-sortable.*?</tbody>", text, re.S))
    assert rows
    assert not any(row in sortable for row in rows)
    assert any(">0.3517<" in row for row in rows)
    assert "Not measured here." in pages["index.html"].words


def test_pseudo_truth_subset_and_policies_are_told(pages: dict[str, Page]) -> None:
    for name in ("index.html", "experiment/otsu-a.html"):
        assert "PSEUDO-TRUTH" in pages[name].words
        assert "NOT THE WHOLE DATASET: 5 of 670 images" in pages[name].words
    words = pages["index.html"].words
    for told in ("Missing predictions", "Empty images", "IoU thresholds", "Tuning", "Uncertainty"):
        assert told in words
    assert words.count("PSEUDO-TRUTH") == 2


def test_fakes_are_marked(pages: dict[str, Page]) -> None:
    assert "Fake." in pages["experiment/oracle_truth.html"].words
    assert "Fake." not in pages["experiment/otsu-a.html"].words
    assert "oracle_truth (fake)" in pages["index.html"].words


def test_the_gallery_shows_best_median_and_worst(pages: dict[str, Page]) -> None:
    captions = re.findall(r"<figcaption>\s*<strong>(.*?)</strong> · (.*?)\s*<br>\s*AJI (.*?) ·", _card_html(pages))
    assert [(role, html.unescape(image), float(aji)) for role, image, aji in captions] == [
        ("best", "im1", 1.0),
        ("median", "im3", 0.6),
        ("worst", "im2", 0.2),
    ]


def _card_html(pages: dict[str, Page]) -> str:
    """The first gallery of the page of unet3-a."""
    return pages["experiment/unet3-a.html"].path.read_text(encoding="utf-8").split('<div class="cards">')[1]


def test_outline_files_are_of_the_image_and_its_prediction(built: tuple[Path, dict[str, Any]]) -> None:
    site, _ = built
    truth = truth_map(5)
    layer = np.array(Image.open(site / "gallery/dsb2018/outlines/unet3-a/im3.png"))
    np.testing.assert_array_equal(layer, outlines(truth, found(truth, 3)))
    image = np.array(Image.open(site / "gallery/dsb2018/images/im3.png"))
    np.testing.assert_array_equal(image, np.full((*truth.shape, 3), 120, np.uint8))


def test_a_missing_prediction_is_shown_as_such(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    site, _ = built
    assert "worst · im2 no prediction" in pages["experiment/otsu-a.html"].words
    layer = np.array(Image.open(site / "gallery/dsb2018/outlines/otsu-a/im2.png"))
    np.testing.assert_array_equal(layer, outlines(truth_map(5), None))


def test_each_number_has_a_way_back(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    row = built[1]["leaderboards"][0]["rows"][0]
    words = pages["experiment/unet3-a.html"].words
    assert f"{row['metrics']} (sha256 {files.sha256_file(row['metrics'])})" in words
    for path in (row["instances"], row["run"], row["history"], row["run"].replace("run.json", "weights.safetensors")):
        assert path in words
    assert f"sha256 {files.digest(files.canonical(row['config']))}" in words
    assert files.digest("im3") in words
    assert '"torch": "2.13.0"' in words
    images = tables(pages["experiment/unet3-a.html"])[0].set_index("image")
    np.testing.assert_allclose(images.loc[["im0", "im1", "im2", "im3", _ODD_IMAGE], "AJI"], [0.4, 1, 0.2, 0.6, 0.8])


def test_downloads_are_copies_of_the_tables(built: tuple[Path, dict[str, Any]]) -> None:
    site, config = built
    board = config["leaderboards"][0]
    names = {"csv": "dsb2018.csv", "summary": "dsb2018_summary.csv", "markdown": "dsb2018.md", "latex": "dsb2018.tex"}
    for kind, name in names.items():
        assert (site / "downloads" / name).read_bytes() == Path(board[kind]).read_bytes()


def test_two_builds_are_equal_and_the_second_replaces_the_first(built: tuple[Path, dict[str, Any]]) -> None:
    site, config = built
    again = Path("again")
    again.mkdir()
    (again / "stale.html").write_text("old")
    command = ["--config", json.dumps(config), "--output", str(again)]
    report.main(report.arguments().parse_args(command))
    first, second = ({p.relative_to(d): p.read_bytes() for p in d.rglob("*") if p.is_file()} for d in (site, again))
    assert first == second


@pytest.mark.parametrize(("kind", "remedy"), [("history", "run train again"), ("latex", "run leaderboard again")])
def test_a_broken_input_leaves_the_earlier_site(built: tuple[Path, dict[str, Any]], kind: str, remedy: str) -> None:
    site, config = built
    broken = json.loads(json.dumps(config))
    board = broken["leaderboards"][0]
    (board if kind in board else board["rows"][0])[kind] = "gone.csv"
    with pytest.raises(KaryobenchError, match=rf"gone\.csv.*{remedy}"):
        report.main(argparse.Namespace(config=broken, output=str(site)))
    assert (site / "index.html").is_file()


def test_a_study_of_fakes_alone_names_no_leader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    truth = truth_map(2)
    image = {"only": (np.zeros((*truth.shape, 3), np.uint8), truth)}
    board = invented.board("smoke", image, {("oracle_truth", 1): {"only": truth}}, truth="synthetic")
    build(invented.study("smoke", [board]), "site")
    words = Page(Path("site/index.html")).words
    assert "No system competes here" in words
    assert "best and median and worst · only" in words
    assert "synthetic" in words
