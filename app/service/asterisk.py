"""Keep the site's Asterisk running: one that died is started again, one that hangs is ended and started again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from app.service.supervision import BACKOFF, Backoff
from faults import PeerError, UserError
from ivr.asterisk.rotation import rotate
from ivr.asterisk.running import Running

log = structlog.get_logger(__name__)

#: It is ended when it gave no answer so often in succession.
_HUNG_AFTER = 3
_ROTATE_EVERY_S = 600.0


class Keeper:
    """Of one Asterisk; `asterisk` is the present one."""

    def __init__(
        self,
        asterisk: Running,
        start: Callable[[], Awaitable[Running]],
        *,
        hung_after_s: float,
        backoff: Backoff = BACKOFF,
    ) -> None:
        self.asterisk = asterisk
        self._start, self._backoff = start, backoff
        # Time between two looks, and then for the answer.
        self._look_every_s = self._answer_s = hung_after_s / _HUNG_AFTER / 2
        self._deaths = 0

    async def run(self) -> None:
        """Until cancelled. The engine and the campaigns find the new one by themselves."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            if self.asterisk.alive:
                await self._until_dead_or_hung()
            self._deaths = self._backoff.deaths(self._deaths, ran_s=loop.time() - began_s)
            wait_s = self._backoff.wait_s(self._deaths)
            log.error("asterisk_died", again_in_s=wait_s, log=str(self.asterisk.home.messages))
            await asyncio.sleep(wait_s)
            began_s = loop.time()
            try:
                self.asterisk = await self._start()
            except (UserError, OSError) as error:
                log.error("asterisk_not_started", why=str(error))

    async def rotate(self) -> None:
        """Keep its log and records from growing for ever, until cancelled."""
        while True:
            await asyncio.sleep(_ROTATE_EVERY_S)
            # It may have died a moment ago; the next time is soon enough.
            with contextlib.suppress(PeerError):
                await rotate(self.asterisk)

    async def stop(self, grace_s: float) -> None:
        """End it, when its last call is over or after `grace_s`. New calls are refused from now on."""
        await self.asterisk.stop(grace_s=grace_s)

    async def _until_dead_or_hung(self) -> None:
        unanswered = 0
        gone = asyncio.create_task(self.asterisk.wait())
        try:
            while not gone.done():
                await asyncio.wait({gone}, timeout=self._look_every_s)
                if gone.done():
                    return
                unanswered = unanswered + 1 if await self._silent() else 0
                if unanswered >= _HUNG_AFTER:
                    log.error("asterisk_hung", pid=self.asterisk.pid)
                    await self.asterisk.kill()
                    return
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _silent(self) -> bool:
        """Whether it gave no answer in time. While we ourselves did not run, a missing answer is no proof."""
        loop = asyncio.get_running_loop()
        asked_s = loop.time()
        answers = await self.asterisk.answers(self._answer_s)
        return not answers and loop.time() - asked_s < self._answer_s + 1.0
