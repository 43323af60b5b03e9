"""`ivr campaign …` as a marketer types it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.commands import campaign as command
from app.commands.main import app
from faults import UserError
from ivr.site import free_ports, init_site
from tests.databases import put_tables

CONTACTS = "Телефон;Имя;Price;Address 2\n89161234567;Иван;100;ул. Мира\n123;П;;\n89161234567;Анна;;\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site to stand in, with a contacts file as Excel saves it."""
    site = tmp_path / "site"
    init_site(site, {**free_ports(), "trunk.host": "127.0.0.1", "destinations.operator": "100"})
    put_tables(site / "var/ivr.sqlite3")
    (site / "contacts.csv").write_bytes(CONTACTS.encode("cp1251"))
    monkeypatch.chdir(site)
    # A terminal of this width would break the lines that the tests look for.
    monkeypatch.setattr(command._console, "_width", 500)
    return site


def ivr(*words: str) -> str:
    """What the command prints. Raises what stops it."""
    result = CliRunner().invoke(app, ["campaign", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def create(*more: str) -> str:
    return ivr("create", "sony", "--contacts", "contacts.csv", *more)


def test_create_says_what_was_taken_what_was_not_and_what_will_be_heard(folder: Path) -> None:
    output = create("--cps", "5", "--max-attempts", "2")
    assert "sony: 1 people to call." in output
    assert "\n    too short: 1\n" in output
    assert "contacts.csv:3: invalid_number: too short" in output
    assert "contacts.csv:4: duplicate" in output
    assert "look like cp1251" in output
    assert "There is no column until, which promo.until needs; everybody hears: Скидка действует всю неделю." in output
    # Given, in another spelling.
    assert "no column price" not in output
    assert "no column address_2" not in output
    assert "5 calls/s" in ivr("status", "sony")
    assert "2 attempts" in ivr("status", "sony")


def test_an_edit_is_told_of_a_campaign_that_goes_on_without_it(folder: Path) -> None:
    create()
    assert "flow promo of version 1" in ivr("status", "sony")
    assert "edited" not in ivr("status", "sony")
    (folder / "prompts/texts/ru.yaml").write_text("promo: {offer: Телевизор дешевле.}\n", "utf-8")
    output = ivr("status", "sony")
    assert "Since edited: prompts/texts/ru.yaml. It goes on as it was made, with version" in output
    ivr("create", "tv", "--contacts", "contacts.csv")
    assert "flow promo of version 2" in ivr("status", "tv")
    listed = CliRunner().invoke(app, ["flow", "versions"]).output
    assert listed.count("\n") == 2
    assert listed.rstrip().endswith("prompts/texts/ru.yaml  <- callers, tv")
    first, second = json.loads(CliRunner().invoke(app, ["flow", "versions", "--json"]).stdout)
    assert (first["number"], first["heard"], first["campaigns"]) == (1, False, ["sony"])
    assert "dialplans/promo.yaml" in first["added"]
    assert (second["heard"], second["added"], second["changed"]) == (True, ["prompts/texts/ru.yaml"], [])
    ivr("stop", "sony")
    assert "edited" not in ivr("status", "sony")


def test_create_shows_the_first_bad_rows_and_counts_the_others(folder: Path) -> None:
    (folder / "contacts.csv").write_text("phone\n+79161234567\n" + "123\n" * 7)
    output = create()
    assert output.count("invalid_number: too short") == 5
    assert "    and 2 more\n" in output


def test_create_names_values_that_nobody_will_hear(folder: Path) -> None:
    rows = "phone,name,language,price,until\n+79161234567,Иван,ru,дёшево,2026-12-01\n+79161234568,Анна,uk,5000,завтра\n"
    (folder / "contacts.csv").write_text(rows + "+79161234569,Пётр,ru,много,\n")
    output = create()
    assert 'contacts.csv:2: price: "дёшево" is not an amount. Write it as 1201.50' in output
    assert "As it is, 2 people hear: Точную цену" in output
    assert 'contacts.csv:3: until: "завтра" is not a date.' in output
    assert "As it is, 1 people hear: " in output


def test_a_site_as_ivr_init_makes_it_has_no_operator_yet_and_can_call_people(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init_site(tmp_path / "new", {"trunk.host": "127.0.0.1"})
    put_tables(tmp_path / "new/var/ivr.sqlite3")
    (tmp_path / "new" / "contacts.csv").write_bytes((folder / "contacts.csv").read_bytes())
    monkeypatch.chdir(tmp_path / "new")
    assert "sony: 1 people to call." in create()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--flow", "hotline"), "'hotline' answers callers; it is no promo flow. Choose one of: promo."),
        (("--flow", "none"), "There is no flow 'none'. Choose one of: promo."),
        (("--cps", "900"), "calls_per_second: Input should be less than or equal to 200."),
        (("--contacts", "none.csv"), "none.csv: The file can't be read: No such file or directory."),
    ],
)
def test_what_create_refuses(folder: Path, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError) as refused:
        create(*words)
    assert message in str(refused.value)
    assert "sony" not in ivr("list")


@pytest.mark.parametrize("rows", ["", "abc,X\n"])
def test_a_file_of_nobody_makes_no_campaign(folder: Path, rows: str) -> None:
    (folder / "contacts.csv").write_text("phone,name\n" + rows)
    with pytest.raises(UserError) as refused:
        create()
    assert "Nobody in the file can be called" in str(refused.value)
    assert ("contacts.csv:2: invalid_number" in str(refused.value)) == bool(rows)
    assert "sony" not in ivr("list")
    with pytest.raises(UserError, match="There is no campaign"):
        ivr("start", "sony")


def test_a_campaign_is_stopped_for_good(folder: Path) -> None:
    create()
    assert "sony is stopped" in ivr("stop", "sony")
    assert "stopped" in ivr("list")
    assert "sony of shop stopped: 0 of 1 done" in ivr("status", "sony", "--watch")
    with pytest.raises(UserError, match="never dialled again"):
        ivr("start", "sony")


@pytest.mark.parametrize("damage", ["rules = '{\"windows\": []}'", "rules = '{'", "state = 'archived'"])
def test_a_campaign_of_another_release_is_told_and_keeps_no_command_from_its_work(folder: Path, damage: str) -> None:
    create()
    ivr("create", "lg", "--contacts", "contacts.csv")
    with sqlite3.connect(folder / "var" / "ivr.sqlite3") as database:
        database.execute(f"UPDATE campaign SET {damage} WHERE name = 'sony'")  # noqa: S608 - our own words
    database.close()
    listed = ivr("list")
    assert "lg" in listed
    assert "not understood" in listed
    assert "Campaign 'sony' can't be dialled: this release does not understand" in listed
    for words in (("status", "sony"), ("status", "sony", "--watch")):
        assert "1 done" in ivr(*words)
    assert "this release does not understand" in ivr("status", "sony")
    assert CliRunner().invoke(app, ["report", "sony"], catch_exceptions=False).exit_code == 0
    assert "lg is stopped" in ivr("stop", "lg")


def test_why_somebody_is_dialled_or_not(folder: Path) -> None:
    create()
    assert "+79161234567 waits: not_running" in ivr("why", "sony", "--phone", "8 916 123-45-67")
    ivr("do-not-call", "add", "+79161234567")
    assert "+79161234567 is left out: do_not_call" in ivr("why", "sony", "--phone", "+79161234567")
    with pytest.raises(UserError, match="is not in the campaign"):
        ivr("why", "sony", "--phone", "+79161234568")


def test_the_do_not_call_list(folder: Path) -> None:
    assert "1 added, 0 were on the list already." in ivr("do-not-call", "add", "8 916 123-45-67", "+79161234567")
    assert "0 added, 1 were on the list already." in ivr("do-not-call", "add", "9161234567")
    assert "+79161234567" in ivr("do-not-call", "list")
    assert "may be called again" in ivr("do-not-call", "remove", "89161234567")
    output = ivr("do-not-call", "import", "contacts.csv")
    assert "1 added." in output
    assert "left out, too short: 1\n" in output
    assert "contacts.csv:3: too short" in output
