"""People with several numbers: one person of a file, dialled by one number at a time, barred by any of them."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from ivr.settings import Outbound
from outbound import campaigns, making
from outbound.attempts import Claim
from outbound.campaigns import Campaign, Rules
from outbound.gateway.lease import Lease
from outbound.making import Created
from outbound.plan.outcome import NO_GOOD, Outcome
from outbound.plan.retry import rest_ms
from outbound.why import explain
from people import do_not_call
from people.contacts import open_contacts
from people.store.calls import find_outbound
from people.store.persons import forget
from people.store.tables import campaign, contact, lead
from tests.databases import all_rows
from tests.edges import fake_ami
from tests.edges.campaign_site import CampaignSite, now_ms, opened
from tests.edges.fake_ami import FakeAmi, Subscriber, running
from tests.edges.test_campaigns import claim, ledger, settlement

A, B, C, D = (f"+7916000000{n}" for n in range(4))


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[CampaignSite]:
    async with opened(tmp_path) as made:
        yield made


async def make(site: CampaignSite, *cells: str, name: str = "sony", start: bool = True, **rules: Any) -> Created:
    """A campaign of a file with these cells of numbers."""
    path = site.folder / f"{name}.csv"
    path.write_text("phone;name\n" + "".join(f'"{cell}";Имя{n}\n' for n, cell in enumerate(cells)))
    own = {"channels": 50, "calls_per_second": 200, "retry_after_s": 1, "max_attempts": 3} | rules
    created = await making.create(
        site.scope,
        name=name,
        flow="promo",
        main_message="promo.offer",
        rules=Rules.of(Outbound(), **own),
        contacts=open_contacts(path, region="RU", language="ru"),
        clock_ms=now_ms,
    )
    if start:
        await site.change("start", name=name)
    return created


async def people(site: CampaignSite) -> list[set[str]]:
    """The numbers of each person."""
    found: dict[int, set[str]] = defaultdict(set)
    async with all_rows(site.engine).begin() as connection:
        for row in await connection.execute(select(contact)):
            found[row.person_id or row.id].add(row.phone)
    return sorted(found.values(), key=min)


async def leads(site: CampaignSite, name: str = "sony") -> list[list[str]]:
    """Of each lead of a campaign the numbers in the order in which they are tried."""
    async with all_rows(site.engine).begin() as connection:
        phones = {row.id: row.phone for row in await connection.execute(select(contact))}
        its = select(lead).join(campaign, campaign.c.id == lead.c.campaign_id).where(campaign.c.name == name)
        rows = await connection.execute(its.order_by(lead.c.line))
        return [[phones[id] for id in row.phone_ids or [row.contact_id]] for row in rows]


def behaving(site: CampaignSite, **of: Subscriber) -> FakeAmi:
    """Each behaves as is said of the number's last digit, others pick up."""
    return FakeAmi(log=site.log, subscribers=lambda digits: of.get(f"n{digits[-1]}", fake_ami.PERSON))


def phones(fake: FakeAmi) -> list[str]:
    return [f"+{each}" for each in fake.dialled()]


# ------------------------------------------------------------ the file


@pytest.mark.both_databases
async def test_the_numbers_of_a_cell_are_one_persons_in_their_order(site: CampaignSite) -> None:
    created = await make(site, f"{B}, {A}", C)
    assert (created.leads, created.refused, created.notices) == (2, {}, ())
    assert await people(site) == [{A, B}, {C}]
    assert await leads(site) == [[B, A], [C]]


@pytest.mark.both_databases
async def test_rows_that_share_a_number_are_one_person(site: CampaignSite) -> None:
    created = await make(site, f"{A}; {B}", f"{B}; {C}", C)
    assert (created.leads, created.refused) == (1, {"duplicate": 2})
    assert await people(site) == [{A, B, C}]
    assert await leads(site) == [[A, B]]


@pytest.mark.both_databases
async def test_a_later_file_keeps_to_its_own_order_and_numbers(site: CampaignSite) -> None:
    await make(site, f"{A}, {B}", C)
    await make(site, B, f"{D}, {C}", name="lg")
    assert await people(site) == [{A, B}, {C, D}]
    assert await leads(site, "sony") == [[A, B], [C]]
    assert await leads(site, "lg") == [[B], [D, C]]


