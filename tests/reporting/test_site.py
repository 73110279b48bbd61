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
from karyobench.metrics.contingency import contingency
from karyobench.reporting.overlays import errors, outlines, save_layer
from karyobench.reporting.site import build

_VOID = {"meta", "link", "img", "br", "input"}
_APART = {"td", "th", "br", "li", "small", "dt", "dd"}
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
        self.text += " " if tag in _APART else ""
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
    wider = {name: np.pad(labels, ((0, 0), (0, 4 * k))) for k, (name, labels) in enumerate(truth.items())}
    pixels = {name: np.full((*labels.shape, 3), 40 * k, np.uint8) for k, (name, labels) in enumerate(truth.items())}
    images = {name: (pixels[name], truth[name]) for name in truth}
    shares = dict(zip(truth, (2, 5, 1, 3, 4), strict=True))
    good = {name: found(labels, shares[name]) for name, labels in truth.items()}
    weak = {name: found(labels, 1) for name, labels in truth.items()} | {"im2": None}
    predictions = {
        **{("unet3-a", seed): good for seed in (1, 2)},
        **{("otsu-a", 1): weak, (_ODD, 1): weak, ("oracle_truth", 1): truth},
    }
    about = {name: {"organ": "breast" if k % 2 else "liver"} for k, name in enumerate(truth)}
    loud = invented.board(
        *("dsb2018", images, predictions),
        **{"trained": {"unet3-a": 60}, "truth": "pseudo", "subset": "5 of 670 images", "published": "dsb2018"},
        about=about,
    )
    images = {name: (np.zeros((*labels.shape, 3), np.uint8), labels) for name, labels in wider.items()}
    weak = {name: found(labels, 1) for name, labels in wider.items()} | {"im2": None}
    predictions = {("unet3-a", 1): weak, ("oracle_truth", 1): wider}
    quiet = invented.board('b<i>"&', images, predictions, trained={"unet3-a": 60})
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
    assert "images/dsb2018.html" in pages
    assert len(pages) == 8
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
            {"src": f"{'../' if page.path.parent.name in ('experiment', 'images') else ''}site.js", "defer": None}
        ]
    assert _ODD in pages["index.html"].text
    assert _ODD_IMAGE in pages["experiment/otsu-a.html"].text
    assert "Study demo <1>" in pages["index.html"].text


def tables(page: Page) -> list[pd.DataFrame]:
    """Sortable tables of a page: the text of each cell, with `data-value` where there is one."""
    made = []
    for table in re.findall(r"<table[^>]*>.*?</table>", page.path.read_text(encoding="utf-8"), re.S):
        headers = re.findall(
            r"<th scope=\"col\"[^>]*aria-sort=\"(\w+)\"[^>]*><button type=\"button\">(.*?)</button>", table
        )
        if not headers:
            continue
        rows = []
        for body in re.findall(r"<tbody data-sortable.*?</tbody>", table, re.S):
            for row in re.findall(r"<tr[^>]*>.*?</tr>", body, re.S):
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
    assert shown.loc["unet3-a", "rank"] == 1
    assert shown.loc["otsu-a", "to the best"] == pytest.approx(-0.44)
    assert np.isnan(shown.loc["otsu-a", "training minutes"])


def test_the_leader_is_a_measured_competitor_with_its_margin_and_how_sure_that_is(pages: dict[str, Page]) -> None:
    # unet3-a finds 2, 5, 1, 3 and 4 of 5 nuclei: AJI 0.6. The others find 1 of 5 in four images, 0 in one: 0.16.
    words = pages["index.html"].words
    told = re.search(
        r"unet3-a leads in AJI with 0\.600 \(95% interval [^)]*\), "
        rf"0\.440 \((.*?) to (.*?)\) above {re.escape(_ODD)}\. "
        r"No other is level with it on these images\. It stays ahead of .*? in (\d+\.\d) % of the resampled",
        words,
    )
    low, high, share = map(float, told.groups())
    assert 0 < low < 0.44 < high
    assert share > 95
    assert "oracle_truth leads" not in words
    assert "unet3-a leads in AJI with 0.160 (95% interval" in words
    assert "It has no rival." in words


