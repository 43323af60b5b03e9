"""What the engine's database and the operator's record say of the demo, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from sqlalchemy import select

from app.demo.comparison import Line, compare_calls, compare_person, compare_report
from app.service.running import Up
from ivr.lab.subscribers import load_subscribers
from ivr.lab.truth import Truth
from ivr.resources import resource_dir
from people.numbers import mask_phone
from people.store.persons import NUMBER_DIALLED
from people.store.tables import attempt, contact, lead
from reports.calls import CallStory, read_calls
from reports.figures import Report
from reports.metrics import compute_report


async def gather(up: Up, campaign: str, truth: Truth, *, now_ms: int) -> tuple[Report, dict[str, list[Line]]]:
    """The report, and each person's and the report's lines against the operator's record."""
    report = await compute_report(
        up.scope,
        campaign_name=campaign,
        zone=ZoneInfo(up.site.settings.timezone),
        now_ms=now_ms,
    )
    stories = await read_calls(up.scope, limit=1_000_000)
    outcomes = await _outcomes(up)
    behaviours = {sub.number: sub.behaviour for sub in load_subscribers(resource_dir("demo") / "subscribers.csv")}
    by_phone: defaultdict[str, list[CallStory]] = defaultdict(list)
    for story in stories:
        by_phone[story.phone.lstrip("+")].append(story)
    lines: dict[str, list[Line]] = {}
    # The operator's own number is also transferred to; those calls belong to the shoppers.
    subscribers = {
        number: replace(known, calls=known.calls[: len(outcomes.get(number, ()))])
        for number, known in truth.subscribers.items()
        if number in outcomes
    }
    for number in sorted(outcomes | subscribers):
        title = f"{mask_phone(f'+{number}')} {behaviours.get(number, 'unknown')}"
        of_campaign = [story for story in by_phone[number] if story.direction == "outbound"]
        lines[title] = compare_person(outcomes.get(number, ()), _spoken_to(of_campaign), subscribers.get(number))
    for number, shopper in sorted(truth.shoppers.items()):
        inbound = [story for story in by_phone[number] if story.direction == "inbound"]
        lines[f"{mask_phone(f'+{number}')} shopper"] = compare_calls(shopper.calls, inbound)
    lines["the report"] = compare_report(report, subscribers, stories)
    return report, lines


def _spoken_to(stories: Sequence[CallStory]) -> list[CallStory]:
    return sorted(stories, key=lambda story: story.started_at_ms)


async def _outcomes(up: Up) -> dict[str, list[str]]:
    """Number as dialled -> the outcomes of its attempts that reached the network, in order."""
    query = (
        select(contact.c.phone, attempt.c.outcome)
        .join(lead, (lead.c.id == attempt.c.lead_id) & (lead.c.tenant == attempt.c.tenant))
        .join(contact, NUMBER_DIALLED)
        .where(attempt.c.dialled_at_ms.is_not(None), attempt.c.tenant == up.scope.tenant)
        .order_by(attempt.c.planned_at_ms)
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    async with up.scope.begin() as connection:
        for phone, outcome in await connection.execute(query):
            found[phone.lstrip("+")].append(outcome or "in_flight")
    return found
