"""What is ready when no engine is there: files for the dialplan, and the script that notes a wish to be called back."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.fallback.call_back import CallBack
from ivr.fallback.prepare import TEXTS, prepare_fallback
from ivr.settings import Settings, Trunk
from ivr.spool import pick_up
from ivr.tenants import alone
from people.store.tables import request
from tests.databases import a_database, all_rows
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import opening
from tests.edges.waiting import PATIENCE_S
from tests.golden.flows import versions_in

CALLER = "79161234567"
#: Whoever dialled is one of its callers.
SHOP = alone(Settings(trunk=Trunk(host="x")), versions_in(DiskVoice(Path("nowhere"))))


class Script:
    """Asterisk's side of one fallback process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self.process, self._to, self._from = process, process.stdin, process.stdout

    async def says(self, *lines: bytes | str) -> None:
        self._to.write(b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines))
        await self._to.drain()

    async def takes(self, command: str, *answer: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            heard = (await self._from.readline()).decode().removesuffix("\n")
        assert heard == command, f"the script said {heard!r}, expected {command!r}"
        await self.says(*answer)

    async def ends(self) -> tuple[int | None, str]:
        """Wait for its end; its status, and what it wrote for the operator of the machine."""
        self._to.close()
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        assert out == b""
        return self.process.returncode, err.decode()


@asynccontextmanager
async def started(spool: Path, name: bytes = b"unknown", *words: str) -> AsyncIterator[Script]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "ivr.fallback.script", spool),
        *(words or ("+78001234567", "uk", "1763820000")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2] / "ivr",  # Its folder `asterisk` must not shadow pyst2's package.
    )
    script = Script(process)
    try:
        await script.says(opening("x", caller=CALLER, name=name))
        yield script
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.mark.both_databases
async def test_a_wish_is_noted_and_picked_up_once(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    async with started(spool, "Иван".encode("cp1251")) as script:
        await script.takes("SET VARIABLE IVR_NOTED 1", "200 result=1")
        assert await script.ends() == (0, "")
    (noted,) = spool.iterdir()
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600
    again = noted.read_bytes()

    async with a_database(tmp_path) as database:
        assert await pick_up(database, spool, SHOP) == 1
        assert list(spool.iterdir()) == []
        noted.write_bytes(again)  # As if the engine had died between the commit and the removal.
        await pick_up(database, spool, SHOP)
        async with all_rows(database).begin() as connection:
            row = (await connection.execute(select(request))).one()
    assert (row.kind, row.phone, row.call_id) == ("call_back", "+79161234567", None)
    assert row.asked_at_ms == 1763820000_000
    assert row.variables == {"dialled": "+78001234567", "language": "uk", "uniqueid": "1763820000.1"}


@pytest.mark.parametrize("reply", ["HANGUP", "511 Command Not Permitted on a dead channel", None])
async def test_the_wish_of_a_caller_who_hangs_up_is_kept(tmp_path: Path, reply: str | None) -> None:
    async with started(tmp_path / "spool") as script:
        await script.takes("SET VARIABLE IVR_NOTED 1", *([reply] if reply else []))
        _, said = await script.ends()
    assert CALLER not in said
    assert "Traceback" not in said
    assert len(list((tmp_path / "spool").iterdir())) == 1


async def test_a_wish_that_the_disk_refuses_is_not_confirmed(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file is in the way")
    async with started(tmp_path / "spool") as script:
        status, said = await script.ends()
    assert status == 1
    assert "not noted" in said
    assert "Traceback" not in said


def sizes(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_size for path in folder.glob("*/*")}


async def test_the_files_outlive_the_cache_and_are_whole(tmp_path: Path) -> None:
    """A text of two clips is one file, for the dialplan plays one."""
    voice = DiskVoice(tmp_path / "audio", {"fallback.promo": (1000, 500)})
    voice.silent.add("fallback.wait")
    missing = await prepare_fallback(voice, tmp_path / "fallback")
    shutil.rmtree(tmp_path / "audio")
    assert set(missing) == {f"{language} fallback.wait" for language in ("ru", "uk", "en")}
    files = sizes(tmp_path / "fallback")
    spoken = {f"{language}/{text}.alaw" for language in ("ru", "uk", "en") for text in TEXTS if text != "wait"}
    assert files.keys() == spoken
    assert [files[f"{language}/promo.alaw"] for language in ("ru", "uk", "en")] == [12_000] * 3


async def test_a_text_that_can_no_more_be_spoken_keeps_its_file(tmp_path: Path) -> None:
    voice = DiskVoice(tmp_path / "audio")
    await prepare_fallback(voice, tmp_path / "fallback")
    voice.silent.add("fallback.apology")
    await prepare_fallback(voice, tmp_path / "fallback")
    assert (tmp_path / "fallback" / "ru" / "apology.alaw").stat().st_size == 8000


@pytest.mark.both_databases
async def test_unreadable_requests_are_set_aside(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "1.json").write_text("{", "utf-8")
    (spool / "2.json").write_text('{"phone": 7}', "utf-8")
    for name in ("1.json", "2.json"):
        os.utime(spool / name, (0, 0))
    (spool / "3.part").write_text("half", "utf-8")
    CallBack(phone="100", dialled="", language="ru", uniqueid="1.1", asked_at_ms=5).write(spool)
    async with a_database(tmp_path) as database:
        assert await pick_up(database, spool, SHOP) == 1
    assert sorted(path.name for path in spool.iterdir()) == ["1.bad", "2.bad", "3.part"]


@pytest.mark.both_databases
async def test_a_request_that_is_being_written_is_picked_up_later(tmp_path: Path) -> None:
    """The dialplan writes the wish of a caller who hung up in place."""
    spool = tmp_path / "spool"
    spool.mkdir()
    wish = spool / "1763820000-1763820000.1.json"
    whole = {"phone": "100", "dialled": "", "language": "ru", "uniqueid": "1.1", "asked_at_ms": 5}
    async with a_database(tmp_path) as database:
        wish.write_text(json.dumps(whole)[:20], "utf-8")
        assert await pick_up(database, spool, SHOP) == 0
        wish.write_text(json.dumps(whole), "utf-8")
        assert await pick_up(database, spool, SHOP) == 1
    assert list(spool.iterdir()) == []