def test_published_rows_stand_apart_and_keep_their_digits(pages: dict[str, Page]) -> None:
    text = pages["index.html"].path.read_text(encoding="utf-8")
    scores = text[text.index('<div id="scores-dsb2018"') : text.index('<details id="pooled-dsb2018"')]
    published = text[text.index('<div id="published-dsb2018"') : text.index('<div id="reproduction-dsb2018"')]
    assert '<span class="badge">published</span>' not in scores
    assert published.count('<span class="badge">published</span>') == published.count("<tr data-item>") > 5
    assert ">0.3517<" in published
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
    assert "oracle_truth fake" in pages["index.html"].words


def test_every_published_figure_is_set_against_what_was_measured(
    built: tuple[Path, dict[str, Any]], pages: dict[str, Page]
) -> None:
    facts = pd.read_csv(built[1]["leaderboards"][0]["reproduction"], dtype=str, keep_default_na=False)
    shown = next(table for table in tables(pages["index.html"]) if "published system" in table)
    assert shown["published"].tolist() == facts["published"].astype(float).tolist()
    assert all(
        row["verdict"].startswith(fact) for (_, row), fact in zip(shown.iterrows(), facts["verdict"], strict=True)
    )


def test_strata_are_shown_and_filtered_by(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    rows = pd.read_csv(built[1]["leaderboards"][0]["strata"], dtype=str, keep_default_na=False)
    shown = next(table for table in tables(pages["index.html"]) if "stratum" in table)
    assert len(shown) == len(rows)
    assert sorted(shown["AJI"]) == pytest.approx(sorted(rows["aji"].astype(float)))
    organs = rows[(rows["by"] == "organ") & (rows["experiment"] == "unet3-a")].set_index("stratum")["aji"]
    row = re.search(r"unet3-a (0\.\d{3}) (0\.\d{3}) ", pages["index.html"].words.partition("By organ")[2])
    assert list(row.groups()) == [f"{float(organs[organ]):.3f}" for organ in ("breast", "liver")]


def test_the_gallery_shows_best_median_and_worst(pages: dict[str, Page]) -> None:
    captions = re.findall(
        r"<figcaption>\s*<strong>(.*?)</strong> · <a href=\"(.*?)\">(.*?)</a><br>\s*AJI (.*?) ·", _card_html(pages)
    )
    assert [(role, html.unescape(image), float(aji)) for role, _, image, aji in captions] == [
        ("best", "im1", 1.0),
        ("median", "im3", 0.6),
        ("worst", "im2", 0.2),
    ]
    assert captions[0][1] == "../images/dsb2018.html#image-im1"


def _card_html(pages: dict[str, Page]) -> str:
    """The first gallery of the page of unet3-a."""
    text = pages["experiment/unet3-a.html"].path.read_text(encoding="utf-8")
    return text.split('<div class="cards">')[1].split("<h3>")[0]


def test_every_image_has_a_card_with_every_system(pages: dict[str, Page]) -> None:
    page = pages["images/dsb2018.html"]
    cards = re.findall(r"<article id=\"(.*?)\".*?</article>", page.path.read_text(encoding="utf-8"), re.S)
    assert len(cards) == 5
    assert cards[:4] == [f"image-im{k}" for k in range(4)]
    for told in ("5 predicted for 5 in truth: 0 missed, 0 false, 0 merged, 0 split", "4 missed, 0 false"):
        assert told in page.words
    assert page.words.count("no prediction") == 2
    assert page.words.count("unet3-a AJI") == 5


def test_layers_are_of_the_image_its_truth_and_its_prediction(
    built: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    site, _ = built
    truth, predicted = truth_map(5), found(truth_map(5), 3)
    drawn = errors(truth, predicted, contingency(truth, predicted), (0, 0, *truth.shape))
    save_layer(tmp_path / "truth.png", outlines(truth), "truth")
    save_layer(tmp_path / "prediction.png", outlines(predicted), "prediction")
    save_layer(tmp_path / "errors.png", drawn, "right")
    gallery = site / "gallery/dsb2018"
    for made, name in (
        ("truth", "truth/im3"),
        ("prediction", "systems/unet3-a/im3-prediction"),
        ("errors", "systems/unet3-a/im3-errors"),
    ):
        assert (gallery / f"{name}.png").read_bytes() == (tmp_path / f"{made}.png").read_bytes()
    image = np.array(Image.open(gallery / "images/im3.jpg")).astype(int)
    assert image.shape == (*truth.shape, 3)
    assert np.abs(image - 120).max() <= 2


def test_a_missing_prediction_is_shown_as_such(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    site, _ = built
    assert "worst · im2 no prediction" in pages["experiment/otsu-a.html"].words
    layer = np.array(Image.open(site / "gallery/dsb2018/systems/otsu-a/im2-prediction.png").convert("RGBA"))
    assert layer[..., 3].max() == 0


def test_a_dot_per_image_and_system_leads_to_the_image(pages: dict[str, Page]) -> None:
    page = pages["images/dsb2018.html"]
    dots = [attributes for tag, attributes in page.elements if tag == "a" and "data-image" in attributes]
    # Every image has five nuclei of one size, so that only image types and organs could part them.
    assert dots == []
    assert "Images, all systems side by side" in page.words
    page = pages[next(name for name in pages if name.startswith("images/b"))]
    dots = [attributes for tag, attributes in page.elements if tag == "a" and "data-image" in attributes]
    assert {dot["data-image"] for dot in dots} == {"im0", "im1", "im2", "im3", _ODD_IMAGE}
    assert len(dots) == 10


def test_each_number_has_a_way_back(built: tuple[Path, dict[str, Any]], pages: dict[str, Page]) -> None:
    row = built[1]["leaderboards"][0]["rows"][0]
    words = pages["experiment/unet3-a.html"].words
    for kind in ("metrics", "merged", "run", "history", "weights"):
        assert f"{row[kind]} {files.sha256_file(row[kind])}" in words
    assert files.digest(files.canonical(row["config"])) in words
    assert '"module": "unet3"' in words
    assert files.digest("im3") in words
    assert "software: torch 2.13.0 2.13.0" in words
    images = tables(pages["experiment/unet3-a.html"])[0].set_index("image")
    np.testing.assert_allclose(images.loc[["im0", "im1", "im2", "im3", _ODD_IMAGE], "AJI"], [0.4, 1, 0.2, 0.6, 0.8])


def test_downloads_are_copies_of_the_tables(built: tuple[Path, dict[str, Any]]) -> None:
    site, config = built
    board = config["leaderboards"][0]
    names = {"csv": ".csv", "markdown": ".md", "latex": ".tex"}
    names |= {kind: f"_{kind}.csv" for kind in ("summary", "strata", "pairs", "reproduction")}
    for kind, name in names.items():
        assert (site / f"downloads/dsb2018/dsb2018{name}").read_bytes() == Path(board[kind]).read_bytes()


def test_json_holds_what_the_csv_holds(built: tuple[Path, dict[str, Any]]) -> None:
    site, config = built
    for kind, name in (("csv", ""), ("summary", "_summary"), ("strata", "_strata"), ("pairs", "_pairs")):
        rows = json.loads((site / f"downloads/dsb2018/dsb2018{name}.json").read_text())
        table = pd.read_csv(config["leaderboards"][0][kind], dtype=str, keep_default_na=False)
        assert [list(row) for row in rows] == [list(table.columns)] * len(table)
        for row, cells in zip(rows, table.to_dict("records"), strict=True):
            for column, value in row.items():
                if isinstance(value, float | int):
                    assert float(cells[column]) == value
                else:
                    assert cells[column] == (value or "")
    summary = json.loads((site / "downloads/dsb2018/dsb2018_summary.json").read_text())
    first = next(row for row in summary if row["experiment"] == "unet3-a")
    assert (first["aji"], first["n_seeds"], first["aji_tied"]) == (0.6, 2, "best")
    assert "0.3517" in [row["ap"] for row in summary if row["source"] == "published"]


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


def test_a_study_without_leaderboards_leads_to_its_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    build(invented.study("data", []), "site")
    page = Page(Path("site/index.html"))
    assert "prepares data and scores nothing" in page.words
    assert page.values("href").count("datasets.html") == 2
    assert not Path("site/downloads").exists()
