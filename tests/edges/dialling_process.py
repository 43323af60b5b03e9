"""A worker in a process of its own: python -m tests.edges.dialling_process FOLDER AMI_PORT. It runs until killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from outbound.worker import Worker
from tests.edges.campaign_site import SETTINGS, ami_link, opened


async def main(folder: Path, port: int) -> None:
    async with opened(folder) as site:
        ami = ami_link(port)
        await ami.open()
        await Worker(site.engine, ami, SETTINGS, asterisk_log=site.log, grace_s=1.0).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
