"""A worker in a process of its own: python -m tests.edges.dialling_process FOLDER DATABASE AMI_PORT, until killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from outbound.worker import Worker
from people.store.db import make_engine
from tests.edges.campaign_site import SETTINGS, CampaignSite, ami_link, owning


async def main(folder: Path, database: str, port: int) -> None:
    site = CampaignSite(folder=folder, engine=make_engine(database))
    ami = ami_link(port)
    async with owning(site.engine) as lease:
        await ami.open()
        await Worker(site.engine, ami, SETTINGS, lease=lease, asterisk_log=site.log, grace_s=1.0).run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
