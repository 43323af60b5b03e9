"""A clock that jumps to the next moment somebody waits for, as soon as nothing is left to run.

Sockets and the database's threads are real: time stands still while one of them is at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import selectors
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar
from unittest.mock import patch

import aiosqlite
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect

from outbound.clock import Clock

_T = TypeVar("_T")


class VirtualClock(Clock):
    """UTC begins at `start_ms`; `step` sets the time of day as a person or a daemon does."""

    def __init__(self, start_ms: int = 1_800_000_000_000) -> None:
        self._passed_s = 1000.0
        self._ahead_ms = start_ms - 1_000_000
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._cancelled: set[int] = set()

    def now_ms(self) -> int:
        return self._ahead_ms + round(self._passed_s * 1000)

    def monotonic_s(self) -> float:
        return self._passed_s

    def step(self, seconds: float) -> None:
        self._ahead_ms += round(seconds * 1000)

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        number = self._call_in(seconds, lambda: None if done.done() else done.set_result(None))
        try:
            await done
        finally:
            self._cancelled.add(number)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        return self._timeout(seconds)

    @contextlib.asynccontextmanager
    async def _timeout(self, seconds: float | None) -> AsyncIterator[object]:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            number = None if seconds is None else self._call_in(seconds, lambda: limit.reschedule(loop.time()))
            try:
                yield limit
            finally:
                if number is not None:
                    self._cancelled.add(number)

    def _call_in(self, seconds: float, call: Callable[[], object]) -> int:
        number = next(self._order)
        heapq.heappush(self._waiting, (self._passed_s + max(0.0, seconds), number, call))
        return number

    def advance(self) -> bool:
        """Go to the next moment somebody waits for; False: nobody waits."""
        while self._waiting:
            at_s, number, call = heapq.heappop(self._waiting)
            if number in self._cancelled:
                self._cancelled.discard(number)
                continue
            self._passed_s = max(self._passed_s, at_s)
            call()
            return True
        return False


class _Selector(selectors.DefaultSelector):
    """Lets the clock go on instead of waiting."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock
        #: Calls that are in a thread.
        self.at_work = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        found = super().select(0)
        if found or timeout == 0:
            return found
        if self.at_work:
            return super().select(timeout)
        # Bytes on their way through the loopback are there by the time that they are sent.
        if not self._clock.advance():
            return super().select(timeout)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, selector: _Selector) -> None:
        super().__init__(selector)
        self._counted = selector

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., _T], *args: Any
    ) -> asyncio.Future[_T]:
        self._counted.at_work += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(lambda _: self._done())
        return future

    def _done(self) -> None:
        self._counted.at_work -= 1


class _CountingQueue:
    """What a connection's thread is given to do; each is at work until its future is done."""

    def __init__(self, queue: Any, selector: _Selector) -> None:
        self._queue, self._selector = queue, selector

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Any]) -> None:
        if item[0] is not None:
            self._selector.at_work += 1
            item[0].add_done_callback(self._done)
        self._queue.put_nowait(item)

    def _done(self, _: object) -> None:
        self._selector.at_work -= 1


def run(clock: VirtualClock, main: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """What `main` returns, run on a loop of its own whose time is `clock`."""
    selector, begin, wait = _Selector(clock), aiosqlite.Connection.__init__, vars(asyncpg_dialect)["await_"]

    def counted(self: Any, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        self._tx = _CountingQueue(self._tx, selector)

    def awaited(answer: Awaitable[Any]) -> Any:
        """PostgreSQL is at work until it has answered."""
        selector.at_work += 1
        try:
            return wait(answer)
        finally:
            selector.at_work -= 1

    with (
        patch.object(asyncpg_dialect, "await_", awaited),
        patch.object(aiosqlite.Connection, "__init__", counted),
        asyncio.Runner(loop_factory=lambda: _Loop(selector)) as runner,
    ):
        return runner.run(main())
