"""The only reader of time in outbound: the time of day, the time that passes, sleeping and time-outs.

Everything here is given a Clock, so that tests run hours of dialling in seconds. What is written down as a moment goes
by `now_ms`, which people and daemons set; what is waited for goes by `monotonic_s`, which nobody sets.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractAsyncContextManager

# Counts while the machine sleeps, which CLOCK_MONOTONIC does not: a rest of half an hour is over after the night.
_PASSES = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """The machine's own clock."""

    def now_ms(self) -> int:
        """UTC, ms since 1970. It may step either way at any moment."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds since some moment; never steps."""
        return time.clock_gettime(_PASSES)

    def to_beat_s(self, every_s: float) -> float:
        """Seconds until the next beat of so many; the one after it, when that is less than a tenth of them away.

        Whoever has something small to do now and again does it on a beat: a wake-up costs more than what it is for.
        """
        wait_s = every_s - self.monotonic_s() % every_s
        return wait_s if wait_s >= every_s / 10 else wait_s + every_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float | None) -> AbstractAsyncContextManager[object]:
        """As asyncio.timeout: TimeoutError out of the block when it takes longer; None: never."""
        return asyncio.timeout(seconds)
