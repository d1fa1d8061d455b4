"""The HTML report in headless Chromium: it loads nothing, complains of nothing, and can be used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from synthetic_results import SEARCHERS, trial, write_results, write_run

from bayeshpo.analysis.report import write_report

pytestmark = pytest.mark.browser
_SYSTEMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_REMEDY = "this test needs Chromium: install it with 'apt-get install chromium' or 'uv run playwright install chromium'"
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of three problems, two searchers and two seeds, one trial of which failed."""
    results = write_results(tmp_path_factory.mktemp("browser") / "demo", seeds=2, budget=9)
    add_branin(results, budget=9)
    file = next(iter(sorted(results.glob("runs/*random-1/trials.jsonl"))))
    lines = file.read_text().splitlines()
    failed = json.loads(lines[3]) | {"value": None, "status": "raised", "reason": "ValueError: no such kernel"}
    file.write_text("\n".join([*lines[:3], json.dumps(failed), *lines[4:]]) + "\n")
    return write_report(results)


def add_branin(results: Path, budget: int) -> None:
    """Runs with values that the problem's space knows, so that there are parallel coordinates."""
    experiment = json.loads((results / "experiment.json").read_text())
    experiment["problems"].append({"name": "branin", "label": "branin"})
    (results / "experiment.json").write_text(json.dumps(experiment))
    rng = np.random.default_rng(0)
    for searcher, seed in product(SEARCHERS, range(2)):
        points = rng.uniform(0.0, 10.0, (budget, 2))
        trials = [trial(i, float(x.sum()), {"x1": x[0], "x2": x[1]}) for i, x in enumerate(points)]
        write_run(results, "branin", searcher, seed, trials, optimum=0.0, space=("x1", "x2"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium: the system's, or else playwright's own."""
    from playwright.sync_api import Error, sync_playwright

    system = next(filter(None, map(shutil.which, _SYSTEMS)), None)
    with sync_playwright() as playwright:
        try:
            # Containers have no room for its own sandbox; it sees no page but this one.
            browser = playwright.chromium.launch(executable_path=system, args=["--no-sandbox"])
        except Error as error:
            pytest.fail(f"{_REMEDY}; {error}", pytrace=False)
        yield browser
        browser.close()


class Opened:
    """The page in a window of its own, with what it asked for and what it complained of."""

    def __init__(
        self, browser: Any, path: Path, viewport: dict[str, int], scheme: str = "light", **options: Any
    ) -> None:
        self.context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        self.page = self.context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())


@pytest.fixture
def opened(browser: Any, path: Path) -> Iterator[Opened]:
    opened = Opened(browser, path, WIDE)
    yield opened
    opened.context.close()
    assert opened.requests == [path.as_uri()]
    assert opened.complaints == []


def colors(page: Any, selector: str, of: str) -> list[int]:
    """Red, green and blue of the first of some elements, as it is shown."""
    shown = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{of}")
    return [int(channel) for channel in shown.removeprefix("rgb(").removesuffix(")").split(",")]


def size(element: Any) -> tuple[float, float]:
    """Width and height as shown."""
    box = element.bounding_box()
    return box["width"], box["height"]


def column(table: Any, j: int) -> list[str]:
    """Texts of a table's column from top to bottom."""
    return table.locator(f"tbody tr td:nth-child({j + 1})").all_inner_texts()


def test_every_figure_is_drawn(opened: Opened):
    page = opened.page
    for folded in page.locator("details").all():
        folded.evaluate("e => { e.open = true }")
    figures = page.locator("figure")
    assert figures.count() > 18
    assert page.locator("#figure-parallel_branin").count() == 1
    for figure in figures.all():
        width, height = size(figure.locator("svg"))
        assert width > 200
        assert height > 60
        drawn = figure.evaluate("f => [...f.querySelectorAll('svg path, svg use')].map(e => e.getBoundingClientRect())")
        assert any(one["width"] > 50 for one in drawn)
        assert figure.locator(".plot").get_attribute("aria-label") == figure.locator("figcaption").inner_text()
    # A reference to a marker or a clipping path that is not there is a figure without its lines.
    references = page.locator("use").evaluate_all("uses => uses.map(use => use.getAttribute('xlink:href'))")
    defined = page.locator("svg [id]").evaluate_all("all => all.map(one => '#' + one.id)")
    assert len(references) > 100
    assert set(references) <= set(defined)


def test_tables_are_sorted_by_a_click(opened: Opened):
    table = opened.page.locator("#regret table").first
    header = table.locator("th", has_text="median")
    assert header.get_attribute("aria-sort") == "none"
    before = column(table, 2)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(table, 2)] == sorted(float(text) for text in before)
    header.locator("button").click()
    assert header.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(table, 2)] == sorted((float(text) for text in before), reverse=True)
    # Rows stay whole, and only one column is the one that counts.
    assert table.locator("tbody tr").count() == 6
    table.locator("th", has_text="searcher").locator("button").click()
    assert column(table, 1) == ["bayesian"] * 3 + ["random"] * 3
    assert [th.get_attribute("aria-sort") for th in table.locator("th").all()].count("none") == 12


