"""Keep the service's side tasks running: one that ends is told loudly and started again, or ends the service in order.

An error in one never ends another. It knows nothing of what the tasks do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """How long to wait before something that died is started again."""

    first_s: float = 1.0
    most_s: float = 15.0
    #: Deaths are forgotten when it then ran for so long.
    forgotten_s: float = 60.0

    def wait_s(self, deaths: int) -> float:
        """Before the start after the `deaths`-th death in succession."""
        return float(min(self.most_s, self.first_s * 2 ** min(deaths - 1, 32)))

    def deaths(self, before: int, *, ran_s: float) -> int:
        """Deaths in succession, this one included, of what died `before` times and then ran for `ran_s`."""
        return 1 if ran_s >= self.forgotten_s else before + 1


BACKOFF = Backoff()


class Supervision:
    """Made inside the running loop. `failed` is done when a task was given up; its result says which and why."""

    def __init__(self, backoff: Backoff = BACKOFF) -> None:
        self._backoff = backoff
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._released: set[str] = set()
        self.failed: asyncio.Future[str] = self._loop.create_future()

    def keep(self, name: str, run: Callable[[], Awaitable[None]], *, deaths: int | None = None) -> None:
        """Run `run()` for ever. With the `deaths`-th death in succession the service has failed; None: with none."""
        self._tasks[name] = self._loop.create_task(self._keep(name, run, deaths, once=False), name=name)

    def until_done(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run `run()` until it came to its end once without an error."""
        self._tasks[name] = self._loop.create_task(self._keep(name, run, None, once=True), name=name)

    def release(self, name: str) -> None:
        """The next end of this task, whichever it is, is its last."""
        self._released.add(name)

    async def ended(self, name: str, within_s: float) -> None:
        """Wait for a released task, then end it."""
        if (task := self._tasks.get(name)) is not None:
            await asyncio.wait({task}, timeout=within_s)
            await self.stop(name)

    async def stop(self, *names: str) -> None:
        """End these tasks; without names all of them. Their errors are logged."""
        tasks = [self._tasks.pop(name) for name in names or tuple(self._tasks) if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, name: str, run: Callable[[], Awaitable[None]], most: int | None, *, once: bool) -> None:
        deaths = 0
        while True:
            began_s = self._loop.time()
            try:
                await run()
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                log.exception("task_died", task=name)
            else:
                if once or name in self._released:
                    return
                why = "it came to an end"
                log.error("task_ended", task=name)
            if name in self._released:
                return
            deaths = self._backoff.deaths(deaths, ran_s=self._loop.time() - began_s)
            if most is not None and deaths >= most:
                log.error("task_given_up", task=name, deaths=deaths, why=why)
                if not self.failed.done():
                    self.failed.set_result(f"{name}: {why}")
                return
            await asyncio.sleep(self._backoff.wait_s(deaths))
