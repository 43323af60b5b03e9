"""Campaigns in the database: made from a file, moved from state to state, accounted for once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from faults import AuthorError, UserError
from ivr.settings import Outbound
from outbound import campaigns, making
from outbound.attempts import Claim, Settlement
from outbound.campaigns import Action, Campaign, Rules
from outbound.clock import Clock
from outbound.gateway.lease import Lease
from outbound.gateway.records import Records
from outbound.ledger import Ledger
from outbound.making import Created
from outbound.plan.decide import CampaignRules, Caps
from outbound.plan.outcome import Outcome
from people import do_not_call
from people.contacts import ContactsFile, open_contacts
from people.store.calls import find_outbound
from people.store.ownership import Owner
from people.store.scope import Scope
from people.store.tables import contact, lead, refused_row
from tests.databases import all_rows
from tests.edges.campaign_site import CampaignSite, now_ms, opened
from tests.edges.virtual_clock import VirtualClock

pytestmark = pytest.mark.both_databases


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        await Lease(made.engine, "main").take()
        yield made


def contacts_file(site: CampaignSite, text: str, *, file: str = "file.csv") -> ContactsFile:
    path = site.folder / file
    path.write_text(text)
    return open_contacts(path, region="RU", language="ru")


async def make(
    site: CampaignSite, text: str, *, name: str = "sony", told: Callable[[int], None] = print, file: str = "file.csv"
) -> Created:
    return await making.create(
        site.scope,
        name=name,
        flow="promo",
        main_message="promo.offer",
        rules=Rules.of(Outbound()),
        contacts=contacts_file(site, text, file=file),
        clock_ms=now_ms,
        told=told,
    )


def ledger(site: CampaignSite, clock: Clock | None = None) -> Ledger:
    owner = Owner(gateway="main", epoch=1)
    return Ledger(database=site.engine, owner=owner, clock=clock or Clock())


async def claim(book: Ledger, made: Campaign, count: int) -> list[Claim]:
    assert made.rules is not None
    rules = CampaignRules(state="running", retry=made.rules.retry)
    caps = Caps(campaign_channels=count, trunk_channels=count)
    return await book.claim(Scope(book.database, made.tenant), made.id, count, rules=rules, caps=caps)


def settlement(
    attempt_id: str, lead_id: int, outcome: Outcome, number: int = 1, rest_ms: int | None = None
) -> Settlement:
    return Settlement(
        attempt_id=attempt_id,
        tenant="shop",
        lead_id=lead_id,
        number=number,
        outcome=outcome,
        settled_by="events",
        ended_at_ms=now_ms(),
        rest_ms=rest_ms,
    )


async def test_every_row_becomes_a_lead_or_is_refused_by_reason(site: CampaignSite) -> None:
    text = (
        "phone,name,language,price\n89161234567,Иван,uk,5\n123,П,,\n+79161234567,И,,\n" + '"' * 3 + "\n89161234568,,,\n"
    )
    created = await make(site, text)
    assert (created.leads, created.refused) == (2, {"invalid_number": 1, "duplicate": 1, "unreadable": 1})
    assert [row.line for row in created.examples] == [3, 4, 5]
    async with all_rows(site.engine).begin() as connection:
        people = (await connection.execute(select(contact).order_by(contact.c.phone))).all()
        leads = (await connection.execute(select(lead).order_by(lead.c.id))).all()
        refused = (await connection.execute(select(refused_row.c.line, refused_row.c.reason))).all()
    assert [(row.phone, row.name, row.language) for row in people] == [
        ("+79161234567", "Иван", "uk"),
        ("+79161234568", "", "ru"),
    ]
    assert [(row.state, row.variables, row.attempts) for row in leads] == [
        ("waiting", {"price": "5"}, 0),
        ("waiting", {}, 0),
    ]
    assert [tuple(row) for row in refused] == [(3, "invalid_number"), (4, "duplicate"), (5, "unreadable")]


async def test_a_person_of_two_campaigns_is_called_as_each_file_says(site: CampaignSite) -> None:
    await make(site, "phone,name,language\n89161234567,Иван,uk\n")
    await make(site, "phone\n123\n89161234567\n", name="lg")
    async with all_rows(site.engine).begin() as connection:
        people = await connection.scalar(select(func.count()).select_from(contact))
        said = await connection.execute(select(lead.c.line, lead.c.name, lead.c.language).order_by(lead.c.id))
    assert (people, [tuple(row) for row in said]) == (1, [(2, "Иван", "uk"), (3, "", "ru")])
    for name, heard in (("sony", ("uk", {"name": "Иван"})), ("lg", ("ru", {}))):
        (one,) = await claim(ledger(site), await site.change("start", name=name), 1)
        found = await find_outbound(site.engine, one.attempt_id)
        assert found is not None
        assert (one.language, (found.language, found.variables)) == (heard[0], heard)


async def test_a_name_is_taken_once(site: CampaignSite) -> None:
    await make(site, "phone\n89161234567\n")
    with pytest.raises(UserError, match="There is a campaign 'sony' already"):
        await make(site, "phone\n89161234568\n")


async def test_an_import_that_was_broken_off_can_be_made_again(site: CampaignSite) -> None:
    rows = "phone\n" + "".join(f"8916{n:07}\n" for n in range(1200))

    def break_off(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await make(site, rows, told=break_off)
    assert await site.state() == "importing"
    with pytest.raises(UserError, match="is importing: it can't start"):
        await site.change("start")
    created = await make(site, rows)
    assert created.leads == 1200
    assert (await campaigns.count_progress(site.scope, created.campaign_id)).leads == 1200


async def test_one_campaign_made_twice_at_once_holds_no_halves(site: CampaignSite) -> None:
    def rows(first: int) -> str:
        return "phone,maker\n" + "".join(f"8916{first + n:07},{first}\n" for n in range(1200))

    both = await asyncio.gather(make(site, rows(0)), make(site, rows(10_000), file="other.csv"), return_exceptions=True)
    (made,) = (one for one in both if isinstance(one, Created))
    (other,) = (one for one in both if isinstance(one, UserError))
    assert re.search("Campaign 'sony' was begun anew by another|There is a campaign 'sony' already", str(other))
    await holds_one_file(site, made)


async def holds_one_file(site: CampaignSite, made: Created) -> None:
    async with all_rows(site.engine).begin() as connection:
        leads = (await connection.execute(select(lead.c.campaign_id, lead.c.variables))).all()
        refused = await connection.scalar(select(func.count()).select_from(refused_row))
    assert {row.campaign_id for row in leads} == {made.campaign_id}
    assert (len(leads), len({row.variables["maker"] for row in leads}), refused) == (made.leads, 1, 0)
    assert await site.state() == "ready"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("phone,name\n", "Nobody in the file can be called, so the campaign was not made (it has no rows)."),
        ("phone,name\nabc,X\n" + "1,Y\n" * 700, "was not made (invalid_number: 701)."),
    ],
)
async def test_a_file_of_nobody_leaves_nothing(site: CampaignSite, text: str, message: str) -> None:
    with pytest.raises(AuthorError) as refused:
        await make(site, text)
    assert message in str(refused.value)
    assert await campaigns.list_campaigns(site.scope) == []
    async with all_rows(site.engine).begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(refused_row)) == 0
    assert (await make(site, "phone\n89161234567\n")).leads == 1


async def test_a_file_of_nobody_names_its_first_rows(site: CampaignSite) -> None:
    with pytest.raises(AuthorError) as refused:
        await make(site, "phone,name\n" + "abc,X\n" * 7)
    assert [fault.line for fault in refused.value.faults] == [None, 2, 3, 4, 5, 6]
    assert "file.csv:2: invalid_number: " in str(refused.value)


async def test_a_file_of_nobody_takes_nothing_from_another_campaign(site: CampaignSite) -> None:
    await make(site, "phone\n89161234567\n123\n", name="lg")
    with pytest.raises(AuthorError):
        await make(site, "phone\n123\n")
    with pytest.raises(UserError, match="already"):
        await make(site, "phone\n123\n", name="lg")
    assert [each.name for each in await campaigns.list_campaigns(site.scope)] == ["lg"]
    async with all_rows(site.engine).begin() as connection:
        assert await connection.scalar(select(func.count()).select_from(refused_row)) == 1


@pytest.mark.parametrize(
    ("done", "action", "state"),
    [
        ([], "start", "running"),
        ([], "stop", "stopped"),
        (["start"], "pause", "paused"),
        (["start"], "stop", "stopped"),
        (["start", "pause"], "resume", "running"),
        (["start", "pause"], "stop", "stopped"),
        (["start", "pause", "resume"], "pause", "paused"),
    ],
)
async def test_allowed_changes(site: CampaignSite, done: list[Action], action: Action, state: str) -> None:
    await make(site, "phone\n89161234567\n")
    for each in done:
        await site.change(each)
    after = await site.change(action)
    assert after.state == state
    assert (after.ended_at_ms is not None) == (state == "stopped")


@pytest.mark.parametrize(
    ("done", "action", "message"),
    [
        ([], "pause", "'sony' is ready: it can't pause. Start it with: ivr campaign start sony."),
        ([], "resume", "'sony' is ready: it can't resume."),
        (["start"], "start", "'sony' is running: it can't start."),
        (["start"], "resume", "'sony' is running: it can't resume."),
        (
            ["start", "pause"],
            "start",
            "'sony' is paused: it can't start. Go on with it with: ivr campaign resume sony.",
        ),
        (["start", "pause"], "pause", "'sony' is paused: it can't pause."),
        (["stop"], "start", "'sony' is stopped: it can't start. A stopped campaign is never dialled again"),
        (["stop"], "stop", "'sony' is stopped: it can't stop."),
    ],
)
async def test_changes_that_are_refused(site: CampaignSite, done: list[Action], action: Action, message: str) -> None:
    await make(site, "phone\n89161234567\n")
    for each in done:
        await site.change(each)
    with pytest.raises(UserError) as refused:
        await site.change(action)
    assert message in str(refused.value)


async def test_rules_out_of_range_name_the_rule() -> None:
    with pytest.raises(UserError, match="calls_per_second: Input should be less than or equal to 200"):
        Rules.of(Outbound(), calls_per_second=500)
    assert Rules.of(Outbound(channels=7), ring_s=None, max_attempts=1).model_dump() == {
        **Outbound(channels=7).model_dump(),
        "max_attempts": 1,
    }


async def test_many_claimers_never_take_one_lead_twice(site: CampaignSite) -> None:
    campaign = await site.campaign(200)
    claims = await asyncio.gather(*(claim(ledger(site), campaign, 7) for _ in range(40)))
    taken = [claim.lead_id for some in claims for claim in some]
    assert len(taken) == len(set(taken)) == 200
    assert len({claim.attempt_id for some in claims for claim in some}) == 200


async def test_only_due_leads_of_a_running_campaign_are_claimed(site: CampaignSite) -> None:
    campaign = await site.campaign(3)
    await site.change("pause")
    assert await claim(ledger(site), campaign, 10) == []
    await site.change("resume")
    (first, *_) = await claim(ledger(site), campaign, 1)
    await ledger(site).settle(settlement(first.attempt_id, first.lead_id, Outcome.BUSY, rest_ms=60_000))
    assert len(await claim(ledger(site), campaign, 10)) == 2


async def test_what_is_due_moves_with_a_clock_that_is_set(site: CampaignSite) -> None:
    clock = VirtualClock(start_ms=now_ms())
    campaign = await site.campaign(2)
    first = ledger(site, clock)
    async with all_rows(site.engine).begin() as connection:
        await connection.execute(update(lead).where(lead.c.id == 2).values(due_at_ms=clock.now_ms() + 60_000))
    clock.step(-3600)
    await first.follow_clock()
    assert [each.lead_id for each in await claim(first, campaign, 10)] == [1]
    await first.shorten_rests(site.scope, campaign.id, longest_s=1800)
    assert [each.lead_id for each in await claim(first, campaign, 10)] == [2]


async def test_the_first_settlement_stands(site: CampaignSite) -> None:
    campaign = await site.campaign(1, max_attempts=2)
    (claimed,) = await claim(ledger(site), campaign, 1)
    await ledger(site).settle(settlement(claimed.attempt_id, claimed.lead_id, Outcome.BUSY, rest_ms=0))
    await ledger(site).settle(settlement(claimed.attempt_id, claimed.lead_id, Outcome.HUMAN))
    (again,) = await claim(ledger(site), campaign, 1)
    assert again.number == 2
    # A late word about the first attempt does not end the second.
    await ledger(site).settle(settlement(claimed.attempt_id, claimed.lead_id, Outcome.UNKNOWN))
    assert [(row.number, row.outcome, row.lead_state) for row in await site.attempts()] == [
        (1, "busy", "dialling"),
        (2, None, "dialling"),
    ]


async def test_an_attempt_that_was_never_sent_leaves_no_trace(site: CampaignSite) -> None:
    campaign = await site.campaign(1, max_attempts=2)
    (claimed,) = await claim(ledger(site), campaign, 1)
    await ledger(site).release(claimed)
    assert await site.attempts() == []
    (again,) = await claim(ledger(site), campaign, 1)
    assert (again.lead_id, again.number) == (claimed.lead_id, 1)
    # One that Asterisk took is not released.
    book = ledger(site)
    book.dialled(again, now_ms())
    await book.flush()
    await book.release(again)
    assert [row.lead_state for row in await site.attempts()] == ["dialling"]


async def test_a_claim_whose_commit_was_not_heard_of_is_taken_back(
    site: CampaignSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    transact = Scope.transact

    async def unheard(*args: Any, **how: Any) -> None:
        await transact(*args, **how)
        raise OperationalError("", {}, OSError("the link was lost"))

    made, book = await site.campaign(3), ledger(site)
    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(Scope, "transact", unheard)
        await claim(book, made, 2)
    assert [row.outcome for row in await site.attempts()] == [None, None]
    await book.flush()
    assert await site.attempts() == []
    assert sorted(each.number for each in await claim(book, made, 5)) == [1, 1, 1]


async def test_settlements_at_one_time_share_a_transaction_and_none_is_lost(site: CampaignSite) -> None:
    campaign = await site.campaign(100)
    book = ledger(site)
    claims = await claim(book, campaign, 100)
    await asyncio.gather(*(book.settle(settlement(c.attempt_id, c.lead_id, Outcome.HUMAN)) for c in claims))
    assert {(row.outcome, row.lead_state) for row in await site.attempts()} == {("human", "done")}
    assert await campaigns.finish_if_done(site.scope, campaign.id, now_ms=now_ms())
    assert not await campaigns.finish_if_done(site.scope, campaign.id, now_ms=now_ms())


async def test_the_do_not_call_list(site: CampaignSite, tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("Телефон;когда\n89161234567;вчера\n\n+7 916 123-45-68\nнеизвестно\n89161234567\n")
    imported = await do_not_call.import_file(site.scope, file, region="RU", now_ms=5)
    assert (imported.added, imported.refused) == (2, ((5, "not a phone number"),))
    file.write_text("+8 (495) 123-45-67\n+84 90 123 4567\n")
    imported = await do_not_call.import_file(Scope(site.engine, "other"), file, region="RU", now_ms=5)
    assert (imported.added, [line for line, _ in imported.refused]) == (1, [1])
    phones = ["+79161234568", "+79161234569"]
    assert await do_not_call.add(site.scope, phones=phones, source="command", now_ms=9) == 1
    assert await do_not_call.remove(site.scope, phone="+79161234567")
    assert not await do_not_call.remove(site.scope, phone="+79161234567")
    assert not await do_not_call.remove(Scope(site.engine, "other"), phone="+79161234568")
    assert [(e.phone, e.since_ms, e.source) for e in await do_not_call.entries(site.scope)] == [
        ("+79161234569", 9, "command"),
        ("+79161234568", 5, "import"),
    ]


async def test_the_do_not_call_list_page_by_page(site: CampaignSite) -> None:
    for since_ms in (5, 9):
        phones = [f"+791600000{since_ms + n:02}" for n in range(3)]
        await do_not_call.add(site.scope, phones=phones, source="command", now_ms=since_ms)
    whole = await do_not_call.entries(site.scope)
    read, page = list[do_not_call.Entry](), await do_not_call.entries(site.scope, at_most=2)
    while page:
        read += page
        # Whoever comes meanwhile is newer than all that is still to be read.
        await do_not_call.add(site.scope, phones=[f"+791700000{len(read):02}"], source="call", now_ms=10)
        page = await do_not_call.entries(site.scope, after=page[-1], at_most=2)
    assert read == whole
    assert [(entry.since_ms, entry.phone[-2:]) for entry in read] == [
        *((9, "11"), (9, "10"), (9, "09")),
        *((5, "07"), (5, "06"), (5, "05")),
    ]


def test_records_are_read_on_and_half_a_line_waits(tmp_path: Path) -> None:
    cdr, cel = tmp_path / "cdr-custom" / "ivr.csv", tmp_path / "cel-custom" / "ivr.csv"
    records = Records(tmp_path, {"a1", "a2"})
    assert records.read() == {}
    cdr.parent.mkdir()
    cel.parent.mkdir()
    line = '"{}","PJSIP/trunk-1","",1700000000.5,{},1700000009.25,{},0\n'
    cdr.write_text(
        line.format("zz", "0.0", "BUSY") + line.format("a1", "0.0", "BUSY") + line.format("a2", "0.0", "B")[:30]
    )
    cel.write_text('"a1",1700000009.000,"{""hangupcause"":17,""dialstatus"":""""}"\n"a1",1,"no JSON"\n"a2"\n')
    (found,) = records.read().values()
    assert (found.disposition, found.cause, found.started_at_ms, found.answered_at_ms) == (
        "BUSY",
        17,
        1700000000500,
        None,
    )
    with cdr.open("a") as file:
        file.write("x\n" + line.format("a2", "1700000001.0", "ANSWERED") + line.format("a2", "0.0", "NO ANSWER"))
    assert records.read()["a2"].answered_at_ms == 1700000001000


