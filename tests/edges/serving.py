"""A FastAGI server on a free port for the length of a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ivr.agi.server import FastAgiServer, Handler, Limits
from tests.edges.fake_asterisk import KEY


@asynccontextmanager
async def serving(handler: Handler, limits: Limits | None = None) -> AsyncIterator[FastAgiServer]:
    server = FastAgiServer(handler, key=KEY, limits=limits)
    await server.start("127.0.0.1", 0)
    try:
        yield server
    finally:
        await server.drain(5)
