"""The other side of `dialling_pace`: a manager in a process of its own, so that its CPU is not the dialler's.

    python -m tests.bench.dialling_peer

It prints its port; at the end of its input it prints when each Originate came (monotonic seconds, JSON).
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.edges.fake_ami import FakeAmi, Subscriber, running


async def main() -> None:
    async with running(FakeAmi(subscribers=lambda _: Subscriber(rings_s=0.3, talks_s=0.2))) as fake:
        print(fake.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        print(json.dumps(fake.came_at_s), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
