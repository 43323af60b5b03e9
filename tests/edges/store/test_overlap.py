"""Two releases use one database at a time: the older one goes on while the newer one's tables are made."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from people.store.db import open_database
from people.store.scope import Scope
from people.store.upgrade import upgrade
from reports.kept import refresh
from reports.metrics import compute_report, prove
from tests.databases import url

_HERE = Path(__file__).parent


@contextlib.contextmanager
def old_release(path: Path) -> Iterator[subprocess.Popen[str]]:
    """It works until its input ends."""
    process = subprocess.Popen(
        [sys.executable, str(_HERE / "old_release.py"), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def done(process: subprocess.Popen[str], more: int) -> int:
    """How many people it is through with, after so many more."""
    assert process.stdout is not None
    lines = [str(process.stdout.readline()) for _ in range(more)]
    assert lines[-1], "it died"
    return int(lines[-1])


async def test_an_old_process_reads_and_writes_while_the_tables_are_upgraded_and_after(tmp_path: Path) -> None:
    path = tmp_path / "ivr.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript((_HERE / "tables_0002.sql").read_text("utf-8"))
    with old_release(path) as process:
        before = done(process, 20)
        await upgrade(url(path))
        with contextlib.closing(sqlite3.connect(path)) as database:
            (at_upgrade,) = database.execute("SELECT count(*) FROM attempt WHERE id LIKE 'old%'").fetchone()
        while (people := done(process, 20)) < at_upgrade + 20:
            pass
        rest, _ = process.communicate("")
        people = int((rest.split() or [str(people)])[-1])
        assert process.returncode == 0
    assert people > before
    with contextlib.closing(sqlite3.connect(path)) as database:
        for kept in (
            "SELECT count(*) FROM lead WHERE tenant = 'shop' AND language = 'uk' AND name LIKE 'Old %'",
            "SELECT count(*) FROM attempt WHERE tenant = 'shop' AND id LIKE 'old%'",
            "SELECT count(*) FROM refused_row WHERE tenant = 'shop' AND line = 7",
            "SELECT count(*) FROM call WHERE campaign_id = 1 AND id LIKE 'old%'",
        ):
            assert database.execute(kept).fetchone() == (people,), kept
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    engine = await open_database(url(path))
    report = await compute_report(Scope(engine, "shop"), campaign_name="sony", zone=ZoneInfo("UTC"), now_ms=1)
    assert (await prove(Scope(engine, "shop"), campaign_name="sony")).differences == []
    await refresh(engine)
    assert (await prove(Scope(engine, "shop"), campaign_name="sony")).differences == []
    await engine.dispose()
    assert report.listened.part == people + 1