def test_tables_are_sorted_by_the_keyboard_and_what_is_no_number_is_last(opened: Opened):
    page = opened.page
    run = page.locator("#runs details", has_text="1 failed").first
    run.locator("summary").focus()
    page.keyboard.press("Enter")
    table = run.locator("table").first
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "value":
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    values = column(table, 1)
    assert values[-1] == "-"
    assert np.all(np.diff([float(text) for text in values[:-1]]) >= 0)
    page.keyboard.press("Space")
    values = column(table, 1)
    assert values[-1] == "-"
    assert np.all(np.diff([float(text) for text in values[:-1]]) <= 0)
    assert "ValueError: no such kernel" in table.inner_text()


def test_figures_are_enlarged_by_the_keyboard_and_put_back(opened: Opened):
    page = opened.page
    figure = page.locator("figure").first
    small = size(figure.locator("svg"))
    button = figure.locator("button.enlarge")
    button.focus()
    assert button.evaluate("e => getComputedStyle(e).opacity") == "1"
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    assert size(dialog.locator("svg")) > small
    assert dialog.locator("p").inner_text() == figure.locator("figcaption").inner_text()
    assert figure.locator("svg").count() == 0
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert size(figure.locator("svg")) == small
    assert page.evaluate("document.activeElement.className") == "enlarge"
    figure.locator(".plot").click()
    assert dialog.is_visible()
    dialog.locator("button").click()
    assert not dialog.is_visible()


def test_light_and_dark_by_the_system_and_by_the_button(browser: Any, path: Path):
    for scheme, other in (("light", "dark"), ("dark", "light")):
        opened = Opened(browser, path, WIDE, scheme)
        page, button = opened.page, opened.page.locator("#theme")
        for now in (scheme, other, scheme):
            assert button.inner_text() == {"light": "Dark", "dark": "Light"}[now]
            paper, ink = colors(page, "body", "backgroundColor"), colors(page, "body", "color")
            lines = colors(page, "figure svg path[style*='stroke: var(--c000000)']", "stroke")
            texts = colors(page, "figure svg text", "fill")
            for shown in (ink, lines, texts):
                assert (min(shown) - max(paper) > 120) if now == "dark" else (min(paper) - max(shown) > 120)
            button.click()
        assert opened.complaints == []
        opened.context.close()


def test_on_a_phone_the_page_scrolls_down_only(browser: Any, path: Path):
    opened = Opened(browser, path, PHONE, has_touch=True, is_mobile=True)
    page = opened.page
    for folded in page.locator("details").all():
        folded.evaluate("e => { e.open = true }")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert page.evaluate("window.innerWidth") == PHONE["width"]
    scrolled = page.locator(".table").evaluate_all("boxes => boxes.filter(b => b.scrollWidth > b.clientWidth).length")
    assert scrolled > 5
    # The button is there without a pointer that could hover.
    assert page.locator("button.enlarge").first.evaluate("e => getComputedStyle(e).opacity") == "1"
    page.locator("button.enlarge").first.tap()
    assert page.locator("dialog").bounding_box()["width"] <= PHONE["width"]
    assert opened.complaints == []
    opened.context.close()


def test_the_navigation_leads_to_its_sections(opened: Opened):
    page = opened.page
    for link in page.locator("nav a").all():
        link.click()
        heading = page.locator(f"{link.get_attribute('href')} h2")
        top = heading.bounding_box()["y"]
        assert page.locator("nav").bounding_box()["height"] <= top + 1
    page.locator("nav a").first.click()
    assert page.locator("#overview h2").is_visible()
