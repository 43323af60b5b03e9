"""Trunks as rows: those of ivr.toml first, others by command; what is wrong with one keeps it alone from being used."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.commands.main import app
from app.service.reporter import Reporter
from app.service.trunks import TrunksKept
from faults import UserError
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import init_site
from outbound import trunks
from outbound.clock import Clock
from outbound.gateway.trunks import Trunks
from people.store.scope import EveryTenant, Job
from people.store.trunks import TrunkRow, trunk_rows
from tests.databases import put_tables
from tests.edges.campaign_site import CampaignSite, opened

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return init_site(tmp_path / "site", {"trunk.host": "10.0.0.1"}, trunk_secret="s")


def edited(site: Site, toml: str, secrets: str = "") -> Site:
    """The site with more at the end of its files."""
    for name, text in (("ivr.toml", toml), ("secrets.toml", secrets)):
        path = site.folder / name
        path.write_text(f"{path.read_text('utf-8')}\n{text}\n", "utf-8")
    return load_site(site.folder)


async def added(store: CampaignSite, site: Site, name: str, *, every_gateway: bool = False, **how: object) -> None:
    settings: dict[str, Any] = {"host": "10.0.0.2", **how}
    await trunks.add(store.engine, site, name, settings, every_gateway=every_gateway, now_ms=1)


async def used(store: CampaignSite, site: Site) -> list[str]:
    return [each.name for each in (await trunks.trunks_in_use(store.engine, site)).good]


async def rows(store: CampaignSite) -> list[TrunkRow]:
    async with EveryTenant(store.engine, Job.GATEWAYS).begin() as connection:
        return list(await trunk_rows(connection))


async def test_those_of_the_file_are_rows_without_their_passwords(store: CampaignSite, site: Site) -> None:
    site = edited(site, '[trunks.kyiv]\nhost = "10.0.0.2"\nuser = "u"\nsecret = "hidden"\nprefixes = ["380"]')
    await trunks.take_from_file(store.engine, site, now_ms=1)
    kept = await rows(store)
    assert [(row.gateway, row.name, row.source) for row in kept] == [("main", "kyiv", "file"), ("main", "main", "file")]
    assert kept[0].settings["prefixes"] == ["+380"]
    assert "hidden" not in str(kept)
    found = await trunks.trunks_in_use(store.engine, site)
    assert {each.name: each.secret for each in found.good} == {"kyiv": "hidden", "main": "s"}
    (site.folder / "ivr.toml").write_text('[trunk]\nhost = "10.0.0.3"\n', "utf-8")
    await trunks.take_from_file(store.engine, load_site(site.folder), now_ms=2)
    assert [(row.name, row.settings["host"]) for row in await rows(store)] == [("main", "10.0.0.3")]


async def test_others_are_added_changed_and_removed_by_command(store: CampaignSite, site: Site) -> None:
    await added(store, site, "other", position=5)
    assert await used(store, site) == ["main", "other"]
    changed = await trunks.change(store.engine, site, "other", {"enabled": False, "port": 5080}, now_ms=2)
    assert changed.how is not None
    assert (changed.how.host, changed.how.port, changed.how.position) == ("10.0.0.2", 5080, 5)
    assert await used(store, site) == ["main"]
    await trunks.remove(store.engine, site, "other")
    assert [one.row.name for one in await trunks.listed(store.engine, site)] == ["main"]


async def test_a_gateway_has_its_own_before_those_of_all(store: CampaignSite, site: Site) -> None:
    await added(store, site, "other", every_gateway=True)
    elsewhere = site.model_copy(update={"settings": site.settings.model_copy(update={"gateway": "second"})})
    await added(store, elsewhere, "other", port=5090)
    used_here, used_there = [(await trunks.trunks_in_use(store.engine, one)).good for one in (site, elsewhere)]
    assert [each.how.port for each in used_here] == [5060, 5060]
    assert [each.how.port for each in used_there] == [5060, 5090]
    assert [each.shared for each in used_here] == [False, True]


async def test_what_a_file_has_is_changed_there_alone(store: CampaignSite, site: Site) -> None:
    for attempt in (
        trunks.change(store.engine, site, "main", {"port": 1}, now_ms=1),
        trunks.remove(store.engine, site, "main"),
    ):
        with pytest.raises(UserError, match=r"ivr\.toml.*stands in a file(.|\n)*\[trunk\]"):
            await attempt


@pytest.mark.parametrize(
    ("name", "how", "said"),
    [
        ("main", {}, "already"),
        ("a b", {}, "no name"),
        ("x", {"port": 0}, "port: "),
        ("x", {"hots": 1}, "hots: "),
        ("x", {"host": "a;b"}, "host is not"),
        ("x", {"prefixes": ["8 916"]}, "begins no number"),
        ("x", {"tenants": ["nobody"]}, "no tenant"),
    ],
)
async def test_what_can_not_be_is_refused(
    store: CampaignSite, site: Site, name: str, how: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        await trunks.add(store.engine, site, name, {"host": "10.0.0.2", **how}, every_gateway=False, now_ms=1)
    assert await rows(store) == []


async def test_one_without_its_password_is_told_and_not_used(store: CampaignSite, site: Site) -> None:
    await added(store, site, "other", user="u")
    found = await trunks.trunks_in_use(store.engine, site)
    assert [each.name for each in found.good] == ["main"]
    assert "trunks.other.user is set, but trunk_secrets.other is empty" in str(found.faults[0])
    site = edited(site, "", '[trunk_secrets]\nother = "p"')
    assert await used(store, site) == ["main", "other"]


async def test_changes_are_taken_while_the_site_runs_and_faulty_files_change_nothing(
    store: CampaignSite, site: Site
) -> None:
    kept = TrunksKept(site, store.engine, Reporter())
    live = Trunks(in_use=kept.in_use, clock=Clock(), ahead_s=0.1)

    async def hosts() -> list[str]:
        # What differs from the last look is still being written.
        for _ in range(2):
            await kept.look(None, live)
        return [each.how.host for each in live.in_use.trunks]

    try:
        await kept.begin()
        assert await hosts() == ["10.0.0.1"]
        await added(store, site, "other", position=1)
        assert await hosts() == ["10.0.0.1", "10.0.0.2"]
        path = site.folder / "ivr.toml"
        good = path.read_text("utf-8")
        for faulty in (good + "\n[trunks.x]\n", good.replace('"10.0.0.1"', '"a;b"'), "[trunk"):
            path.write_text(faulty, "utf-8")
            assert await hosts() == ["10.0.0.1", "10.0.0.2"]
        path.write_text(good.replace('"10.0.0.1"', '"10.0.0.9"'), "utf-8")
        assert await hosts() == ["10.0.0.9", "10.0.0.2"]
        assert {row.settings["host"] for row in await rows(store)} == {"10.0.0.9", "10.0.0.2"}
    finally:
        kept.close()


@pytest.mark.sqlite_only("the command opens its own")
def test_the_commands(site: Site) -> None:
    put_tables(site.var / "ivr.sqlite3")

    def ivr(*words: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, ["trunk", *words, "--site", str(site.folder)])
        assert done.exit_code == status, done.output
        return f"{done.output}{done.exception or ''}"

    settings = ("--set", 'prefixes=["380"]', "--set", "user=u")
    assert "kyiv waits for its password" in ivr("add", "kyiv", "--host", "10.0.0.2", *settings)
    assert "trunk_secrets.kyiv is empty" in ivr("list")
    assert "is disabled" in ivr("disable", "kyiv")
    ivr("change", "kyiv", "--set", "user=")
    ivr("enable", "kyiv")
    shown = {each["name"]: each for each in json.loads(ivr("list", "--json"))}
    assert shown["kyiv"]["settings"]["prefixes"] == ["+380"]
    assert (shown["kyiv"]["source"], shown["main"]["source"], shown["kyiv"]["faults"]) == ("command", "file", [])
    assert "no new call goes by it" in ivr("remove", "kyiv")
    assert "There is no trunk" in ivr("remove", "kyiv", status=1)
