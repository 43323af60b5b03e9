"""The local fallback as Asterisk starts it: a real process, AGI over its pipes, its request picked up by the engine."""

from __future__ import annotations

import asyncio
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from ivr.fallback.plan import CallBack, Plan
from ivr.fallback.prepare import prepare_fallback
from ivr.settings import Settings, Trunk
from ivr.spool import pick_up
from people.store.tables import request
from tests.databases import a_database
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import opening

CALLER = "79161234567"


def alaw(file: str) -> bytes:
    return Path(f"{file}.alaw").read_bytes()


class Script:
    """Asterisk's side of one fallback process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self.process, self._to, self._from = process, process.stdin, process.stdout

    async def says(self, *lines: bytes | str) -> None:
        self._to.write(b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines))
        await self._to.drain()

    async def takes(self, command: str, *answer: str) -> None:
        async with asyncio.timeout(10):
            heard = (await self._from.readline()).decode().removesuffix("\n")
        assert heard == command, f"the script said {heard!r}, expected {command!r}"
        await self.says(*answer)

    async def ends(self) -> str:
        """Wait for its good end; what it wrote for the operator of the machine."""
        self._to.close()
        async with asyncio.timeout(10):
            out, err = await self.process.communicate()
        assert (self.process.returncode, out) == (0, b"")
        return err.decode()


def settings(operator: str = "+74951234567") -> Settings:
    return Settings(trunk=Trunk(host="x"), destinations={"operator": operator} if operator else {})


@asynccontextmanager
async def started(
    folder: Path, site: Settings, name: bytes = b"unknown", caller: str = CALLER
) -> AsyncIterator[Script]:
    plan = folder / "fallback.json"
    voice = DiskVoice(folder / "audio")
    assert await prepare_fallback(site, voice, plan=plan, spool=folder / "spool") == ()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "ivr.fallback.script", plan, "+78001234567"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2] / "ivr",  # Its folder `asterisk` must not shadow pyst2's package.
    )
    script = Script(process)
    try:
        await script.says(opening("x", caller=caller, name=name))
        yield script
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def begins(script: Script, folder: Path, language: str, keys: str, *answer: str) -> None:
    await script.takes("ANSWER", "200 result=0")
    set_by_engine = f"200 result=1 ({language})" if language != "ru" else "200 result=0"
    await script.takes("GET VARIABLE IVR_LANGUAGE", set_by_engine)
    await script.takes(f'STREAM FILE "{folder}/fallback/{language}/apology-1" "{keys}"', *answer)


async def test_a_call_back_is_noted_and_picked_up_once(tmp_path: Path) -> None:
    async with started(tmp_path, settings()) as script:
        await begins(script, tmp_path, "uk", "10", "200 result=49 endpos=800")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/uk/noted-1" ""', "200 result=0 endpos=8000")
        assert await script.ends() == ""
    (noted,) = (tmp_path / "spool").iterdir()
    assert stat.S_IMODE(noted.stat().st_mode) == 0o600
    again = noted.read_bytes()

    async with a_database(tmp_path) as database:
        assert await pick_up(database, tmp_path / "spool", tenant="shop", region="RU") == 1
        assert list((tmp_path / "spool").iterdir()) == []
        noted.write_bytes(again)  # As if the engine had died between the commit and the removal.
        await pick_up(database, tmp_path / "spool", tenant="shop", region="RU")
        async with database.connect() as connection:
            row = (await connection.execute(select(request))).one()
    assert (row.kind, row.phone, row.call_id) == ("call_back", "+79161234567", None)
    assert row.variables == {"dialled": "+78001234567", "language": "uk", "uniqueid": "1763820000.1"}


async def test_the_operator_takes_the_call(tmp_path: Path) -> None:
    async with started(tmp_path, settings()) as script:
        await begins(script, tmp_path, "ru", "10", "200 result=0 endpos=8000")
        await script.takes("WAIT FOR DIGIT 5000", "200 result=48")
        await script.takes('EXEC Dial "PJSIP/74951234567@trunk,30,g"', "200 result=0")
        await script.takes("GET VARIABLE DIALSTATUS", "200 result=1 (ANSWER)")
        await script.ends()
    assert not (tmp_path / "spool").exists()


async def test_busy_operators_leave_the_call_back(tmp_path: Path) -> None:
    async with started(tmp_path, settings()) as script:
        await begins(script, tmp_path, "ru", "10", "200 result=48 endpos=8000")
        await script.takes('EXEC Dial "PJSIP/74951234567@trunk,30,g"', "200 result=-1")
        await script.takes("GET VARIABLE DIALSTATUS", "200 result=1 (BUSY)")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/operators_busy-1" "1"', "200 result=49 endpos=8")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/noted-1" ""', "200 result=0 endpos=8000")
        await script.ends()
    assert len(list((tmp_path / "spool").iterdir())) == 1


async def test_the_fallbacks_audio_outlives_the_cache(tmp_path: Path) -> None:
    async with started(tmp_path, settings()):
        pass
    shutil.rmtree(tmp_path / "audio")
    plan = Plan.read(tmp_path / "fallback.json")
    files = [file for texts in plan.audio.values() for clips in texts.values() for file in clips]
    assert len(files) == 12
    assert [file for file in files if len(alaw(file)) != 8000] == []


async def test_without_an_operator_and_with_a_missing_file_the_offer_stands(tmp_path: Path) -> None:
    async with started(tmp_path, settings(operator="")) as script:
        await begins(script, tmp_path, "ru", "1", "200 result=-1 endpos=0")
        await script.takes("WAIT FOR DIGIT 5000", "200 result=0")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/apology-1" "1"', "200 result=0 endpos=8000")
        await script.takes("WAIT FOR DIGIT 5000", "200 result=0")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/goodbye-1" ""', "200 result=0 endpos=8000")
        await script.ends()


async def test_a_name_of_any_bytes_and_a_withheld_number(tmp_path: Path) -> None:
    async with started(tmp_path, settings(), name="Иван".encode("cp1251"), caller="unknown") as script:
        await begins(script, tmp_path, "ru", "10", "200 result=49 endpos=8")
        # Nobody to call back: the offer is made once more.
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/apology-1" "10"', "200 result=49 endpos=8")
        await script.takes(f'STREAM FILE "{tmp_path}/fallback/ru/goodbye-1" ""', "200 result=0 endpos=8000")
        await script.ends()
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("reply", ["HANGUP", "511 Command Not Permitted on a dead channel", None])
async def test_a_caller_who_hangs_up_ends_it_quietly(tmp_path: Path, reply: str | None) -> None:
    async with started(tmp_path, settings()) as script:
        await begins(script, tmp_path, "ru", "10", *([reply] if reply else []))
        said = await script.ends()
    assert CALLER not in said
    assert "Traceback" not in said


async def test_sighup_is_the_callers_hang_up(tmp_path: Path) -> None:
    async with started(tmp_path, settings()) as script:
        await script.takes("ANSWER", "200 result=0")
        await script.takes("GET VARIABLE IVR_LANGUAGE")
        script.process.send_signal(signal.SIGHUP)
        await script.says("200 result=0")
        assert "AGISIGHUPHangup" in await script.ends()


async def test_unreadable_requests_are_set_aside(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "1.json").write_text("{", "utf-8")
    (spool / "2.json").write_text('{"phone": 7}', "utf-8")
    (spool / "3.part").write_text("half", "utf-8")
    CallBack(phone="100", dialled="", language="ru", uniqueid="1.1", asked_at_ms=5).write(spool)
    async with a_database(tmp_path) as database:
        assert await pick_up(database, spool, tenant="shop", region="RU") == 1
    assert sorted(path.name for path in spool.iterdir()) == ["1.bad", "2.bad", "3.part"]


def test_the_plan_is_replaced_in_one_step(tmp_path: Path) -> None:
    plan = Plan(audio={"ru": {"apology": ("/a",)}}, language="ru", spool="/s", operator="PJSIP/1@trunk")
    plan.write(tmp_path / "plan.json")
    again = Plan.read(tmp_path / "plan.json")
    assert (again.language, again.operator, tuple(again.audio["ru"]["apology"])) == ("ru", plan.operator, ("/a",))
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
