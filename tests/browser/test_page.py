"""The page in a real browser: it asks for nothing, complains of nothing and fits a phone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from faults import MachineError
from prompts.languages import LANGUAGES
from reports.figures import Report
from reports.page import render_html
from reports.rate import Rate
from reports.words import Words
from tests.browser.chromium import Tab, find_chromium, new_tab, running
from tests.unit.reports.example import example
from tests.unit.reports.rows import report_of

# The first one may wait for the browser's download.
pytestmark = pytest.mark.timeout(900)

#: Elements that stick out of the window, and tables that stick out of their column, except inside something that
#: scrolls by itself.
STICKING_OUT = """
var edge = document.documentElement.clientWidth + 0.5;
var width = e => e.getBoundingClientRect().width;
[...document.querySelectorAll('body *')]
  .filter(e => !e.closest('.scroll') && e.getClientRects().length)
  .filter(e => e.getBoundingClientRect().right > edge || e.matches('table') && width(e) > width(e.parentElement) + 0.5)
  .map(e => e.outerHTML.slice(0, 120))
"""

#: Texts too small to read as shown, drawings included.
TINY = """
[...document.querySelectorAll('body *')]
  .filter(e => e.getClientRects().length && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
  .map(e => [parseFloat(getComputedStyle(e).fontSize) * (e.closest('svg') ? e.getScreenCTM().a : 1), e.outerHTML])
  .filter(([size]) => size < 10.5)
"""


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all tests; each has a tab of its own."""
    try:
        found = find_chromium()
    except MachineError as error:
        pytest.skip(str(error))
    with running(found, tmp_path_factory.mktemp("chromium") / "profile") as address:
        yield address


@pytest.fixture
async def tab(browser: str) -> AsyncIterator[Tab]:
    async with new_tab(browser) as tab:
        yield tab


@pytest.fixture
async def report() -> Report:
    return await report_of(example(), campaign="sony-tv-15")


async def test_the_page_in_three_languages_on_a_phone_and_a_desk(tab: Tab, report: Report, tmp_path: Path) -> None:
    for language in LANGUAGES:
        w = Words(language)
        path = tmp_path / f"{language}.html"
        path.write_text(render_html(report, language=language, title="Техномир"), "utf-8")
        for width in (360, 768, 1280):
            tab.requested.clear()
            await tab.open(path, width=width)
            shown = await tab.value("document.body.innerText")
            for name in ("reached", "listened", "follow_up", "opted_out", "unknown"):
                assert w(f"figure.{name}.name") in shown
                assert w.share(getattr(report, name)) in shown
            assert await tab.value("document.documentElement.lang") == language
            assert await tab.value("document.documentElement.scrollWidth") <= width
            assert await tab.value(STICKING_OUT) == []
            assert await tab.value(TINY) == []
            assert [url for url in tab.requested if url != "data:,"] == [path.as_uri()]
    assert tab.complaints == []


async def test_one_chart_of_each_pair_is_shown_and_it_has_a_size(tab: Tab, report: Report, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render_html(report, language="ru", title="Техномир"), "utf-8")
    for width in (360, 1280):
        await tab.open(path, width=width)
        sizes = await tab.value(
            "[...document.querySelectorAll('.chart')].map(e => e.getBoundingClientRect())"
            ".filter(r => r.width).map(r => [Math.round(r.width), Math.round(r.height)])"
        )
        assert len(sizes) == 2
        assert all(280 < shown <= width and 150 < tall < 500 for shown, tall in sizes)


async def test_it_prints_on_a_few_sheets_of_a4(tab: Tab, report: Report, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(render_html(report, language="uk", title="Техномир"), "utf-8")
    await tab.open(path, width=1280)
    await tab.command("Emulation.setEmulatedMedia", media="print")
    assert await tab.value("getComputedStyle(document.querySelector('details')).display") == "none"
    # 186 mm between the margins at 96 dots an inch.
    await tab.command("Emulation.setDeviceMetricsOverride", width=703, height=1000, deviceScaleFactor=1, mobile=False)
    assert await tab.value(STICKING_OUT) == []
    pdf = await tab.command("Page.printToPDF", preferCSSPageSize=True)
    assert len(pdf["data"]) > 10_000


def millions(value: Any) -> Any:
    """The figures of a campaign of the same shape and a hundred thousand times its size."""
    if isinstance(value, Rate):
        return Rate(value.part * 100_003, value.whole * 100_003)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: millions(getattr(value, field.name)) for field in fields(value)})
    if isinstance(value, tuple):
        return tuple(map(millions, value))
    if isinstance(value, Mapping):
        return {key: item * 100_003 if isinstance(item, int) else millions(item) for key, item in value.items()}
    return value


async def test_millions_and_long_names_fit_a_phone(tab: Tab, report: Report, tmp_path: Path) -> None:
    long = "a_step_of_the_script_with_a_name_that_never_ends_and_no_place_to_break"
    keys = tuple(replace(key, node=long) for key in millions(report.keys))
    big = replace(millions(report), campaign=long, keys=keys, rows=43_101_293, audience=40_001_200, attempts=57_301_719)
    for language in LANGUAGES:
        path = tmp_path / f"{language}.html"
        path.write_text(render_html(big, language=language, title="Техномир"), "utf-8")
        await tab.open(path, width=360)
        assert await tab.value("document.documentElement.scrollWidth") <= 360
        assert await tab.value(STICKING_OUT) == []
