"""One engine answers for many tenants: each number by its own flow and voice, and each row is the right tenant's."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from app.service.tenants import Serving
from ivr.engine import Engine
from ivr.fallback.call_back import CallBack
from ivr.settings import Site
from ivr.settings_files import load_site, load_tenant
from ivr.spool import pick_up
from ivr.tenants import Tenants
from people import do_not_call
from people.hotline_numbers import Meaning, add_number, remove_number
from people.store.scope import Scope
from people.store.tables import call, request
from prompts.engines.choice import engines
from tests.databases import a_database, all_rows
from tests.edges.fake_asterisk import FakeAsterisk, opening
from tests.edges.versions.shop import (
    HOTLINE,
    OFFER,
    PHONE,
    PROMO,
    Quiet,
    answering,
    clip_of,
    first_clip,
    make_campaign,
    make_shop,
    plan_attempt,
    speaks,
)

pytestmark = pytest.mark.both_databases

GREETING, UNKNOWN = "hotline.more", "fallback.unknown_number"
OURS, THEIRS, NOBODYS = "+74950000001", "+74950000002", "+74950000003"
MALL = f'title = "Молл"\nlanguage = "ru"\n[hotline]\nnumbers = {{"{THEIRS}" = "hotline"}}\n'


@pytest.fixture(autouse=True)
def espeak() -> None:
    engines()["espeak"].install(lambda _what, _percent: None)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with a_database(tmp_path) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "shop"
    make_shop(folder)
    with (folder / "ivr.toml").open("a", encoding="utf-8") as settings:
        settings.write(f'[hotline.numbers]\n"{OURS}" = "hotline"\n')
    text = (folder / "ivr.toml").read_text("utf-8").replace('numbers = { "*" = "hotline" }', "")
    (folder / "ivr.toml").write_text(text.replace("\n[hotline]\n", "\n"), "utf-8")
    return load_site(folder)


def mall_in(site: Site, *, settings: str = MALL, greeting: str = "Здравствуйте, это молл.") -> Site:
    """A folder of another tenant in the site's, as that tenant sees the machine."""
    folder = site.folder / "tenants" / "mall"
    for name, flow in (("hotline", HOTLINE), ("promo", PROMO)):
        (folder / "dialplans").mkdir(parents=True, exist_ok=True)
        (folder / "dialplans" / f"{name}.yaml").write_text(flow, "utf-8")
    (folder / OFFER).parent.mkdir(parents=True, exist_ok=True)
    (folder / OFFER).write_text(f"hotline: {{more: '{greeting}'}}\npromo: {{offer: Всё по сто.}}\n", "utf-8")
    speech = '[prompts.engine]\nru = "espeak"\nuk = "espeak"\nen = "espeak"\n'
    (folder / "tenant.toml").write_text(settings + speech, "utf-8")
    return site.of_tenant("mall", load_tenant(folder))


@dataclass(kw_only=True)
class Running:
    serving: Serving
    tenants: Tenants
    engine: Engine
    reporter: Quiet

    async def hears(self, dialled: str, *, script: str = "inbound", uniqueid: str = "1.1", key: str = "") -> str:
        """What `first_clip` gives of a call to `dialled`, or of one that was answered."""
        args = [dialled] if script == "inbound" else []
        return await first_clip(self.engine, opening(script, *args, uniqueid=uniqueid), key=key)


@contextlib.asynccontextmanager
async def running(site: Site, database: AsyncEngine) -> AsyncIterator[Running]:
    reporter = Quiet()
    serving = Serving(site, database, reporter)
    tenants = await serving.begin()
    try:
        async with answering(tenants, database, site) as engine:
            yield Running(serving=serving, tenants=tenants, engine=engine, reporter=reporter)
    finally:
        serving.close()


async def calls_of(database: AsyncEngine) -> list[tuple[str, str]]:
    async with all_rows(database).begin() as connection:
        rows = await connection.execute(select(call.c.tenant, call.c.dialled).order_by(call.c.started_at_ms, call.c.id))
        return [(row.tenant, row.dialled) for row in rows]


