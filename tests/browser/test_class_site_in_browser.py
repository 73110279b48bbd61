"""Leaderboards of classes in headless Chromium: no complaints, phone and dark, sorting, and finding what is wrong."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import chromium
import invented_classes
import invented_study
from chromium import Page
from karyobench.reporting.site import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.found() is None, reason="no Chromium here; install Debian's package chromium"),
]

_IMAGES = {
    f"{patient}{k}": {"label": label, "group": patient, "magnification": 40 + 60 * k, "split": "test"}
    for patient, label in (("p", "benign"), ("q", "benign"), ("r", "malignant"), ("s", "malignant"))
    for k in range(2)
}
_SURE = {image: 0.9 if about["label"] == "malignant" else 0.1 for image, about in _IMAGES.items()}
_GIVEN = {
    ("net-good", 1): _SURE | {"q1": 0.6},
    ("net-poor", 1): _SURE | {"q0": 0.7, "q1": 0.8, "s1": None},
    ("oracle_class", 1): {image: round(value) for image, value in _SURE.items()},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("study"))
        boards = [invented_classes.board(name, _IMAGES, _GIVEN, published="breakhis") for name in ("one", "two")]
        build(invented_study.study("classes", boards), "site")
        return Path("site").resolve()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Browser]:
    with chromium.running(tmp_path_factory.mktemp("profile")) as started:
        yield started


def seen(page: Page, items: str) -> list[str]:
    """First heading of each item that is not hidden."""
    shown = f"[...document.querySelectorAll('{items}')].filter((item) => !item.hidden)"
    return page.run(f"{shown}.map((item) => item.querySelector('th, h3').textContent.trim())")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_every_page_loads_without_complaint(browser: chromium.Browser, site: Path, width: int, dark: bool) -> None:
    page = browser.page(width, 800, dark)
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    assert len(names) == 2 + 2 + len(_GIVEN)
    for name in names:
        page.open(f"{site.as_uri()}/{name}")
        assert page.run("document.documentElement.scrollWidth <= innerWidth"), name
    assert page.complaints == []
    assert all(url.startswith((f"{site.as_uri()}/", "data:", "about:blank")) for url in page.requests)


def test_the_front_page_sorts_by_rate_and_by_what_was_taken_for_what(browser: chromium.Browser, site: Path) -> None:
    page = browser.page().open(f"{site.as_uri()}/index.html")
    assert seen(page, "#scores-one [data-item]") == ["net-good", "net-poor", "oracle_class fake"]
    page.click("#scores-one th[data-sort=image_rate] button")
    assert seen(page, "#scores-one [data-item]")[:2] == ["net-poor", "net-good"]
    page.click("#errors-one th[data-sort=benign_as_malignant] button")
    assert seen(page, "#errors-one [data-item]")[:2] == ["net-poor", "net-good"]


def test_wrong_images_are_found(browser: chromium.Browser, site: Path) -> None:
    page = browser.page().open(f"{site.as_uri()}/images/one.html#images?outcome=wrong+by+all")
    assert seen(page, "#images article") == ["q1"]
    page = browser.page().open(f"{site.as_uri()}/images/one.html#images?outcome=right+by+some&sort=mean")
    assert seen(page, "#images article") == ["s1", "q0"]
    page = browser.page().open(f"{site.as_uri()}/experiment/net-poor.html#images-1-one?outcome=wrong")
    assert seen(page, "#images-1-one [data-item]") == ["q0", "q1"]
    page = browser.page().open(f"{site.as_uri()}/experiment/net-poor.html#images-1-one?outcome=no+prediction")
    assert seen(page, "#images-1-one [data-item]") == ["s1"]
