"""An engine in a process of its own, that a test may stop or kill.

`python -m tests.edges.engine_process FOLDER DATABASE`

Prints "port, opt-outs that wait" when it answers calls; SIGINT ends it in good order.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from ivr.engine import Engine
from ivr.settings import Agi, Hotline, Settings, Trunk
from ivr.tenants import alone
from people.store.db import open_database
from people.store.upgrade import upgrade
from tests.edges.disk_voice import DiskVoice
from tests.edges.fake_asterisk import KEY
from tests.golden.flows import versions_in


async def run(folder: Path, address: str) -> None:
    settings = Settings(trunk=Trunk(host="x"), hotline=Hotline(numbers={"*": "promo"}), agi=Agi(port=1))
    await upgrade(address)
    database = await open_database(address)
    voice = DiskVoice(folder / "audio")
    for text in ("promo.greeting", "promo.offer", "promo.opted_out", "fallback.opt_out_not_kept", "fallback.goodbye"):
        voice.clips("ru", text, {})
    engine = Engine(alone(settings, versions_in(voice)), database=database, agi_key=KEY, var=folder)
    await engine.journal.start()
    await engine.server.start("127.0.0.1", 0)
    told = asyncio.Event()
    # Before it says that it is there: the signal may come at once.
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, told.set)
    print(engine.server.port, engine.journal.opt_outs_waiting, flush=True)
    await told.wait()
    await engine.stop()
    await database.dispose()


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