async def test_each_number_is_answered_by_its_own_tenants_flow_and_words(site: Site, database: AsyncEngine) -> None:
    mall = mall_in(site)
    async with running(site, database) as engine:
        assert engine.tenants.numbers == {OURS: Meaning("shop", "hotline"), THEIRS: Meaning("mall", "hotline")}
        assert await engine.hears(OURS) == speaks(clip_of(site, GREETING))
        # As the network may write it.
        assert await engine.hears("84950000002") == speaks(clip_of(mall, GREETING))
        assert engine.reporter.faults == []
    assert clip_of(site, GREETING) != clip_of(mall, GREETING)
    assert await calls_of(database) == [("shop", OURS), ("mall", "84950000002")]


async def test_who_dials_a_number_that_is_nobodys_hears_so(site: Site, database: AsyncEngine) -> None:
    mall_in(site)
    async with running(site, database) as engine:
        with capture_logs() as logs:
            async with FakeAsterisk(engine.engine.server.port) as asterisk:
                await asterisk.says(opening("inbound", NOBODYS, answered=True))
                assert await asterisk.hears() == speaks(clip_of(site, UNKNOWN))
                await asterisk.says("200 result=0 endpos=2000")
                # The dialplan need not apologise once more.
                assert await asterisk.hears() == 'SET VARIABLE "IVR_DONE" "1"'
                await asterisk.says("200 result=1", "HANGUP")
                await asterisk.expects_end()
        told = [each for each in logs if each["log_level"] in ("warning", "error")]
        assert [(each["event"], each["dialled"]) for each in told] == [("call.unknown_number", NOBODYS)]
    assert await calls_of(database) == []


async def test_whom_one_tenant_called_asks_that_tenant_for_no_more_calls(site: Site, database: AsyncEngine) -> None:
    mall, shops, malls = mall_in(site), Scope(database, "shop"), Scope(database, "mall")
    async with running(site, database) as engine:
        ours, theirs = await make_campaign(shops, site, "tv"), await make_campaign(malls, mall, "tv")
        await plan_attempt(shops, ours, "1.shop")
        await plan_attempt(malls, theirs, "1.mall")
        assert engine.tenants.has("mall", theirs.version)
        assert await engine.hears("", script="outbound", uniqueid="1.shop") == speaks(clip_of(site, "promo.offer"))
        heard = await engine.hears("", script="outbound", uniqueid="1.mall", key="9")
        assert heard == speaks(clip_of(mall, "promo.offer"))
    assert sorted(tenant for tenant, _ in await calls_of(database)) == ["mall", "shop"]
    assert [each.phone for each in await do_not_call.entries(malls)] == [PHONE]
    assert await do_not_call.entries(shops) == []


async def test_a_wish_to_be_called_back_is_of_whom_was_dialled(site: Site, database: AsyncEngine) -> None:
    mall_in(site)
    async with running(site, database) as engine:
        for at_ms, dialled in enumerate((OURS, THEIRS, NOBODYS), 1):
            wish = CallBack(phone=PHONE, dialled=dialled, language="ru", uniqueid="1", asked_at_ms=at_ms)
            wish.write(site.spool)
            assert await pick_up(database, site.spool, engine.tenants) == 1
    async with all_rows(database).begin() as connection:
        asked = await connection.scalars(select(request.c.tenant).order_by(request.c.asked_at_ms))
        assert list(asked) == ["shop", "mall", "shop"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("tenant.toml", "trunk = 5\n", "There is no setting trunk"),
        ("tenant.toml", "language = 5\n", "language"),
        ("dialplans/hotline.yaml", "flow: hotline\n", "hotline"),
    ],
)
async def test_a_folder_with_faults_stops_nobody_else(
    site: Site, database: AsyncEngine, name: str, text: str, told: str
) -> None:
    mall = mall_in(site)
    good = (mall.folder / name).read_text("utf-8")
    # Nothing was ever good: it is not served, and an edit mends it.
    (mall.folder / name).write_text(text, "utf-8")
    if name != "tenant.toml":
        (mall.folder / "dialplans/promo.yaml").unlink()
    async with running(site, database) as engine:
        assert any(told in str(fault) for fault in engine.reporter.faults)
        assert engine.tenants.get("mall") is None
        assert await engine.hears(OURS) == speaks(clip_of(site, GREETING))
        (mall.folder / name).write_text(good, "utf-8")
        await engine.serving.look(engine.tenants)
        assert await engine.hears(THEIRS) == speaks(clip_of(mall, GREETING))
        # From now on it goes on with what was good.
        (mall.folder / name).write_text(text, "utf-8")
        before = len(engine.reporter.faults)
        for _ in range(3):
            await engine.serving.look(engine.tenants)
        assert await engine.hears(THEIRS) == speaks(clip_of(mall, GREETING))
        assert len(engine.reporter.faults) - before <= 1


