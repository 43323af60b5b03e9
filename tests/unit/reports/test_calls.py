from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from faults import UserError
from people.store.scope import Scope
from reports.calls import CallStory, calls_json, private, read_calls, timeline
from tests.unit.reports.rows import MOSCOW, NOON, Rows, store

pytestmark = pytest.mark.both_databases


@pytest.fixture
def rows() -> Rows:
    rows = Rows()
    rows.campaign()
    return rows


async def read(rows: Rows, tenant: str = "shop", **which: object) -> list[CallStory]:
    async with store(rows) as engine:
        return await read_calls(Scope(engine, tenant), **which)  # type: ignore[arg-type]


async def test_a_call_reads_as_a_timeline(rows: Rows) -> None:
    call = rows.call(rows.attempt(rows.lead(), "human"), ended_by="flow", amd="HUMAN")
    rows.heard(call, 3_200, "played", length_ms=3_200, main=False, text="promo.hello", at=3_200)
    rows.heard(call, 18_340, "key", at=21_600)
    rows.note(call, "key", "1", at=21_600, follow_up=True)
    rows.note(call, "invalid", "7", node="addresses", at=25_000)
    rows.note(call, "no_input", node="addresses", at=29_000)
    rows.note(call, "language", "uk", node="language", at=29_100)
    rows.note(call, "request", "send_address", at=29_200)
    rows.note(call, "transfer", "operator", at=29_300)
    rows.note(call, "opt_out", at=29_400)
    rows.note(call, "fault", "no audio", at=29_500)
    [story] = private(await read(rows))
    assert "\n".join(timeline(story, MOSCOW)) == (
        "2026-11-20 12:00:00  outbound  +7916***4567  campaign tv-week  human  c0\n"
        "      0.0  answered, flow promo, ru, AMD HUMAN\n"
        "      3.2  heard promo.hello 3.20 of 3.20 s, to the end\n"
        "     21.6  heard promo.offer (main message) 18.34 of 20.00 s, stopped by a key\n"
        "     21.6  key 1 in offer (a follow-up question)\n"
        "     25.0  wrong key 7 in addresses\n"
        "     29.0  silence in addresses\n"
        "     29.1  language uk\n"
        "     29.2  asked for send_address\n"
        "     29.3  transfer to operator\n"
        "     29.4  asked never to be called again\n"
        "     29.5  fault in offer: no audio\n"
        "     30.0  hung up at the end of the flow"
    )


async def test_a_call_without_answer_end_or_number_is_still_told(rows: Rows) -> None:
    rows.call(None, answered_at_ms=None, ended_at_ms=None, ended_by=None, phone="", dialled="+78001234567")
    [story] = await read(rows)
    assert timeline(story, ZoneInfo("UTC")) == [
        "2026-11-20 09:00:00  inbound  number withheld  to +78001234567  c0",
        "           not answered",
        "           still in progress, or the engine died in mid-call",
    ]


async def test_values_that_this_program_does_not_know_are_shown_as_stored(rows: Rows) -> None:
    call = rows.call(None, ended_by="meteor")
    rows.note(call, "sung", "la")
    rows.heard(call, 1_000, "bored")
    [story] = await read(rows)
    text = "\n".join(timeline(story, MOSCOW))
    assert "sung la in offer" in text
    assert "1.00 of 20.00 s, bored" in text
    assert "ended: meteor" in text


async def test_the_newest_calls_come_last_and_only_so_many(rows: Rows) -> None:
    for minute in range(5):
        rows.call(None, started_at_ms=NOON + minute * 60_000)
    assert [story.id for story in await read(rows, limit=3)] == ["c2", "c3", "c4"]


async def test_calls_are_chosen_by_campaign_by_phone_and_always_by_tenant(rows: Rows) -> None:
    rows.person()
    rows.call(None, phone="+79990000001")
    rows.campaign("other")
    rows.person()
    rows.campaign("tv-week", tenant="rival")
    rows.person()
    assert [story.id for story in await read(rows)] == ["c0", "c1", "c2"]
    assert [story.id for story in await read(rows, campaign_name="tv-week")] == ["c0"]
    assert [story.id for story in await read(rows, phone="+79990000001")] == ["c1"]
    assert [story.id for story in await read(rows, tenant="rival")] == ["c3"]


async def test_phones_and_typed_in_digits_are_hidden_unless_asked_for(rows: Rows) -> None:
    call = rows.person()
    rows.note(call, "key", "4276123456789012", node="card")
    rows.note(call, "key", "12", node="city")
    stories = await read(rows)
    hidden, full = calls_json(private(stories)), calls_json(stories)
    assert "+79161234567" not in hidden
    assert "4276" not in hidden
    assert [moment["value"] for moment in json.loads(hidden)[0]["moments"]] == ["(16 digits)", "12"]
    assert "+79161234567" in full
    assert "4276123456789012" in full


async def test_older_calls_page_by_page_also_of_one_instant(rows: Rows) -> None:
    ids = [rows.call(None) for _ in range(5)]
    found: list[str] = []
    page = await read(rows, limit=2)
    while page:
        found = [story.id for story in page] + found
        page = await read(rows, limit=2, before=page[0].id)
    assert found == ids
    with pytest.raises(UserError, match="There is no call c99"):
        await read(rows, before="c99")
