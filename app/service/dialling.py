"""The worker as the order of the end asks for it. Stands in until the worker has these methods itself."""

from __future__ import annotations

import asyncio

from outbound.worker import Worker


class WorkerEnd:
    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def stop_claiming(self) -> None:
        self._worker._stopping = True
        self._worker._wake.set()

    async def give_back(self) -> None:
        """The present worker cannot."""

    async def calls_ended(self, within_s: float) -> None:
        if self._worker._calls:
            await asyncio.wait(self._worker._calls, timeout=max(0.0, within_s))

    async def close(self) -> None:
        await self._worker.stop(drain_s=0)
