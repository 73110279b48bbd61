"""The site as readers use it, in headless Chromium: mouse, keys, addresses, phone, dark, without scripts."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

import chromium
import invented_study as invented
from chromium import Page
from karyobench.reporting.site import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.found() is None, reason="no Chromium here; install Debian's package chromium"),
]

_IMAGES, _SIDE = 9, 96
_FOUND = {"unet3-a": 0.9, "unet3-b": 0.8, "alexnet": 0.6, "otsu": 0.3, "oracle_truth": 1.0}
_BOARD = "dsb2018"
"""A leaderboard with published figures."""


_DECODED = """
Promise.all([...document.images].filter((image) => image.checkVisibility()).map((image) => image.decode()))
  .then(() => true)
"""


def _truth(number: int) -> np.ndarray:
    """Squares on a grid; images with a higher number have more and smaller ones."""
    labels = np.zeros((_SIDE, _SIDE), np.int32)
    pitch = 32 - 2 * number
    corners = [(r, c) for r in range(2, _SIDE - pitch, pitch) for c in range(2, _SIDE - pitch, pitch)]
    for label, (row, column) in enumerate(corners, 1):
        labels[row : row + pitch - 4, column : column + pitch - 4] = label
    return labels


def _study() -> dict:
    truth = {f"im{k}": _truth(k) for k in range(_IMAGES)}
    images = {
        name: (np.repeat(labels[..., None] > 0, 3, axis=2) * np.uint8(200), labels) for name, labels in truth.items()
    }
    predictions = {
        (name, 1): {i: np.where(t <= share * t.max(), t, 0) for i, t in truth.items()} for name, share in _FOUND.items()
    }
    about = {name: {"image_type": "he" if k % 3 else "fluorescence"} for k, name in enumerate(truth)}
    trained = {"unet3-a": 60, "unet3-b": 60, "alexnet": 40}
    first = invented.board(_BOARD, images, predictions, trained=trained, published=_BOARD, about=about)
    return invented.study("browser", [first, invented.board("other", images, predictions, trained=trained)])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two leaderboards with five systems and nine images."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("study"))
        build(_study(), "site")
        return Path("site").resolve()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    """One Chromium for all tests; each opens pages of its own."""
    with chromium.running(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def front(browser: chromium.Browser, site: Path) -> Page:
    """The front page."""
    return browser.page().open(f"{site.as_uri()}/index.html")


@pytest.fixture
def images(browser: chromium.Browser, site: Path) -> Page:
    """The page of the images."""
    return browser.page().open(f"{site.as_uri()}/images/{_BOARD}.html")


def rows(page: Page, table: str = f"#scores-{_BOARD}") -> list[str]:
    """First cells of the rows that are seen."""
    cells = f"[...document.querySelectorAll('{table} [data-item]:not([hidden]) th')]"
    return [name.removesuffix(" fake") for name in page.run(f"{cells}.map((cell) => cell.textContent.trim())")]


def address(page: Page) -> str:
    """The fragment of the page's address."""
    return page.run("location.hash")


