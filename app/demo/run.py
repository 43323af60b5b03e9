"""The main job from end to end on one machine: a hotline called, a campaign dialled, every fact as both sides have it.

Prints nothing: an Onlooker is told how far it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import debroot
from app.demo.comparison import Line
from app.demo.facts import gather
from app.service.running import Up
from ivr.asterisk import program
from ivr.lab.lab import Lab
from ivr.lab.operator import operator_of
from ivr.lab.subscribers import load_subscribers
from ivr.resources import resource_dir
from ivr.settings import Site
from ivr.site import free_ports
from outbound import following, launch
from outbound.campaigns import Rules
from outbound.clock import Clock
from outbound.following import Standing
from people import do_not_call
from prompts.render import SILENT, RenderReport, Told
from reports.figures import Report

CAMPAIGN = "tv"
#: Numbers of the people in demo/people.csv who said earlier that they want no calls.
NEVER_CALL = ("+79160000099",)
#: Nothing in the demo takes longer.
_PATIENCE_S = 200.0
#: How long calls that are left may take to end.
_DRAIN_S = 5.0


class Onlooker:
    """Hears how far the demo is. A command overrides what it shows."""

    def stage(self, title: str) -> None:
        """A new part begins."""

    def said(self, text: str) -> None:
        """What there is to say within a part."""

    @contextlib.contextmanager
    def installing(self) -> Iterator[debroot.Reporter | None]:
        """While an Asterisk is fetched: what to tell its progress."""
        yield None

    @contextlib.contextmanager
    def rendering(self) -> Iterator[Told]:
        """While the campaign's audio is made: what to tell its progress."""
        yield SILENT

    def rendered(self, report: RenderReport) -> None:
        """What making the audio came to."""

    @contextlib.contextmanager
    def dialling(self) -> Iterator[Callable[[Standing, int], None]]:
        """While the campaign is dialled: what to tell how far it is, and how many calls the engine has."""
        yield lambda _standing, _calls: None


@dataclass(frozen=True, kw_only=True)
class Result:
    report: Report
    #: Each person's facts, and the report's, as both sides have them.
    lines: Mapping[str, Sequence[Line]]

    @property
    def facts(self) -> int:
        return sum(map(len, self.lines.values()))

    @property
    def differences(self) -> int:
        return sum(not fact.agree for facts in self.lines.values() for fact in facts)


async def run(
    site: Site, running: Callable[[Site], AbstractAsyncContextManager[Up]], onlooker: Onlooker, *, clock: Clock
) -> Result:
    """Run the demo on its `site`, which `running` starts and ends; nothing is left running.

    Raises UserError when something that it can't do without is missing, TimeoutError when it comes to no end.
    """
    if program.embedded_program() is None:
        onlooker.stage("Fetching Asterisk, without root")
        with onlooker.installing() as told:
            await asyncio.to_thread(program.install, told)
    onlooker.stage("Starting the site and the simulated mobile operator")
    lab = _operator(site)
    async with running(site) as up, lab:
        onlooker.said(f"A hotline and {len(lab.subscribers)} lines of subscribers and shoppers are ready.")
        await _launch(up, onlooker, clock)
        onlooker.stage("Shoppers call the hotline, the campaign is dialled")
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.gather(lab.place_calls(), _follow(up, onlooker, clock))
            truth = await lab.calls_ended(_PATIENCE_S)
        await up.end(_DRAIN_S)
        report, lines = await gather(up, CAMPAIGN, truth, now_ms=clock.now_ms())
    return Result(report=report, lines=lines)


def _operator(site: Site) -> Lab:
    ports = free_ports()
    rtp = (int(str(ports["asterisk.rtp_start"])), int(str(ports["asterisk.rtp_end"])))
    subscribers = load_subscribers(resource_dir("demo") / "subscribers.csv")
    return operator_of(site, subscribers, rtp=rtp, program=program.find())


async def _launch(up: Up, onlooker: Onlooker, clock: Clock) -> None:
    """Make the campaign and start it."""
    site, settings = up.site, up.site.settings
    await do_not_call.add_written(up.scope, NEVER_CALL, region=settings.region, now_ms=clock.now_ms())
    made = await launch.create(
        up.scope,
        site,
        name=CAMPAIGN,
        flow="promo",
        contacts=resource_dir("demo") / "people.csv",
        rules=Rules.of(settings.outbound),
        clock=clock,
    )
    onlooker.said(f"The campaign has {made.created.leads} leads; refused rows: {dict(made.created.refused)}.")
    with onlooker.rendering() as told:
        workers = up.serving.workers
        started = await launch.start(up.scope, site, CAMPAIGN, clock=clock, workers=workers, told=told)
    if started.rendered is not None:
        onlooker.rendered(started.rendered)


async def _follow(up: Up, onlooker: Onlooker, clock: Clock) -> None:
    with onlooker.dialling() as told:
        async for standing in following.follow(up.scope, CAMPAIGN, clock=clock, every_s=0.2):
            told(standing, up.engine.server.calls)
