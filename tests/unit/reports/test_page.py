from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from prompts.languages import LANGUAGES, Language
from reports.figures import Report
from reports.page import missing, render_html
from reports.rate import Rate
from reports.terminal import render_terminal
from reports.words import Words
from tests.conftest import Golden
from tests.unit.reports.example import example
from tests.unit.reports.rows import Rows, report_of

GOLDEN = Path(__file__).parent / "golden"

#: Elements without an end tag.
VOID = {"meta", "link", "line", "rect", "polygon", "polyline", "br"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what the page links to and shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.tags: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "action", "srcset", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
async def report() -> Report:
    return await report_of(example(), campaign="sony-tv-15")


def terminal(report: Report, language: Language, title: str = "Техномир") -> str:
    console = Console(width=100, record=True, file=io.StringIO(), color_system=None, legacy_windows=False)
    console.print(render_terminal(report, language=language, title=title))
    return console.export_text()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_is_what_it_was(report: Report, language: Language, golden: Golden) -> None:
    golden(GOLDEN / f"{language}.html", render_html(report, language=language, title="Техномир"))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_missing_is_said_on_page_and_terminal(report: Report, language: Language) -> None:
    lost = replace(report, incomplete_calls=1234, opt_outs_not_kept=7)
    sentences = missing(lost, Words(language))
    assert [any(count in sentence for sentence in sentences) for count in ("234", "7")] == [True, True]
    page, printed = Page(render_html(lost, language=language, title="x")).text, terminal(lost, language)
    for sentence in sentences:
        assert sentence in page
        assert sentence[:40] in printed
    assert missing(report, Words(language)) == []


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_terminal_report_is_what_it_was(report: Report, language: Language, golden: Golden) -> None:
    golden(GOLDEN / f"{language}.txt", terminal(report, language))


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_page_is_whole_and_asks_for_nothing(report: Report, language: Language) -> None:
    html = render_html(report, language=language, title="Техномир")
    page = Page(html)
    assert page.links == ["data:,"]
    assert not re.search(r"https?:|@import|url\(", html)
    assert f'<html lang="{language}">' in html
    assert "script" not in page.tags
    assert page.tags.count("svg") == html.count("aria-hidden") + html.count('role="img"')


@pytest.mark.parametrize("language", LANGUAGES)
async def test_page_and_terminal_show_every_main_figure(report: Report, language: Language) -> None:
    w = Words(language)
    page = Page(render_html(report, language=language, title="Техномир")).text
    for shown in (page, terminal(report, language)):
        for rate in (
            report.dialled,
            report.reached,
            report.listened,
            report.follow_up,
            report.opted_out,
            report.unknown,
        ):
            assert w.of(rate) in shown
            assert w.share(rate) in shown
            assert w.interval(rate) in shown


async def test_no_phone_number_appears(report: Report) -> None:
    rows = Rows()
    rows.campaign()
    rows.note(rows.person(20_000, "played"), "key", "89161234567")
    typed = await report_of(rows)
    for figures in (report, typed):
        for shown in (render_html(figures, language="ru", title="Т"), terminal(figures, "ru")):
            assert not re.search(r"\+?\d{10,}", shown)


async def test_everything_from_outside_is_escaped(report: Report) -> None:
    bad = "<script>alert(1)</script>[red]"
    rows = Rows()
    rows.campaign()
    rows.note(rows.person(20_000, "played"), "key", "<b>", node=bad)
    rows.note(rows.person(20_000, "played"), "request", bad)
    figures = replace(await report_of(rows), campaign=bad, flow=bad)
    html = render_html(figures, language="en", title=bad)
    assert "<script" not in html
    assert "<b><" not in html
    assert "[red]" in terminal(figures, "en", bad)


async def test_nothing_at_all_shows_dashes() -> None:
    rows = Rows()
    rows.campaign(state="ready")
    figures = await report_of(rows)
    for language in LANGUAGES:
        page = Page(render_html(figures, language=language, title="Т"))
        shown = page.text.split("}")[-1]
        assert "—" in shown
        assert "nan" not in shown.lower()
        assert "None" not in shown
        assert not re.search(r"\b0\u00a0?%", shown)
        assert Words(language)("nobody_dialled") in shown
        assert Words(language)("no_data") in shown
        assert "—" in terminal(figures, language)


async def test_a_running_campaign_says_so_far_and_as_of_when() -> None:
    figures = await report_of(example(20, state="running"), campaign="sony-tv-15")
    for shown in (render_html(figures, language="ru", title="Т"), terminal(figures, "ru")):
        assert "Промежуточный итог на 22.11.2026\u00a021:00" in shown
        assert "Окончательные" not in shown


async def test_a_broken_rule_is_a_warning_that_cannot_be_missed(report: Report) -> None:
    broken = replace(report, listened=Rate(1, report.reached.part))
    for shown in (render_html(broken, language="ru", title="Т"), terminal(broken, "ru")):
        assert "противоречат" in shown
        assert "must equal" in shown
    assert "противоречат" not in render_html(report, language="ru", title="Т")
