"""Wait for a condition instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

#: How long a test waits for what should come. It ends a hang and claims nothing: that something comes soon is said by
#: what had not happened before it, or by what takes far longer than this.
PATIENCE_S = 300.0


async def until(condition: Callable[[], object]) -> None:
    """Return when `condition()` is true. Raises TimeoutError when it does not come to that."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another side's state
            await asyncio.sleep(0.002)
