"""A PostgreSQL of our own: started, stopped and started again, and nothing of it stays."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

import debroot
from faults import MachineError
from people.store import postgres
from tests.edges.waiting import PATIENCE_S

_KILLED = """
import sys, time
from people.store import postgres
with postgres.running(postgres.find(), durable=False) as cluster:
    print(cluster.log.parent, cluster.pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running(postgres.find(), durable=False) as made:
        yield made


async def ask(url: str, question: str) -> object:
    connection = await asyncpg.connect(url.replace("+asyncpg", ""), timeout=PATIENCE_S)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_who_has_no_password_is_refused(cluster: postgres.Cluster) -> None:
    assert await ask(cluster.url(), "SELECT current_user") == postgres.SUPERUSER
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(cluster.url(password="a guess"), "SELECT 1")


async def test_what_is_written_outlives_a_stop(cluster: postgres.Cluster) -> None:
    await ask(cluster.url(), "CREATE TABLE kept AS SELECT 5 AS number")
    cluster.stop()
    with pytest.raises(OSError):
        await ask(cluster.url(), "SELECT 1")
    cluster.start()
    assert await ask(cluster.url(), "SELECT number FROM kept") == 5


def test_it_runs_as_an_ordinary_user(cluster: postgres.Cluster) -> None:
    status = Path(f"/proc/{cluster.pid}/status").read_text("ascii")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert "0" not in fields["Uid"].split()
    assert (fields["CapEff"], fields["NoNewPrivs"]) == ("0" * 16, "1")
    assert cluster.log.parent.stat().st_mode & 0o007 == 0
    if os.geteuid() == 0:
        # What root writes lies where the server's user can put nothing in its way.
        assert (cluster.log.parent.stat().st_uid, cluster.log.parent.stat().st_mode & 0o020) == (0, 0)


def test_nothing_of_it_stays() -> None:
    with postgres.running(postgres.find(), durable=False) as cluster:
        folder, pid = cluster.log.parent, cluster.pid
    assert not folder.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_it_ends_with_whoever_started_it() -> None:
    with subprocess.Popen([sys.executable, "-c", _KILLED], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        folder, pid = owner.stdout.readline().split()
        watched = os.pidfd_open(int(pid))
        owner.send_signal(signal.SIGKILL)
    try:
        # Readable when the process is gone.
        assert select.select([watched], [], [], 10)[0]
    finally:
        os.close(watched)
        shutil.rmtree(folder)


def test_one_that_does_not_start_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    missing = postgres.Program(kind="system", folder=tmp_path / "nowhere", major=15)
    with pytest.raises(MachineError, match=r"does not start: .*nowhere/initdb") as told, postgres.running(missing):
        pass
    (fault,) = told.value.faults
    assert not Path(str(fault.where)).exists()


def test_only_what_lies_in_the_root_is_copied_and_only_into_the_folder(tmp_path: Path) -> None:
    """A loader names itself by its place in the system, which as root could be written to."""
    root = debroot.Root(folder=tmp_path / "root", architecture="amd64", versions={})
    root.libraries.mkdir(parents=True)
    inside, loader = root.libraries / "libpq.so.5", root.libraries / "ld-linux-x86-64.so.2"
    inside.write_text("ours")
    outside = tmp_path / "libssl.so.3"
    outside.write_text("the system's")
    lines = (
        f"/lib64/ld-linux-x86-64.so.2 => {loader} (0x1)",
        f"libssl.so.3 => {outside} (0x1)",
        f"libpq.so.5 => {inside} (0x1)",
    )
    loader.write_text("#!/bin/sh\ncat <<END\n" + "".join(f"\t{line}\n" for line in lines) + "END\n")
    loader.chmod(0o755)
    assert postgres.libraries_of(root, Path("usr/bin/postgres")) == [inside]
