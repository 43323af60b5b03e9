"""Each test writes rows whose answer is plain to see."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import inspect

from faults import UserError
from people.store.losses import Missing, missing_of_tenant
from people.store.scope import Scope
from reports.consistency import verify
from reports.figures import TYPED_IN, Report
from reports.kept import refresh
from reports.metrics import compute_report
from reports.rate import Rate
from tests.databases import all_rows
from tests.unit.reports.rows import MESSAGE_MS, MOSCOW, NOON, NOW, Rows, ms, report_of, store

pytestmark = pytest.mark.both_databases


@pytest.fixture
def rows() -> Rows:
    rows = Rows()
    rows.campaign()
    return rows


async def count(rows: Rows) -> Report:
    report = await report_of(rows)
    assert verify(report) == []
    return report


async def test_what_the_journal_could_not_keep_is_told(rows: Rows) -> None:
    called = [rows.attempt(rows.lead(), "human") for _ in range(4)]
    calls = [rows.call(attempt, phone=f"+7916{n:07}") for n, attempt in enumerate(called, 1)]
    for kind in ("notes", "ended", "opt_outs"):
        rows.loss(calls[0], called[0], kind)
    rows.loss(calls[1], called[1], "opt_outs")
    # His opt-out got there after all.
    rows.loss(calls[2], called[2], "opt_outs")
    rows.opt_out("+79160000003")
    # The call's own row is missing, too.
    rows.loss("c99", called[3], "begun")
    rows.loss("c99", called[3], "opt_outs")
    # A hotline call belongs to no campaign.
    rows.loss(rows.call(None, phone=""), None, "opt_outs")
    report = await count(rows)
    assert (report.incomplete_calls, report.opt_outs_not_kept) == (2, 3)
    async with store(rows) as engine:
        assert await missing_of_tenant(Scope(engine, "shop")) == Missing(calls=2, opt_outs=4)
        assert await missing_of_tenant(Scope(engine, "other")) == Missing()


async def test_an_empty_campaign_has_counts_and_no_shares(rows: Rows) -> None:
    report = await count(rows)
    assert (report.rows, report.audience, report.attempts) == (0, 0, 0)
    assert report.dialled == Rate(0, 0)
    assert report.listened.share is None
    assert report.retention == ()
    assert report.first_dial_ms is None


async def test_every_row_of_the_file_is_in_the_audience_or_excluded_by_reason(rows: Rows) -> None:
    for reason in ("invalid_number", "duplicate", "duplicate", "unreadable"):
        rows.refused(reason)
    rows.lead(excluded="do_not_call")
    rows.lead(state="waiting")
    rows.lead()
    report = await count(rows)
    assert (report.rows, report.audience) == (7, 2)
    assert report.excluded == {"do_not_call": 1, "duplicate": 2, "invalid_number": 1, "unreadable": 1}


async def test_a_lead_excluded_at_the_instant_of_dialling_was_not_dialled(rows: Rows) -> None:
    rows.attempt(rows.lead(excluded="do_not_call"), "failed", dialled=False)
    report = await count(rows)
    assert report.excluded == {"do_not_call": 1}
    assert (report.audience, report.dialled, report.attempts) == (0, Rate(0, 0), 1)


async def test_a_lead_excluded_after_an_attempt_stays_in_the_audience(rows: Rows) -> None:
    rows.attempt(rows.lead(excluded="do_not_call"), "busy")
    report = await count(rows)
    assert (report.excluded, report.excluded_later) == ({}, {"do_not_call": 1})
    assert report.dialled == Rate(1, 1)


async def test_a_planned_attempt_is_not_a_dial(rows: Rows) -> None:
    rows.attempt(rows.lead(), None, dialled=False)
    report = await count(rows)
    assert report.dialled == Rate(0, 1)
    assert (report.attempts, report.attempts_dialled) == (1, 0)
    assert report.attempt_outcomes == {"in_flight": 1}
    assert not report.final


async def test_a_person_counts_once_however_many_attempts(rows: Rows) -> None:
    lead = rows.lead()
    rows.attempt(lead, "busy")
    rows.attempt(lead, "no_answer")
    rows.attempt(lead, "human")
    report = await count(rows)
    assert (report.dialled, report.reached) == (Rate(1, 1), Rate(1, 1))
    assert report.person_outcomes == {"human": 1}
    assert report.attempt_outcomes == {"human": 1, "busy": 1, "no_answer": 1}
    assert [(n.number, n.persons, n.reached) for n in report.numbers] == [(1, 0, 0), (2, 0, 0), (3, 1, 1)]


async def test_machine_then_human_is_reached_and_not_a_machine(rows: Rows) -> None:
    lead = rows.lead()
    machine = rows.call(rows.attempt(lead, "machine"))
    rows.heard(machine, MESSAGE_MS, "played")
    rows.heard(rows.call(rows.attempt(lead, "human")), 3_000)
    rows.attempt(rows.lead(), "machine")
    report = await count(rows)
    assert (report.reached, report.machine) == (Rate(1, 2), Rate(1, 2))
    assert report.listened == Rate(0, 1)
    assert report.left_before_end == Rate(1, 1)


async def test_a_machine_that_hears_all_and_sends_a_tone_never_listens(rows: Rows) -> None:
    call = rows.call(rows.attempt(rows.lead(), "machine"))
    rows.heard(call, MESSAGE_MS, "played")
    rows.note(call, "key", "1", follow_up=True)
    report = await count(rows)
    assert report.reached == Rate(0, 1)
    assert (report.listened, report.follow_up, report.keys) == (Rate(0, 0), Rate(0, 0), ())
    assert report.active_elsewhere == 1


async def test_an_attempt_that_we_gave_up_ourselves_is_shown_and_is_nobodys(rows: Rows) -> None:
    busy, cancelled = rows.lead(), rows.lead()
    rows.attempt(busy, "busy")
    rows.attempt(busy, "cancelled")
    rows.attempt(cancelled, "cancelled")
    report = await count(rows)
    assert report.dialled == Rate(1, 2)
    assert report.person_outcomes == {"busy": 1}
    assert report.attempt_outcomes == {"busy": 1, "cancelled": 2}
    assert (report.attempts, report.attempts_dialled) == (3, 3)


async def test_the_person_outcome_is_the_last_settled_one_when_nobody_answered(rows: Rows) -> None:
    lead = rows.lead()
    rows.attempt(lead, "no_answer")
    rows.attempt(lead, "busy")
    rows.attempt(lead, None)
    assert (await count(rows)).person_outcomes == {"busy": 1}


@pytest.mark.parametrize(
    ("heard_ms", "ended", "listened", "key", "left"),
    [
        (20_000, "played", 1, 0, 0),
        (19_500, "hang_up", 1, 0, 0),
        (19_499, "hang_up", 0, 0, 1),
        (19_600, "key", 1, 0, 0),
        (2_000, "key", 0, 1, 0),
        (0, "hang_up", 0, 0, 1),
    ],
)
async def test_the_end_is_the_last_half_second(
    rows: Rows, heard_ms: int, ended: str, listened: int, key: int, left: int
) -> None:
    rows.person(heard_ms, ended)
    report = await count(rows)
    assert report.listened.part == listened
    assert (report.key_before_end.part, report.left_before_end.part, report.not_begun.part) == (key, left, 0)


async def test_audio_that_could_not_be_played_was_not_heard(rows: Rows) -> None:
    rows.person(20_000, "fault")
    report = await count(rows)
    assert (report.listened.part, report.not_begun.part, report.message_ms) == (0, 1, 0)


async def test_a_key_and_then_hear_again_to_the_end_is_a_listen(rows: Rows) -> None:
    call = rows.person(4_000, "key")
    rows.note(call, "key", "2")
    rows.heard(call, 20_000, "played")
    report = await count(rows)
    assert (report.listened, report.key_before_end) == (Rate(1, 1), Rate(0, 1))
    assert report.quartiles == (Rate(1, 1),) * 4


async def test_the_longest_listen_of_several_counts_once(rows: Rows) -> None:
    lead = rows.lead()
    for heard_ms in (11_000, 16_000, 2_000):
        rows.heard(rows.call(rows.attempt(lead, "human")), heard_ms)
    report = await count(rows)
    assert [rate.part for rate in report.quartiles] == [1, 1, 1, 0]
    assert [rate.part for rate in report.retention] == [1] * 17 + [0] * 4


async def test_other_texts_are_not_the_main_message(rows: Rows) -> None:
    call = rows.person()
    rows.heard(call, 9_000, "played", length_ms=9_000, main=False, text="promo.addresses")
    report = await count(rows)
    assert (report.listened.part, report.not_begun.part) == (0, 1)


async def test_a_person_without_any_call_row_is_reached_and_heard_nothing(rows: Rows) -> None:
    rows.attempt(rows.lead(), "human")
    report = await count(rows)
    assert (report.reached, report.not_begun) == (Rate(1, 1), Rate(1, 1))


async def test_quartiles_follow_each_persons_own_length_and_the_curve_absolute_seconds(rows: Rows) -> None:
    for length_ms, heard_ms in ((20_000, 10_000), (30_000, 10_000)):
        rows.heard(rows.call(rows.attempt(rows.lead(), "human")), heard_ms, length_ms=length_ms)
    report = await count(rows)
    assert [rate.part for rate in report.quartiles] == [2, 1, 0, 0]
    assert [rate.part for rate in report.retention] == [2] * 11 + [0] * 20
    assert report.message_ms == 30_000


@pytest.mark.parametrize(("heard_ms", "quartiles"), [(4_999, 0), (5_000, 1), (10_000, 2), (14_999, 2), (15_000, 3)])
async def test_a_quartile_is_reached_at_its_very_millisecond(rows: Rows, heard_ms: int, quartiles: int) -> None:
    rows.person(heard_ms)
    assert sum(rate.part for rate in (await count(rows)).quartiles) == quartiles


async def test_the_curve_starts_with_those_for_whom_the_message_began(rows: Rows) -> None:
    rows.person(999)
    rows.person(1_000)
    rows.person()
    report = await count(rows)
    assert report.retention[:3] == (Rate(2, 3), Rate(1, 3), Rate(0, 3))


async def test_follow_ups_by_key_depth_and_time(rows: Rows) -> None:
    first = rows.person(20_000, "played", at=NOON)
    rows.note(first, "key", "1", node="menu", follow_up=True, depth=0, at=21_000)
    rows.note(first, "key", "1", node="menu", follow_up=True, depth=1, at=45_000)
    second = rows.person(5_000, "key", at=NOON + 3_600_000)
    rows.note(second, "key", "2", node="menu", depth=0, at=5_000)
    rows.note(second, "key", "1", node="menu", follow_up=True, depth=1, at=9_999)
    rows.person(3_000, at=NOON + 3_600_000)
    report = await count(rows)
    assert report.follow_up == Rate(2, 3)
    assert [(key.key, key.follow_up, key.presses, key.persons.part) for key in report.keys] == [
        ("1", True, 3, 2),
        ("2", False, 1, 1),
    ]
    assert [(figure.depth, figure.persons.part) for figure in report.depths] == [(0, 1), (1, 2)]
    assert [(figure.from_s, figure.persons.part) for figure in report.follow_up_after] == [(0, 1), (20, 1)]
    assert {hour: figure.follow_up for hour, figure in report.hours.items()} == {12: 1, 13: 1}


async def test_what_somebody_typed_in_is_not_shown(rows: Rows) -> None:
    rows.note(rows.person(), "key", "89161234567", node="call_back_number")
    rows.note(rows.person(), "key", "4444", node="call_back_number")
    rows.note(rows.person(), "key", "123", node="city")
    report = await count(rows)
    assert [(key.node, key.key, key.persons.part) for key in report.keys] == [
        ("call_back_number", TYPED_IN, 2),
        ("city", "123", 1),
    ]


async def test_opt_outs_transfers_requests_and_wrong_keys_count_persons(rows: Rows) -> None:
    call = rows.person(20_000, "played")
    for kind, value in (
        ("opt_out", ""),
        ("transfer", "operator"),
        ("transfer", "operator"),
        ("request", "send_address"),
        ("request", "send_address"),
        ("invalid", "7"),
        ("no_input", ""),
    ):
        rows.note(call, kind, value)
    rows.person()
    report = await count(rows)
    assert (report.opted_out, report.transferred, report.invalid_key) == (Rate(1, 2),) * 3
    assert [(r.kind, r.requests, r.persons) for r in report.requests] == [("send_address", 2, Rate(1, 2))]
    assert report.follow_up == Rate(0, 2)


async def test_unknown_is_shown_even_when_it_may_never_have_been_dialled(rows: Rows) -> None:
    rows.attempt(rows.lead(), "unknown", dialled=False)
    rows.attempt(rows.lead(excluded="do_not_call"), "unknown", dialled=False)
    lead = rows.lead()
    rows.attempt(lead, "unknown")
    rows.attempt(lead, "human")
    report = await count(rows)
    assert (report.audience, report.dialled, report.unknown) == (3, Rate(1, 3), Rate(2, 3))
    assert report.attempt_outcomes == {"human": 1, "unknown": 3}


async def test_hours_and_dates_are_local(rows: Rows) -> None:
    rows.person(20_000, "played", at=ms("2026-11-20 20:59"))  # 23:59 in Moscow
    rows.person(at=ms("2026-11-20 21:00"))  # 00:00 of the next day
    rows.attempt(rows.lead(), "busy", at=ms("2026-11-20 21:30"))
    report = await count(rows)
    assert {hour: figure.attempts_answered for hour, figure in report.hours.items()} == {0: Rate(1, 2), 23: Rate(1, 1)}
    assert {day: figure.listened for day, figure in report.dates.items()} == {
        date(2026, 11, 20): 1,
        date(2026, 11, 21): 0,
    }


async def test_a_person_answered_twice_is_in_the_hour_of_the_first(rows: Rows) -> None:
    lead = rows.lead()
    rows.attempt(lead, "human", at=NOON)
    rows.attempt(lead, "human", at=NOON + 7_200_000)
    report = await count(rows)
    assert {hour: (f.attempts_answered.part, f.reached) for hour, f in report.hours.items()} == {12: (1, 1), 14: (1, 0)}


async def test_other_campaigns_and_tenants_do_not_leak(rows: Rows) -> None:
    rows.person(20_000, "played")
    for name, tenant in (("other", "shop"), ("tv-week", "rival")):
        rows.campaign(name, tenant=tenant)
        rows.refused("duplicate")
        rows.lead(excluded="do_not_call")
        rows.note(rows.person(1_000), "key", "1", follow_up=True)
    inbound = rows.call(None)
    rows.heard(inbound, 20_000, "played")
    report = await count(rows)
    assert (report.rows, report.attempts, report.reached, report.listened) == (1, 1, Rate(1, 1), Rate(1, 1))
    assert (report.keys, report.excluded, report.follow_up) == ((), {}, Rate(0, 1))


async def test_another_tenants_call_on_the_same_attempt_is_not_ours(rows: Rows) -> None:
    attempt = rows.attempt(rows.lead(), "human")
    rows.heard(rows.call(attempt, tenant="rival"), 20_000, "played")
    assert (await count(rows)).not_begun == Rate(1, 1)


async def test_a_finished_campaign_is_final_and_a_running_one_is_so_far() -> None:
    for state, final in (
        ("finished", True),
        ("stopped", True),
        ("running", False),
        ("paused", False),
        ("ready", False),
        ("importing", False),
    ):
        rows = Rows()
        rows.campaign(state=state)
        assert (await count(rows)).final is final


async def test_an_unknown_campaign_names_the_known_ones_of_this_tenant_only(rows: Rows) -> None:
    rows.campaign("easter")
    rows.campaign("secret", tenant="rival")
    with pytest.raises(UserError) as error:
        await report_of(rows, campaign="tv")
    assert "easter, tv-week" in str(error.value)
    assert "secret" not in str(error.value)


async def test_rows_that_contradict_each_other_are_reported_and_do_not_break_the_report(rows: Rows) -> None:
    rows.attempt(rows.lead(), "human", dialled=False)
    report = await report_of(rows)
    assert report.reached.share is None
    assert any("reached (1) must not exceed dialled (0)" in broken for broken in verify(report))


async def test_each_broken_rule_is_found(rows: Rows) -> None:
    rows.person(20_000, "played")
    good = await count(rows)
    for change, words in (
        ({"rows": 5}, "rows of the file (5)"),
        ({"attempts": 2}, "attempts (2)"),
        ({"unknown": Rate(9, 1)}, "unknown (9)"),
        ({"listened": Rate(0, 1)}, "listened, key, left and not begun (0)"),
        ({"quartiles": (Rate(0, 1), Rate(1, 1), Rate(1, 1), Rate(1, 1))}, "quartiles must not rise"),
        ({"hours": {}}, "attempts by hour (0)"),
        ({"numbers": ()}, "persons by number of attempts (0)"),
        ({"person_outcomes": {"busy": 1}}, "humans among outcomes (0)"),
    ):
        broken = verify(replace(good, **change))
        assert any(words in sentence for sentence in broken), (words, broken)


async def test_no_temporary_table_is_left(rows: Rows) -> None:
    rows.person(20_000, "played")
    async with store(rows) as engine:
        for _ in range(2):
            report = await compute_report(Scope(engine, "shop"), campaign_name="tv-week", zone=MOSCOW, now_ms=NOW)
            assert report.listened == Rate(1, 1)
            await refresh(engine)
        async with all_rows(engine).begin() as connection:
            left = await connection.run_sync(lambda one: inspect(one).get_temp_table_names())
    assert left == []
