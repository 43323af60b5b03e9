"""A worker in a process of its own: python -m tests.edges.dialling_process FOLDER DATABASE AMI_PORT [LEASE_S].

It runs until it is killed, or its gateway is another's.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from outbound.gateway.lease import Lease
from outbound.worker import Worker
from people.store.db import make_engine
from tests.edges.campaign_site import SETTINGS, CampaignSite, ami_link, brief


async def main(folder: Path, database: str, port: int, lease_s: float) -> None:
    site = CampaignSite(folder=folder, engine=make_engine(database))
    lease = Lease(site.engine, SETTINGS.gateway, terms=brief(lease_s))
    ami = ami_link(port)
    async with asyncio.TaskGroup() as group:
        group.create_task(lease.keep())
        await ami.open()
        worker = Worker(site.engine, ami, SETTINGS, lease=lease, asterisk_log=site.log, grace_s=1.0)
        group.create_task(worker.run())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float((*sys.argv, "15")[4])))
