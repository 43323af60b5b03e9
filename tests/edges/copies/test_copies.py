"""A copy is of one moment, whole or not there; putting it back changes a site when all is ready, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sqlite3
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import doctor
from app.copies import backup, restore
from app.copies.archive import pieces, read_key, writing
from app.copies.backup import take
from app.copies.restore import put_copy_back
from faults import UserError
from ivr.journal.copying import held
from ivr.journal.lines import Line, Whose, to_json
from ivr.journal.reserve import Reserve
from ivr.settings import Site
from ivr.settings_files import load_site
from ivr.site import init_site
from people import do_not_call
from people.store.db import NEWEST, file_url
from people.store.scope import Scope
from people.store.upgrade import upgrade
from people.store.versions import add_content, add_version
from reports.kept import refresh
from reports.metrics import prove
from tests.databases import put_tables
from tests.edges.campaign_site import now_ms, opened
from tests.edges.fake_ami import FakeAmi, running
from tests.edges.store.test_upgrade import old_database

PHONE = "+79161234567"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = init_site(tmp_path / "site", {"trunk.host": "127.0.0.1"}, trunk_secret="s3cret-of-the-trunk")
    put_tables(made.var / "ivr.sqlite3")
    return made


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "night.ivrcopy"


@contextlib.contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / "var/ivr.sqlite3")) as opened, opened:
        yield opened


def rows_but_of_restoring(folder: Path) -> dict[str, list[object]]:
    with database(folder) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: opened.execute(f"SELECT * FROM {name}").fetchall() for name in names}  # noqa: S608 - names of tables
    return {name: sorted(found, key=str) for name, found in rows.items() if name not in ("restored", "sqlite_sequence")}


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def an_opt_out(phone: str = PHONE, call_id: str = "c1") -> Line:
    row = {"tenant": "shop", "phone": phone, "since_ms": 1, "source": "call", "call_id": call_id}
    return Line("opt_outs", row, Whose(call_id, "shop", None))


async def test_all_that_the_site_holds_comes_back(site: Site, copy: Path, tmp_path: Path) -> None:
    (site.folder / "prompts/recordings/ru").mkdir()
    (site.folder / "prompts/recordings/ru/promo.offer.wav").write_bytes(os.urandom(3_000_000))
    (site.audio / "ab").mkdir(parents=True)
    (site.audio / "ab/abcdef.alaw").write_bytes(b"\xd5" * 8000)
    (site.folder / "tenants/mall/dialplans").mkdir(parents=True)
    (site.folder / "tenants/mall/tenant.toml").write_text('title = "Mall"')
    (site.folder / "tenants/mall/dialplans/promo.yaml").write_text("of another retailer")
    site.spool.mkdir()
    (site.spool / "wish.json").write_text("{}")
    # A JSON that nobody can read is copied, too.
    async with opened(site.var) as campaign:
        await campaign.campaign(3)
        await campaign.change("stop")
        await add_content(campaign.scope, "of-it", [b"\0\xff", b""])
        await add_version(campaign.scope, "of-all", {"dialplans/promo.yaml": "of-it"}, now_ms=1)
    with database(site.folder) as written:
        written.execute("UPDATE campaign SET rules = '{broken'")
    await take(site, copy, now_ms=now_ms())
    new = tmp_path / "new"
    await put_copy_back(copy, new, now_ms=now_ms())
    assert rows_but_of_restoring(new) == rows_but_of_restoring(site.folder)
    for name in ("ivr.toml", "dialplans", "prompts", "tenants", "var/audio", "var/spool"):
        before, after = site.folder / name, new / name
        assert (before.read_bytes() == after.read_bytes()) if before.is_file() else (tree(before) == tree(after)), name
    # The secrets are not in it: new ones were made.
    assert load_site(new).secrets.ami_secret != site.secrets.ami_secret


@pytest.mark.parametrize("secrets", [False, True])
async def test_secrets_are_in_it_only_when_that_is_asked_for(
    site: Site, copy: Path, tmp_path: Path, secrets: bool
) -> None:
    await take(site, copy, now_ms=now_ms(), secrets=secrets)
    assert any(b"s3cret-of-the-trunk" in data for _, data in pieces(copy, None)) == secrets
    await put_copy_back(copy, tmp_path / "new", now_ms=now_ms())
    private = tmp_path / "new" / "secrets.toml"
    assert ("s3cret-of-the-trunk" in private.read_text()) == secrets
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


async def test_a_folder_gets_a_file_readable_by_its_owner_alone(site: Site, tmp_path: Path) -> None:
    taken = await take(site, tmp_path, now_ms=1_800_000_000_000, audio=False)
    assert taken.path == tmp_path / "shop-20270115T080000Z.ivrcopy"
    assert stat.S_IMODE(taken.path.stat().st_mode) == 0o600
    before = taken.path.read_bytes()
    with pytest.raises(UserError, match="There is a file of this name"):
        await take(site, taken.path, now_ms=now_ms())
    assert taken.path.read_bytes() == before


async def test_a_copy_is_of_one_moment_while_people_are_written(site: Site, copy: Path) -> None:
    """Each transaction writes an opt-out and a call; in the copy there are as many of both."""
    stop = asyncio.Event()

    def write() -> None:
        with contextlib.closing(sqlite3.connect(site.var / "ivr.sqlite3", timeout=10)) as writer:
            for n in range(1_000_000):
                if stop.is_set():
                    return
                with writer:
                    writer.execute("INSERT INTO do_not_call VALUES ('shop', ?, 1, 'call', ?)", (f"+7{n}", f"c{n}"))
                    writer.execute("INSERT INTO loss VALUES (?, 'notes', 'shop', NULL, 1, 1, '')", (f"c{n}",))

    writing_on = asyncio.get_running_loop().run_in_executor(None, write)
    counts = []
    for n in range(5):
        await take(site, copy.with_name(f"{n}.ivrcopy"), now_ms=now_ms())
        rows = {"do_not_call": 0, "loss": 0}
        for name, data in pieces(copy.with_name(f"{n}.ivrcopy"), None):
            if (table := name.split("/")[1:2]) and table[0] in rows:
                rows[table[0]] += len(json.loads(data)["rows"])
        assert rows["do_not_call"] == rows["loss"]
        counts.append(rows["loss"])
    stop.set()
    await writing_on
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


async def test_on_a_full_disk_there_is_no_copy(site: Site, copy: Path) -> None:
    (site.folder / "prompts/recordings/noise.wav").write_bytes(os.urandom(3_000_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(UserError, match="The copy can't be written: File too large"):
            await take(site, copy, now_ms=now_ms())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in copy.parent.iterdir()] == ["site"]


async def test_a_copy_that_is_cut_changes_nothing(site: Site, copy: Path) -> None:
    await take(site, copy, now_ms=now_ms())
    os.truncate(copy, os.stat(copy).st_size - 1)  # noqa: PTH116
    before = tree(site.folder)
    with pytest.raises(UserError, match="cut off in chunk 1"):
        await put_copy_back(copy, site.folder, now_ms=now_ms())
    after = tree(site.folder)
    assert {name: data for name, data in after.items() if data} == {name: data for name, data in before.items() if data}


async def test_a_running_site_is_not_touched(site: Site, copy: Path) -> None:
    await take(site, copy, now_ms=now_ms())
    with held(site.var), pytest.raises(UserError, match="The site runs: its engine is up"):
        await put_copy_back(copy, site.folder, now_ms=now_ms())


async def test_what_was_there_is_moved_aside(site: Site, copy: Path) -> None:
    await take(site, copy, now_ms=now_ms())
    (site.folder / "prompts/texts/ru.yaml").write_text("since: the copy")
    async with opened(site.var) as campaign:
        await campaign.campaign(1)
    done = await put_copy_back(copy, site.folder, now_ms=now_ms())
    assert done.aside is not None
    assert not (site.folder / "prompts/texts/ru.yaml").exists()
    assert (done.aside / "prompts/texts/ru.yaml").read_text() == "since: the copy"
    with contextlib.closing(sqlite3.connect(done.aside / "ivr.sqlite3")) as old:
        assert old.execute("SELECT count(*) FROM lead").fetchone() == (1,)
    with database(site.folder) as new:
        assert new.execute("SELECT count(*) FROM lead").fetchone() == (0,)


async def test_lines_that_wait_in_files_are_in_the_copy_and_beside_those_that_lie_there(site: Site, copy: Path) -> None:
    reserve = Reserve(site.var / "opt-outs.reserve")
    reserve.open()
    reserve.put(an_opt_out())
    reserve.close()
    (site.var / "journal.ahead-1.jsonl").write_bytes(to_json(an_opt_out("+79160000001", "c2")))
    await take(site, copy, now_ms=now_ms())
    (site.var / "opt-outs.reserve").unlink()
    (site.var / "journal.ahead-1.jsonl").unlink()
    (site.var / "journal.jsonl").write_bytes(to_json(an_opt_out("+79160000002", "c3")))
    await put_copy_back(copy, site.folder, now_ms=now_ms())
    waiting = (site.var / "journal.jsonl").read_text()
    assert [json.loads(line)["row"]["phone"] for line in waiting.splitlines()] == [
        "+79160000002",
        "+79160000001",
        PHONE,
    ]


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_opt_outs_of_a_database_of_an_older_release_are_kept(site: Site, copy: Path, revision: str) -> None:
    await take(site, copy, now_ms=now_ms())
    path = site.var / "ivr.sqlite3"
    path.unlink()
    old_database(path, revision)
    with database(site.folder) as old:
        old.execute("INSERT INTO do_not_call VALUES ('shop', ?, 7, 'command', NULL)", (PHONE,))
    done = await put_copy_back(copy, site.folder, now_ms=now_ms())
    assert done.unread == ()
    async with opened(site.var) as campaign:
        assert PHONE in {each.phone for each in await do_not_call.entries(campaign.scope)}


@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_tables_of_an_older_release_are_copied_and_brought_up_to_date(
    site: Site, copy: Path, tmp_path: Path, revision: str
) -> None:
    path = site.var / "ivr.sqlite3"
    path.unlink()
    old_database(path, revision)
    await take(site, copy, now_ms=now_ms())
    await put_copy_back(copy, tmp_path / "new", now_ms=now_ms())
    await upgrade(site.database_url)
    before, after = rows_but_of_restoring(site.folder), rows_but_of_restoring(tmp_path / "new")
    with database(tmp_path / "new") as new:
        assert new.execute("SELECT max(revision) FROM migration").fetchone() == (NEWEST,)
    assert before["lead"]
    for changed in ("campaign", "gateway"):
        del before[changed], after[changed]
    assert after == before


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (backup.ABOUT, b'{"revision": "9999", "taken_at_ms": 1, "highest": {}}', "A newer release has taken this copy"),
        (backup.ABOUT, b"[]", "This copy is not understood"),
        ("site/../../evil", b"x", "This copy is not understood: it holds 'site/../../evil'"),
        ("etc/passwd", b"x", "This copy is not understood: it holds 'etc/passwd'"),
        ("tables/nothing/0", b'{"columns": [], "rows": []}', "there is no table 'nothing'"),
        ("tables/lead/0", b"no json", "This copy is not understood"),
    ],
)
async def test_a_copy_that_is_made_up_is_refused(tmp_path: Path, copy: Path, name: str, data: bytes, said: str) -> None:
    with writing(copy, None) as archive:
        if name != backup.ABOUT:
            archive.add(backup.ABOUT, json.dumps({"revision": NEWEST, "taken_at_ms": 1, "highest": {}}).encode())
        archive.add(name, data)
    with pytest.raises(UserError) as error:
        await put_copy_back(copy, tmp_path / "new", now_ms=now_ms())
    assert said in str(error.value)
    assert not [name for name in tree(tmp_path) if name.endswith("evil")]


async def test_a_copy_with_a_key_needs_it(site: Site, copy: Path, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(os.urandom(32))
    (tmp_path / "short").write_bytes(b"too short")
    async with opened(site.var) as campaign:
        await do_not_call.add(campaign.scope, phones=[PHONE], source="command", now_ms=1)
    await take(site, copy, now_ms=now_ms(), key=read_key(tmp_path / "key"))
    with pytest.raises(UserError, match="A key has 16 bytes or more, and this has 9"):
        read_key(tmp_path / "short")
    await put_copy_back(copy, tmp_path / "new", now_ms=now_ms(), key=read_key(tmp_path / "key"))
    with database(tmp_path / "new") as new:
        assert new.execute("SELECT phone FROM do_not_call").fetchall() == [(PHONE,)]


async def test_a_database_of_another_site_is_not_written_over(site: Site, copy: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "shared.sqlite3"
    put_tables(elsewhere)
    text = (site.folder / "ivr.toml").read_text()
    (site.folder / "ivr.toml").write_text(f'database = "{file_url(elsewhere)}"\n' + text)
    await take(load_site(site.folder), copy, now_ms=now_ms())
    with pytest.raises(UserError, match="holds something and is not this site's"):
        await put_copy_back(copy, tmp_path / "new", now_ms=now_ms())
    # Over the site that it belongs to it is put back.
    await put_copy_back(copy, site.folder, now_ms=now_ms())


async def test_a_failure_at_the_last_step_leaves_the_present_database(
    site: Site, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(site, copy, now_ms=now_ms())
    async with opened(site.var) as campaign:
        await campaign.campaign(1)

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore, "put_back", fails)
    with pytest.raises(UserError, match="The site can't be written: No space left on device"):
        await put_copy_back(copy, site.folder, now_ms=now_ms())
    with database(site.folder) as there:
        assert there.execute("SELECT count(*) FROM lead").fetchone() == (1,)
    monkeypatch.undo()
    await put_copy_back(copy, site.folder, now_ms=now_ms() + 1000)
    with database(site.folder) as there:
        assert there.execute("SELECT count(*) FROM lead").fetchone() == (0,)


async def test_who_opts_out_while_a_copy_is_put_back_stays_on_the_list(
    site: Site, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await take(site, copy, now_ms=now_ms())

    def meanwhile(*_: object) -> None:
        with database(site.folder) as present:
            present.execute("INSERT INTO do_not_call VALUES ('shop', ?, 7, 'command', NULL)", (PHONE,))

    monkeypatch.setattr(restore, "put_back", meanwhile)
    done = await put_copy_back(copy, site.folder, now_ms=now_ms())
    assert done.opt_outs == 1
    async with opened(site.var) as campaign:
        assert [each.phone for each in await do_not_call.entries(campaign.scope)] == [PHONE]


async def test_doctor_says_that_campaigns_wait_since_a_copy_was_put_back(site: Site, copy: Path) -> None:
    async with opened(site.var) as campaign:
        await campaign.campaign(1)
    await take(site, copy, now_ms=1_800_000_000_000)
    await put_copy_back(copy, site.folder, now_ms=now_ms())
    (found,) = await asyncio.to_thread(lambda: list(doctor._copies(site)))
    assert found.what.startswith("The database was put back from the copy of 2027-01-15 11:00; the next ivr up looks")
    assert found.mend == "Let them go on by: ivr campaign resume NAME (sony)."


@pytest.mark.parametrize("step", ["put_back", "_put_database", "shutil.move", "sync_folder"])
async def test_a_kill_leaves_one_of_both_databases_whole(site: Site, copy: Path, step: str) -> None:
    await take(site, copy, now_ms=now_ms())
    async with opened(site.var) as campaign:
        await campaign.campaign(1)
    dies = (
        "import asyncio, os, shutil, sys; from pathlib import Path; from app.copies import restore\n"
        f"restore.{step} = lambda *_, **__: os.kill(os.getpid(), 9)\n"
        "asyncio.run(restore.put_copy_back(Path(sys.argv[1]), Path(sys.argv[2]), now_ms=1))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", dies, str(copy), str(site.folder))
    assert await process.wait() == -9
    with database(site.folder) as there:
        assert there.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        present = there.execute("SELECT state, paused_because FROM campaign").fetchall()
    # That of before until the very last step.
    assert present == ([] if step == "sync_folder" else [("running", None)])
    await put_copy_back(copy, site.folder, now_ms=now_ms())
    with database(site.folder) as there:
        assert there.execute("SELECT count(*) FROM lead").fetchone() == (0,)
    assert not list(site.var.glob(".restoring-*"))


async def test_the_figures_that_come_back_are_those_that_were_copied(site: Site, copy: Path, tmp_path: Path) -> None:
    fake = FakeAmi()
    async with opened(site.var) as campaign, running(fake):
        await campaign.campaign(5)
        async with campaign.working(fake):
            await campaign.until_state("finished")
        await refresh(campaign.engine)
        await campaign.campaign(2, name="marked")
        async with campaign.working(fake):
            await campaign.until_state("finished", name="marked")
    await take(site, copy, now_ms=now_ms())
    await put_copy_back(copy, tmp_path / "new", now_ms=now_ms())
    async with opened(tmp_path / "new/var") as campaign:
        for name in ("sony", "marked"):
            assert (await prove(Scope(campaign.engine, "shop"), campaign_name=name)).differences == []