async def test_a_tenants_settings_are_taken_without_a_restart(site: Site, database: AsyncEngine) -> None:
    mall = mall_in(site)
    async with running(site, database) as engine:
        mall_in(site, settings=MALL.replace(THEIRS, NOBODYS).replace("Молл", "Новый молл"))
        await engine.serving.look(engine.tenants)
        assert engine.tenants.numbers == {OURS: Meaning("shop", "hotline"), NOBODYS: Meaning("mall", "hotline")}
        assert await engine.hears(NOBODYS) == speaks(clip_of(mall, GREETING))
        served = engine.tenants.get("mall")
        assert served is not None
        assert served.settings.title == "Новый молл"


async def test_a_tenant_that_the_database_refuses_for_a_moment_is_served_the_next_time(
    site: Site, database: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(*_: object, **__: object) -> None:
        raise OperationalError("", {}, OSError("disk full"))

    async with running(site, database) as engine:
        mall = mall_in(site)
        with monkeypatch.context() as patched:
            patched.setattr("app.service.tenants.keep_settings", refuses)
            await engine.serving.look(engine.tenants)
        assert engine.tenants.get("mall") is None
        await engine.serving.look(engine.tenants)
        assert await engine.hears(THEIRS) == speaks(clip_of(mall, GREETING))


async def test_numbers_by_command_are_taken_without_a_restart(site: Site, database: AsyncEngine) -> None:
    mall, scope = mall_in(site), Scope(database, "mall")
    async with running(site, database) as engine:
        await add_number(scope, NOBODYS, "hotline", region="RU")
        await engine.serving.look(engine.tenants)
        assert await engine.hears(NOBODYS) == speaks(clip_of(mall, GREETING))
        await remove_number(scope, NOBODYS, region="RU")
        await engine.serving.look(engine.tenants)
        assert await engine.hears(NOBODYS) != speaks(clip_of(mall, GREETING))


async def test_a_number_that_two_tenants_want_stays_with_whom_has_it(site: Site, database: AsyncEngine) -> None:
    mall_in(site, settings=MALL.replace(THEIRS, OURS))
    async with running(site, database) as engine:
        (fault,) = engine.reporter.faults
        assert "'shop' has it and keeps it, 'mall' wants it" in str(fault)
        assert OURS in str(fault)
        assert await engine.hears(OURS) == speaks(clip_of(site, GREETING))


async def test_a_tenant_without_a_folder_here_is_served_from_the_store(
    site: Site, database: AsyncEngine, tmp_path: Path
) -> None:
    mall = mall_in(site)
    async with running(site, database):
        pass
    clip = clip_of(mall, GREETING)
    shutil.rmtree(site.folder / "tenants")
    async with running(site, database) as engine:
        assert await engine.hears(THEIRS) == speaks(clip)
        served = engine.tenants.get("mall")
        assert served is not None
        assert served.settings.title == "Молл"
        assert engine.reporter.faults == []


async def test_a_tenant_without_a_folder_is_served_as_soon_as_another_machine_publishes_it(
    site: Site, database: AsyncEngine, tmp_path: Path
) -> None:
    other = load_site(shutil.copytree(site.folder, tmp_path / "other"))
    await add_number(Scope(database, "mall"), THEIRS, "hotline", region="RU")
    async with running(site, database) as engine:
        for _ in range(2):
            await engine.serving.look(engine.tenants)
        (fault,) = engine.reporter.faults
        assert "nothing was ever published for it" in str(fault)
        theirs = speaks(clip_of(mall_in(other), GREETING))
        async with running(other, database):
            pass
        await engine.serving.look(engine.tenants)
        assert await engine.hears(THEIRS) == theirs.replace(str(other.audio), str(site.audio))