def seen_layers(page: Page) -> set[str]:
    """Kinds of layers that lie over the first picture."""
    layers = "[...document.querySelector('.stack').querySelectorAll('.layer')]"
    shown = f"{layers}.filter((layer) => getComputedStyle(layer).display !== 'none').map((layer) => layer.className)"
    return {name.removeprefix("layer ") for name in page.run(shown)}


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_every_page_loads_without_complaint_and_without_network(
    browser: chromium.Browser, site: Path, width: int, dark: bool
) -> None:
    page = browser.page(width, 800, dark)
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert len(names) == 4 + len(_FOUND)
    for name in names:
        page.open(f"{site.as_uri()}/{name}")
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), name
        page.run("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
        assert page.run(_DECODED), name
    assert page.complaints == []
    outside = [url for url in page.requests if not url.startswith((f"{site.as_uri()}/", "data:", "about:blank"))]
    assert outside == []
    assert all((Path(unquote(urlsplit(url).path))).is_file() for url in page.requests if url.startswith("file:"))


def test_headings_sort_and_fakes_stay_last(front: Page) -> None:
    assert rows(front) == ["unet3-a", "unet3-b", "alexnet", "otsu", "oracle_truth"]
    button = f"#scores-{_BOARD} th[data-sort=aji] button"
    front.click(button)
    assert rows(front) == ["otsu", "alexnet", "unet3-b", "unet3-a", "oracle_truth"]
    assert front.run(f"document.querySelector('{button}').parentElement.ariaSort") == "ascending"
    assert address(front) == f"#scores-{_BOARD}?sort=aji&order=ascending"
    front.run(f"document.querySelector('#scores-{_BOARD} th[data-sort=experiment] button').focus()")
    front.press("Enter")
    assert rows(front) == ["alexnet", "otsu", "unet3-a", "unet3-b", "oracle_truth"]
    assert front.run(f"document.querySelectorAll('#scores-{_BOARD} th:not([aria-sort=none])[aria-sort]').length") == 1


def test_rows_are_filtered_by_text_and_kind(front: Page) -> None:
    front.click(f"#scores-{_BOARD} [data-key=find]")
    front.type("UNET3")
    assert rows(front) == ["unet3-a", "unet3-b"]
    assert front.run(f"document.querySelector('#scores-{_BOARD} output').textContent") == "2 of 5 rows"
    assert address(front) == f"#scores-{_BOARD}?find=UNET3"
    front.run(f"document.querySelector('#scores-{_BOARD} [data-key=find]').select()")
    front.type("t")
    front.run(f"document.querySelector('#scores-{_BOARD} select').focus()")
    front.press("ArrowDown")
    assert rows(front) == ["unet3-a", "unet3-b", "alexnet"]
    front.press("ArrowDown")
    assert rows(front) == ["otsu"]
    assert address(front) == f"#scores-{_BOARD}?find=t&kind=not+trained"


def test_an_address_restores_a_table(browser: chromium.Browser, site: Path) -> None:
    state = f"#scores-{_BOARD}?find=net&kind=trained&sort=pq&order=ascending"
    page = browser.page().open(f"{site.as_uri()}/index.html{state}")
    assert rows(page) == ["alexnet", "unet3-b", "unet3-a"]
    assert page.run(f"document.querySelector('#scores-{_BOARD} select').value") == "trained"
    assert 0 <= page.run(f"document.querySelector('#scores-{_BOARD}').getBoundingClientRect().top") < 60
    page.run(f"location.hash = '#scores-{_BOARD}?sort=f1'")
    page.run("new Promise(requestAnimationFrame)")
    assert rows(page) == ["unet3-a", "unet3-b", "alexnet", "otsu", "oracle_truth"]


def test_strata_are_filtered_and_a_link_opens_what_is_folded(browser: chromium.Browser, site: Path) -> None:
    page = browser.page().open(f"{site.as_uri()}/index.html#strata-{_BOARD}?by=image+type&stratum=he&sort=aji")
    assert page.run(f"document.querySelector('#strata-{_BOARD}').open")
    assert rows(page, f"#strata-{_BOARD}") == ["oracle_truth", "unet3-a", "unet3-b", "alexnet", "otsu"]


def test_published_figures_are_found_by_verdict(front: Page) -> None:
    table = f"#reproduction-{_BOARD}"
    everything = rows(front, table)
    outcome = front.run(f"document.querySelector('{table} select').options[1].value")
    front.run(f"document.querySelector('{table} select').focus()")
    front.press("ArrowDown")
    some = rows(front, table)
    assert 0 < len(some) <= len(everything)
    shown = f"[...document.querySelectorAll('{table} [data-item]:not([hidden])')].map((row) => row.dataset.inOutcome)"
    assert set(front.run(shown)) == {outcome}


def test_layers_are_chosen_by_keys_and_kept_in_the_address(images: Page) -> None:
    assert seen_layers(images) == {"errors"}
    images.run("document.querySelector('[data-key=layer]:checked').focus()")
    images.press("ArrowLeft")
    assert seen_layers(images) == {"prediction"}
    images.press("ArrowLeft")
    assert seen_layers(images) == {"truth"}
    assert address(images) == "#images?layer=truth"
    images.press("ArrowLeft")
    assert seen_layers(images) == set()
    images.open(images.run("location.href"))
    assert images.run("document.querySelector('[data-key=layer]:checked').value") == "image"
    assert seen_layers(images) == set()


def test_a_slider_uncovers_the_image(images: Page) -> None:
    images.run("document.querySelector('[data-key=uncover]').focus()")
    clip = "getComputedStyle(document.querySelector('.layer.errors')).clipPath"
    assert images.run(clip) == "inset(0px 0px 0px 0%)"
    images.press("End")
    assert images.run(clip) == "inset(0px 0px 0px 100%)"
    assert address(images) == "#images?uncover=100"


def test_pictures_are_loaded_when_they_are_needed(images: Page) -> None:
    asked = " ".join(images.requests)
    assert "-errors.png" in asked
    assert "/truth/" not in asked
    images.click("[data-key=layer][value=truth]")
    images.run("new Promise((done) => setTimeout(done, 300))")
    assert "/truth/" in " ".join(images.requests)


def test_a_click_on_a_dot_opens_its_image(images: Page) -> None:
    dot = ".series a[data-image=im4]"
    images.click(dot)
    assert address(images) == "#image-im4"
    assert images.run("document.activeElement.id") == "image-im4"
    assert -1 <= images.run("document.querySelector('#image-im4').getBoundingClientRect().top") < 80


def test_keys_move_between_dots_and_open_an_image(images: Page) -> None:
    images.run("document.querySelector('.scatter a[tabindex=\"0\"]').focus()")
    told = "document.querySelector('.pointed').textContent"
    assert images.run(told).startswith("im0: unet3-a, AJI 0.")
    images.press("ArrowRight", "ArrowRight")
    assert re.match(r"im\d: unet3-a, AJI", images.run(told))
    image = images.run("document.activeElement.dataset.image")
    images.press("ArrowDown")
    assert images.run(told).startswith(f"{image}: unet3-b, AJI")
    assert images.run("document.querySelectorAll('.scatter svg')[0].querySelectorAll('a[tabindex=\"0\"]').length") == 1
    images.press("Enter")
    assert address(images) == f"#image-{image}"


def test_systems_are_taken_out_of_the_plots(images: Page) -> None:
    shown = (
        "[...document.querySelectorAll('.scatter svg')]"
        ".map((plot) => plot.querySelectorAll('.series:not([hidden])').length)"
    )
    assert images.run(shown) == [4, 4]
    images.click(".choice input")
    assert images.run(shown) == [3, 3]


def test_cards_are_ordered_filtered_and_restored(browser: chromium.Browser, site: Path) -> None:
    page = browser.page().open(
        f"{site.as_uri()}/images/{_BOARD}.html#image-im3?image_type=fluorescence&sort=density&layer=truth"
    )
    assert rows_of_cards(page) == ["image-im6", "image-im3", "image-im0"]
    assert seen_layers(page) == {"truth"}
    assert page.run("document.activeElement.id") == "image-im3"
    page.run("document.querySelector('[data-key=find]').focus()")
    page.type("im6")
    assert rows_of_cards(page) == ["image-im6"]
    page.run("location.hash = '#image-im3'")
    page.run("new Promise(requestAnimationFrame)")
    assert "image-im3" in rows_of_cards(page)
    assert address(page) == "#image-im3?find=im6&image_type=fluorescence&sort=density&layer=truth"


def rows_of_cards(page: Page) -> list[str]:
    """Ids of the cards that are seen."""
    return page.run("[...document.querySelectorAll('article:not([hidden])')].map((card) => card.id)")


def test_the_theme_is_the_systems_until_the_reader_chooses(browser: chromium.Browser, site: Path) -> None:
    page = browser.page(dark=True).open(f"{site.as_uri()}/index.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = page.run(paper)
    page.click("#theme")
    assert page.run(paper) == "rgb(255, 255, 255)" != dark
    assert page.open(f"{site.as_uri()}/datasets.html").run(paper) == "rgb(255, 255, 255)"
    page.click("#theme")
    assert page.run(paper) == dark


def test_systems_over_all_leaderboards_are_a_table_that_sorts(front: Page) -> None:
    assert rows(front, "#overall") == ["unet3-a", "unet3-b", "alexnet", "otsu"]
    front.click("#overall th[data-sort=mean_rank] button")
    front.click("#overall th[data-sort=mean_rank] button")
    assert rows(front, "#overall") == ["otsu", "alexnet", "unet3-b", "unet3-a"]
    assert address(front) == "#overall?sort=mean_rank&order=descending"


@pytest.mark.parametrize("name", ["index.html", f"images/{_BOARD}.html", "experiment/unet3-a.html", "datasets.html"])
def test_controls_and_pictures_have_names(browser: chromium.Browser, site: Path, name: str) -> None:
    page = browser.page().open(f"{site.as_uri()}/{name}")
    controls = "[...document.querySelectorAll('input, select, button')]"
    named = "(control) => (control.labels?.[0] ?? control).textContent.trim()"
    assert page.run(f"{controls}.length") > 1
    assert page.run(f"{controls}.every({named})")
    assert page.run("[...document.images].every((image) => image.alt)")
    assert page.run("[...document.querySelectorAll('svg')].every((svg) => svg.matches('figure svg, [aria-hidden]'))")


def test_the_first_tab_leads_past_the_navigation(front: Page) -> None:
    front.press("Tab")
    assert front.run("document.activeElement.textContent") == "Skip to content"
    front.press("Tab", "Tab")
    assert front.run("document.activeElement.textContent") == "Datasets"


def test_without_scripts_everything_is_there_and_layers_still_change(browser: chromium.Browser, site: Path) -> None:
    page = browser.page()
    page.without_scripts()
    page.open(f"{site.as_uri()}/images/{_BOARD}.html")
    assert page.run("[...document.querySelectorAll('.tools')].every((tools) => tools.hidden)")
    assert page.run("document.querySelectorAll('article').length") == _IMAGES
    page.click("[data-key=layer][value=prediction]")
    assert seen_layers(page) == {"prediction"}