CDR_LINE = '"{}","PJSIP/trunk-1","",1700000000.5,1700000001.0,1700000009.25,ANSWERED,8{}\n'


def test_the_verdict_of_the_machine_detection_is_in_the_record(tmp_path: Path) -> None:
    cdr = tmp_path / "cdr-custom" / "ivr.csv"
    cdr.parent.mkdir()
    # The last two were written by an older release, and by a call that detected nothing.
    verdicts = {"a1": ',"MACHINE-MAXWORDS-5-5"', "a2": ',"HUMAN-800-700"', "a3": "", "a4": ',""'}
    cdr.write_text("".join(CDR_LINE.format(id, amd) for id, amd in verdicts.items()))
    found = Records(tmp_path, set(verdicts)).read()
    assert {id: record.machine for id, record in found.items()} == {"a1": True, "a2": False, "a3": None, "a4": None}


def test_records_that_were_put_aside_are_read_too(tmp_path: Path) -> None:
    cdr = tmp_path / "cdr-custom" / "ivr.csv"
    cdr.parent.mkdir()
    cdr.with_name("ivr.csv.1").write_text(CDR_LINE.format("a1", ""))
    cdr.write_text(CDR_LINE.format("a2", ""))
    records = Records(tmp_path, {"a1", "a2", "a3", "a4"})
    assert records.read().keys() == {"a1", "a2"}
    # Put aside between two readings, with a line that was not read yet.
    with cdr.open("a") as file:
        file.write(CDR_LINE.format("a3", ""))
    cdr.replace(cdr.with_name("ivr.csv.1"))
    assert records.read().keys() == {"a1", "a2", "a3"}
    cdr.write_text(CDR_LINE.format("a4", ""))
    assert records.read().keys() == {"a1", "a2", "a3", "a4"}
