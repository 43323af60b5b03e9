"""A FastAGI engine of a few lines for campaigns whose calls say nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from ivr.settings import Site


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Half a second of waiting, then a clean end."""
    while (await reader.readline()).strip():
        pass
    with contextlib.suppress(ConnectionError):
        for command in ("WAIT FOR DIGIT 500", "SET VARIABLE IVR_DONE 1", "HANGUP"):
            writer.write(command.encode() + b"\n")
            await reader.readline()
    writer.close()


@contextlib.asynccontextmanager
async def engine(site: Site) -> AsyncIterator[None]:
    async with await asyncio.start_server(answer, "127.0.0.1", site.settings.agi.port):
        yield