@pytest.mark.both_databases
@pytest.mark.parametrize("batch", [1, 500])
async def test_one_person_is_in_a_campaign_once_by_whichever_number(
    site: CampaignSite, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(site, f"{A}, {B}, {C}", start=False)
    monkeypatch.setattr(making, "_BATCH", batch)
    for name, cells in (("own first", (A, C, B)), ("further first", (C, B, A)), ("several", (f"{B}, {D}", A))):
        created = await make(site, *cells, name=name.replace(" ", "-"), start=False)
        assert (created.leads, created.refused) == (1, {"duplicate": len(cells) - 1})
        assert created.examples[0].detail == "the person is in an earlier row by another number"


@pytest.mark.both_databases
async def test_a_number_stays_whose_it_is(site: CampaignSite) -> None:
    await make(site, A, B)
    created = await make(site, f"{A}, {B}, {C}", name="lg")
    assert created.notices == (
        "Numbers that another person has already: 1, the first in line 2. They stay that person's; whose rows these are"
        " is called by the others.",
    )
    assert await people(site) == [{A, C}, {B}]
    assert await leads(site, "lg") == [[A, C]]


# ------------------------------------------------------------ dialling


async def started(site: CampaignSite, *cells: str, **rules: Any) -> Campaign:
    await Lease(site.engine, "main").take()
    await make(site, *cells, **rules)
    return await campaigns.find(site.scope, name="sony")


async def dialled(site: CampaignSite, made: Campaign, behaves: Mapping[str, Outcome]) -> AsyncIterator[Sequence[Claim]]:
    """Dial as the worker does, but without rests, until nobody is due: who is dialled at one time."""
    assert made.rules is not None
    book = ledger(site)
    while claims := await claim(book, made, 50):
        yield claims
        ends = []
        for each in claims:
            outcome = behaves.get(each.phone, Outcome.HUMAN)
            left_ms = rest_ms(made.rules.retry, outcome, spent=each.spent, other_numbers=each.other_numbers)
            end = settlement(each.attempt_id, each.lead_id, outcome, each.number, None if left_ms is None else 0)
            ends.append(book.settle(end))
        await asyncio.gather(*ends)


@pytest.mark.both_databases
async def test_a_number_that_is_nobodys_gives_way_to_the_next_at_once(site: CampaignSite) -> None:
    await make(site, f"{A}, {B}, {C}", f"{D}", max_attempts=1, retry_after_s=3000)
    fake = behaving(site, n0=fake_ami.UNALLOCATED, n1=fake_ami.UNALLOCATED, n3=fake_ami.UNALLOCATED)
    async with running(fake), site.working(fake):
        await site.until_state("finished")
    assert [each for each in phones(fake) if each != D] == [A, B, C]
    async with all_rows(site.engine).begin() as connection:
        rows = await connection.execute(select(lead.c.attempts, lead.c.spared, lead.c.outcome).order_by(lead.c.id))
        assert [tuple(row) for row in rows] == [(3, 2, "human"), (1, 0, "invalid_number")]


@pytest.mark.both_databases
async def test_retries_go_round_the_numbers_in_their_order(site: CampaignSite) -> None:
    made = await started(site, f"{C}, {B}, {A}", max_attempts=5)
    behaves = {C: Outcome.BUSY, B: Outcome.INVALID_NUMBER, A: Outcome.NO_ANSWER}
    assert [[each.phone for each in claims] async for claims in dialled(site, made, behaves)] == [
        *([C], [B], [A], [C], [A], [C])
    ]
    async with all_rows(site.engine).begin() as connection:
        assert (await connection.execute(select(lead.c.attempts, lead.c.spared))).one() == (6, 1)


@pytest.mark.both_databases
@pytest.mark.parametrize("barred", [A, B, C])
async def test_who_is_barred_by_one_number_is_called_by_none(site: CampaignSite, barred: str) -> None:
    await make(site, f"{A}, {B}, {C}", start=False)
    await make(site, D, f"{B}", name="lg", start=False)
    await Lease(site.engine, "main").take()
    await do_not_call.add(site.scope, phones=[barred], source="call", now_ms=1)
    for name, left in (("sony", []), ("lg", [D])):
        made = await site.change("start", name=name)
        assert [each.phone for each in await claim(ledger(site), made, 5)] == left
    why = await explain(site.scope, name="sony", phone=C, trunks=(), now_ms=now_ms())
    assert why.decision.because == "do_not_call"


@pytest.mark.both_databases
async def test_an_opt_out_between_attempts_bars_the_other_numbers(site: CampaignSite) -> None:
    made = await started(site, f"{A}, {B}")
    book = ledger(site)
    (first,) = await claim(book, made, 5)
    assert first.phone == A
    await do_not_call.add(site.scope, phones=[A], source="call", now_ms=1)
    await book.settle(settlement(first.attempt_id, first.lead_id, Outcome.NO_ANSWER, rest_ms=0))
    assert await claim(book, made, 5) == []


@pytest.mark.both_databases
async def test_an_attempt_in_flight_is_found_by_its_number(site: CampaignSite) -> None:
    made = await started(site, f"{A}, {B}")
    book = ledger(site)
    (first,) = await claim(book, made, 5)
    await book.settle(settlement(first.attempt_id, first.lead_id, Outcome.BUSY, rest_ms=0))
    (second,) = await claim(book, made, 5)
    assert (second.phone, second.other_numbers) == (B, 1)
    (found,) = await book.in_flight()
    assert (found.phone, found.phone_id, found.other_numbers) == (B, second.phone_id, 1)
    outbound = await find_outbound(site.engine, second.attempt_id)
    assert outbound is not None
    assert outbound.phone == B


@pytest.mark.both_databases
@pytest.mark.parametrize("barred", ["", A, B])
async def test_a_release_before_takes_a_further_number_for_a_person(site: CampaignSite, barred: str) -> None:
    await make(site, f"{A}, {B}", name="before", start=False)
    made = await started(site, C)
    async with all_rows(site.engine).begin() as connection:
        number = await connection.scalar(select(contact.c.id).where(contact.c.phone == B))
        # As its statement finds the contact by the phone.
        await connection.execute(update(lead).where(lead.c.campaign_id == made.id).values(contact_id=number))
    if barred:
        await do_not_call.add(site.scope, phones=[barred], source="call", now_ms=1)
    assert [each.phone for each in await claim(ledger(site), made, 5)] == ([] if barred else [B])


@pytest.mark.both_databases
async def test_who_was_forgotten_is_left_out(site: CampaignSite) -> None:
    made = await started(site, f"{A}, {B}", C)
    async with all_rows(site.engine).begin() as connection:
        person = await connection.scalar(select(contact.c.id).where(contact.c.phone == A))
    assert person is not None
    assert await forget(site.scope, person)
    assert [each.phone for each in await claim(ledger(site), made, 5)] == [C]
    async with all_rows(site.engine).begin() as connection:
        states = select(lead.c.state, lead.c.excluded_reason).order_by(lead.c.id)
        assert [tuple(row) for row in await connection.execute(states)] == [
            ("excluded", "forgotten"),
            ("dialling", None),
        ]


_NUMBERS = st.integers(0, 6).map(lambda n: f"+7916000000{n}")
_ROWS = st.lists(st.lists(_NUMBERS, min_size=1, max_size=3).map(", ".join), min_size=1, max_size=6)
_OUTCOMES = st.sampled_from((Outcome.HUMAN, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.INVALID_NUMBER))


@given(
    files=st.tuples(_ROWS, _ROWS), barred=st.sets(_NUMBERS, max_size=2), behaves=st.dictionaries(_NUMBERS, _OUTCOMES)
)
@settings(max_examples=30, deadline=None)
def test_whatever_the_files_are(
    files: tuple[list[str], list[str]], barred: set[str], behaves: dict[str, Outcome]
) -> None:
    async def dial() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with opened(Path(folder)) as site:
                await make(site, *files[0], name="before", start=False)
                made = await started(site, *files[1])
                await do_not_call.add(site.scope, phones=sorted(barred), source="call", now_ms=1)
                await check(site, made, files, barred, behaves)

    asyncio.run(dial())


async def check(
    site: CampaignSite,
    made: Campaign,
    files: tuple[list[str], list[str]],
    barred: set[str],
    behaves: dict[str, Outcome],
) -> None:
    known = await people(site)
    numbers = Counter(each for person in known for each in person)
    assert numbers == Counter({each for file in files for cell in file for each in cell.split(", ")})
    person_of = {each: place for place, person in enumerate(known) for each in person}
    spent: Counter[int] = Counter()
    bad: set[tuple[int, str]] = set()
    async for claims in dialled(site, made, behaves):
        at_once = Counter(person_of[each.phone] for each in claims)
        assert max(at_once.values()) == 1
        for each in claims:
            assert not known[person_of[each.phone]] & barred
            assert (each.lead_id, each.phone) not in bad
            if behaves.get(each.phone) in NO_GOOD:
                bad.add((each.lead_id, each.phone))
            else:
                spent[each.lead_id] += 1
    assert all(count <= 3 for count in spent.values())
