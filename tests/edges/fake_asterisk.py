"""Asterisk's side of FastAGI over real loopback TCP: small, and it says only what it is told to say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType

from tests.edges.waiting import PATIENCE_S

#: What the dialplan of these tests' site sends along.
KEY = "0123456789abcdef"


def opening(
    script: str = "inbound",
    *args: str,
    uniqueid: str = "1763820000.1",
    caller: str = "+79161234567",
    name: bytes = b"unknown",
    key: str = KEY,
    answered: bool = False,
) -> bytes:
    """The header block that Asterisk 22 sends for `AGI(agi://127.0.0.1:4573/<script>?key=<key>,<args>)`."""
    query = f"key={key}&answered=1" if answered else f"key={key}"
    lines = [
        b"agi_network: yes",
        f"agi_network_script: {script}?{query}".encode(),
        f"agi_request: agi://127.0.0.1:4573/{script}?{query}".encode(),
        b"agi_channel: PJSIP/trunk-00000001",
        b"agi_language: en",
        b"agi_type: PJSIP",
        f"agi_uniqueid: {uniqueid}".encode(),
        b"agi_version: 22.10.1",
        f"agi_callerid: {caller}".encode(),
        b"agi_calleridname: " + name,
        b"agi_callingpres: 0",
        b"agi_dnid: unknown",
        b"agi_rdnis: unknown",
        b"agi_context: from-trunk",
        b"agi_extension: s",
        b"agi_priority: 3",
        b"agi_enhanced: 0.0",
        b"agi_accountcode: ",
        b"agi_threadid: 140000000000000",
        *(f"agi_arg_{number}: {value}".encode() for number, value in enumerate(args, 1)),
    ]
    return b"\n".join(lines) + b"\n\n"


class FakeAsterisk:
    """One connection to the engine: `async with FakeAsterisk(port) as asterisk: ...`."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def __aenter__(self) -> FakeAsterisk:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.transport.abort()

    async def says(self, *lines: bytes | str) -> None:
        """Send lines (text, a line end is added) or bytes as they are, all in one piece."""
        self._writer.write(b"".join(line if isinstance(line, bytes) else f"{line}\n".encode() for line in lines))
        await self._writer.drain()

    async def hears(self) -> str:
        """The engine's next command, without its line end; "" when it has closed its side."""
        async with asyncio.timeout(PATIENCE_S):
            return (await self._reader.readline()).decode().removesuffix("\n")

    async def expects(self, *commands: str) -> None:
        for command in commands:
            heard = await self.hears()
            assert heard == command, f"the engine said {heard!r}, expected {command!r}"

    async def expects_end(self) -> None:
        """The engine closes without a further word."""
        try:
            heard = await self.hears()
        except ConnectionResetError:
            return
        assert heard == "", f"the engine said {heard!r}, expected the end"

    async def hangs_up_the_link(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


async def play_transcript(port: int, lines: Sequence[str], substitutions: dict[str, str]) -> None:
    """Play `asterisk:` lines and expect `us:` lines, in order; every line must be used.

    call: inbound +78001234567        the opening, with the dialplan's arguments
    asterisk: 200 result=0            what Asterisk sends
    us: STREAM FILE "{audio}/a" "" 0  what the engine must send
    us: (end)                         the engine closes its side
    asterisk: (end)                   Asterisk closes the link
    """
    said: list[str] = []
    async with FakeAsterisk(port) as asterisk:
        for number, raw in enumerate(lines, 1):
            who, _, what = raw.partition(": ")
            for name, value in substitutions.items():
                what = what.replace("{" + name + "}", value)
            if said and not (who == "asterisk" and what != "(end)"):
                # What Asterisk says in a row comes in one piece, so that a test runs the same way every time.
                await asterisk.says(*said)
                said.clear()
            match who, what:
                case "call", _:
                    script, *args = what.split()
                    await asterisk.says(opening(script, *args))
                case "asterisk", "(end)":
                    await asterisk.hangs_up_the_link()
                case "asterisk", _:
                    said.append(what)
                case "us", _:
                    heard = await asterisk.hears() or "(end)"
                    unused = "\n".join(lines[number - 1 :])
                    assert heard == what, f"line {number}: the engine said {heard!r}; not used:\n{unused}"
                case _:
                    raise AssertionError(f"line {number}: not a transcript line: {raw!r}")
