"""`ivr flow …` as it is typed: exit status, what is printed where, and files that are written."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from app.commands.main import main
from tests.unit.flow.flows import DIALPLANS

BROKEN = Path(__file__).resolve().parents[2] / "broken_flows"


class Shell:
    """Runs the `ivr` command in an empty folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        monkeypatch.chdir(folder)

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, standard output, standard error."""
        self.monkeypatch.setattr("sys.argv", ["ivr", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = self.capsys.readouterr()
        return int(ended.value.code or 0), out, err


@pytest.fixture
def ivr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(tmp_path, monkeypatch, capsys)


def test_check_says_which_flows_are_good(ivr: Shell) -> None:
    status, out, err = ivr("flow", "check", str(DIALPLANS / "promo.yaml"))
    assert (status, err) == (0, "")
    assert out.startswith("promo: 14 nodes in ru, uk, en")


def test_check_shows_every_fault_with_its_brackets(ivr: Shell) -> None:
    files = [str(BROKEN / f"{name}.yaml") for name in ("languages_not_a_list", "dead_end")]
    status, _, err = ivr("flow", "check", *files)
    assert status == 1
    assert f"{files[0]}:3: languages must be a list. Write: languages: [ru, uk, en].\n" in err
    assert f"{files[1]}:10: round is a dead end" in err


def test_a_sites_own_flows_texts_and_destinations_count(ivr: Shell) -> None:
    site = ivr.folder / "site"
    assert ivr("init", str(site), "--operator", "+74950000000")[0] == 0
    (site / "prompts" / "texts" / "ru.yaml").write_text("shop: {hello: Привет!}\n", "utf-8")
    (site / "dialplans" / "mine.yaml").write_text(
        "flow: mine\nkind: hotline\nlanguages: [ru]\nstart: hello\nnodes:\n"
        "  hello: {play: {say: shop.hello, then: person}}\n"
        "  person: {transfer: {to: warehouse, failed: goodbye}}\n",
        "utf-8",
    )
    status, out, err = ivr("flow", "check", "--site", str(site))
    assert status == 1
    assert "promo: 14 nodes" in out
    assert "mine.yaml:7: In person: the settings name no destination warehouse." in err
    assert "shop.hello" not in err


def test_check_tells_of_a_text_that_no_value_makes_readable(ivr: Shell) -> None:
    site = ivr.folder / "site"
    assert ivr("init", str(site), "--operator", "+74950000000")[0] == 0
    text = 'shop: {hello: {text: "До {until:date} за {until:money}.", fallback: Привет!}}\n'
    (site / "prompts" / "texts" / "ru.yaml").write_text(text, "utf-8")
    (site / "dialplans" / "mine.yaml").write_text(
        "flow: mine\nkind: hotline\nlanguages: [ru]\nvariables: {until: 2026-12-01}\nstart: hello\nnodes:\n"
        "  hello: {play: {say: shop.hello, then: goodbye}}\n",
        "utf-8",
    )
    status, out, err = ivr("flow", "check", "--site", str(site))
    assert status == 1
    assert "promo: 14 nodes" in out
    assert "mine" not in out
    assert "ru.yaml:1: shop.hello can't be read in ru: until is a date and a money at one time." in err
    status, out, _ = ivr("doctor", "--site", str(site))
    assert "shop.hello can't be read in ru" in " ".join(out.split())


def test_check_without_a_site_says_how_to_make_one(ivr: Shell) -> None:
    status, _, err = ivr("flow", "check")
    assert status == 1
    assert "ivr init" in err


@pytest.mark.parametrize(
    ("flow", "said"), [("nobody", "Choose one of: hotline, promo."), ("nobody.yaml", "can't be read")]
)
def test_a_flow_that_is_not_there(ivr: Shell, flow: str, said: str) -> None:
    status, _, err = ivr("flow", "show", flow)
    assert status == 1
    assert said in err


def test_a_broken_flow_is_not_shown(ivr: Shell) -> None:
    status, out, err = ivr("flow", "show", str(BROKEN / "loops.yaml"))
    assert (status, out) == (1, "")
    assert "loops.yaml:11: here -> there -> here goes round for ever" in err


def test_show_draws_into_a_file(ivr: Shell) -> None:
    assert ivr("flow", "show", "hotline", "--svg", "hotline.svg")[0] == 0
    root = ElementTree.parse(ivr.folder / "hotline.svg").getroot()  # noqa: S314 - our own drawing
    assert root.tag.endswith("svg")
    status, _, err = ivr("flow", "show", "hotline", "--svg", "nowhere/hotline.svg")
    assert status == 1
    assert "can't be written" in err


@pytest.mark.parametrize(
    ("option", "said"), [(("--var", "name"), "name=value"), (("--lang", "de"), "promo speaks ru, uk, en")]
)
def test_phone_refuses_what_it_does_not_understand(ivr: Shell, option: tuple[str, str], said: str) -> None:
    status, _, err = ivr("flow", "phone", "promo", *option)
    assert status == 2
    assert said in err
