"""An opt-out that a caller hears confirmed is kept, whatever the database, the disk and the engine's end are like."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.databases import Server, a_url
from tests.edges.opt_outs_in_trouble import CALLERS, scenario
from tests.edges.waiting import PATIENCE_S


@pytest.mark.both_databases
@pytest.mark.parametrize("trouble", ["none", "locked"])
async def test_whoever_heard_a_confirmation_is_on_the_list_after_a_kill(tmp_path: Path, trouble: str) -> None:
    async with a_url(tmp_path) as address:
        heard, listed = await scenario(tmp_path, address, trouble, signal.SIGKILL)
    assert heard == ["promo.opted_out"] * 10
    assert listed == CALLERS


@pytest.mark.postgresql_only
async def test_while_the_server_is_away_too(tmp_path: Path, postgresql: Server) -> None:
    async with a_url(tmp_path) as address:
        heard, listed = await scenario(tmp_path, address, "away", signal.SIGKILL, cluster=postgresql.cluster)
    assert heard == ["promo.opted_out"] * 10
    assert listed == CALLERS


@pytest.mark.parametrize("number", ["SIGKILL", "SIGINT"])
async def test_on_a_full_disk_too(tmp_path: Path, number: str) -> None:
    in_a_small_file_system = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = 'mount -t tmpfs -o size=4m none "$0"'
    tried = subprocess.run([*in_a_small_file_system, mount, tmp_path], capture_output=True, check=False)  # noqa: ASYNC221
    if tried.returncode:
        pytest.skip("this machine lets nobody but root mount a file system")
    process = await asyncio.create_subprocess_exec(
        *in_a_small_file_system,
        f'{mount} && exec "$1" -m tests.edges.opt_outs_in_trouble "$0" full "$2"',
        *(str(tmp_path), sys.executable, number),
        stdout=subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        output = (await process.communicate())[0].decode()
    result = output.rpartition("result: ")[2].strip()
    assert result == " ".join(["promo.opted_out"] * 10 + ["|"] + CALLERS), output
