"""The README's commands, run as they are written, in its order, by somebody who has nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ivr.settings_files import load_site
from ivr.site import free_ports, settings_text
from reports.words import Words
from tests.edges.waiting import PATIENCE_S
from tests.live.shared_asterisk import LOOPBACK, kill_in
from tests.live.site_process import DOWN, UP, share_audio

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.ru.md")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a README tells to type."""

    #: Lines for the shell, with their comments.
    commands: tuple[str, ...]
    #: Name -> text of each example file.
    files: dict[str, str]
    #: What is typed elsewhere, or with an address that no example has.
    other: tuple[str, ...]

    def command(self, words: str) -> str:
        """The only command with these words."""
        (found,) = [line for line in self.commands if words in line]
        return found


def read(name: str) -> Written:
    text = (ROOT / name).read_text("utf-8")
    commands, files, other = [], {}, []
    for before, block in re.findall(r"([^\n]+(?:\n[^\n ][^\n]*)*)\n\n((?:    [^\n]+\n)+)", text):
        lines = [line[4:] for line in block.splitlines()]
        if re.match(r"\.venv/|make |\$", lines[0]):
            commands += lines
        elif named := re.findall(r"`(\w+\.csv)`", before):
            files[named[0]] = "\n".join(lines) + "\n"
        else:
            other += lines
    return Written(commands=tuple(commands), files=files, other=tuple(other))


@pytest.mark.pure
def test_both_languages_name_the_same_commands_and_files() -> None:
    one, other = map(read, READMES)
    ours, theirs = ([re.sub(r"\s+#.*", "", line) for line in readme.commands] for readme in (one, other))
    assert ours == theirs
    assert (one.files, one.other) == (other.files, other.other)
    assert {"people.csv", "subscribers.csv"} <= one.files.keys()


@pytest.mark.pure
def test_what_make_is_told_is_in_the_makefile() -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    named = [line.split()[1] for line in read("README.md").commands if line.startswith("make ")]
    assert named == ["demo", "test"]
    assert set(named) <= set(targets)


class Terminal:
    """Where the commands are typed."""

    def __init__(self, folder: Path, editor: str) -> None:
        self.folder = folder
        self._environment = {**os.environ, "EDITOR": editor, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"}

    async def _start(self, line: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_shell(
            line, cwd=self.folder, env=self._environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def type(self, line: str) -> str:
        """What a command printed. Fails with it when the command failed."""
        process = await self._start(line)
        output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        assert process.returncode == 0, f"{line}\n{output.decode()}"
        return output.decode()

    @contextlib.asynccontextmanager
    async def until_ctrl_c(self, line: str, *, ready: str) -> AsyncIterator[list[str]]:
        """What it has printed, from the line with `ready` on; Ctrl-C is pressed at the end, and it ends well."""
        # An interactive shell outlives the Ctrl-C that ends its command.
        process = await self._start(f"trap : INT\n{line}")
        assert process.stdout is not None
        printed: list[str] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while ready not in "".join(printed):
                    said = await process.stdout.readline()
                    assert said, f"{line}\n{''.join(printed)}"
                    printed.append(said.decode())
            yield printed
            os.killpg(process.pid, signal.SIGINT)
            output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
            printed += output.decode().splitlines(keepends=True)
            assert process.returncode == 0, f"{line}\n{''.join(printed)}"
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.communicate()


def ports() -> dict[str, object]:
    """Free ones for the site, beside those that the lab uses by itself."""
    while True:
        found = free_ports()
        if int(str(found["asterisk.rtp_end"])) < 14000 or int(str(found["asterisk.rtp_start"])) >= 16000:
            return found


async def test_a_newcomer_types_what_is_written(short: Path, audio: Path) -> None:
    written = read(READMES[0])
    (short / ".venv").symlink_to(sys.prefix)
    for file, text in written.files.items():
        (short / file).write_text(text, "utf-8")
    # What the newcomer writes: where the lab is. The rest is for a machine where others have the usual ports.
    engines = dict.fromkeys(("ru", "uk", "en"), "espeak")
    chosen = LOOPBACK | ports() | {"trunk.port": free_ports()["asterisk.sip_port"], "prompts.engine": engines}
    (short / "edited").write_text(settings_text(chosen), "utf-8")
    terminal = Terminal(short, "cp edited")
    command = written.command

    await terminal.type(command("ivr init"))
    await terminal.type(command("$EDITOR"))
    site = load_site(short / "shop")
    share_audio(audio, site)
    try:
        assert "FAIL" not in await terminal.type(command("ivr doctor"))
        async with (
            terminal.until_ctrl_c(command("ivr lab up"), ready="takes calls"),
            terminal.until_ctrl_c(command("ivr up"), ready=UP) as printed,
        ):
            created = await terminal.type(command("campaign create"))
            await terminal.type(command("campaign start"))
            report = await terminal.type(command("ivr report"))
            calls = await terminal.type(command("ivr calls"))
            truth = await terminal.type(command("lab calls"))
    finally:
        await kill_in(site.asterisk, site.var / "lab")
    assert DOWN in "".join(printed)
    # Every column is used, and none is missing.
    assert "1 people to call" in created
    assert "note:" not in created
    word = Words("ru")
    for figure in ("reached", "follow_up"):
        assert re.search(rf"{word(f'figure.{figure}.name')} +1 из 1 ", report), report
    assert (short / "tv.html").stat().st_size > 10_000
    assert " key 1 " in calls, calls
    assert re.search(r" 79161234567 +human +human ", truth), truth
