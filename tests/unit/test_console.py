"""Names and titles from outside can't steer the terminal of whoever looks at them."""

from __future__ import annotations

import json

import pytest
from rich.markup import escape
from rich.table import Table

from app.commands.console import plain_console, put, put_json
from faults import visible

EVIL = "a\x1b[31m\x1b]0;title\x07b\x9b2J\u202ec\ud800"
SHOWN = r"a\x1b[31m\x1b]0;title"


def test_what_steers_is_written_out_and_the_rest_stays() -> None:
    assert visible(EVIL) == r"a\x1b[31m\x1b]0;title\x07b\x9b2J\u202ec\ud800"
    assert visible("Скидка 15 %,\tдо «пятницы»\n") == "Скидка 15 %,\tдо «пятницы»\n"


def test_wherever_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    console = plain_console(soft_wrap=True)
    table = Table(escape(EVIL))
    table.add_row(escape(EVIL))
    console.print(f"[red]error:[/red] {escape(EVIL)}")
    console.print(table)
    put(EVIL)
    printed = capsys.readouterr().out
    assert printed.count(SHOWN) == 4
    assert not set(printed) & set("\x1b\x07\x9b\u202e\ud800")


def test_our_own_styles_reach_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    plain_console().print(f"[red]error:[/red] {escape(EVIL)}")
    printed = capsys.readouterr().out
    assert "\x1b[31merror:\x1b[0m" in printed
    assert SHOWN in printed


def test_json_means_what_it_meant(capsys: pytest.CaptureFixture[str]) -> None:
    for ascii_alone in (True, False):
        put_json(json.dumps({"title": EVIL, "way": "Скидка\n"}, ensure_ascii=ascii_alone, indent=2) + "\n")
        printed = capsys.readouterr().out
        assert not set(printed) & set("\x1b\x07\x9b\u202e\ud800")
        assert json.loads(printed) == {"title": EVIL, "way": "Скидка\n"}
