"""What an attempt came to when its events were lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from outbound.plan.outcome import Outcome
from outbound.plan.recovery import Journalled, Record, learn

ANSWERED = Journalled(answered_at_ms=2_000, ended_at_ms=9_000, amd="HUMAN-800-700")
TO_MACHINE = Journalled(answered_at_ms=2_000, ended_at_ms=9_000, amd="MACHINE-LONGGREETING-1500-1500")
TO_SILENCE = Journalled(answered_at_ms=2_000, ended_at_ms=9_000, amd="MACHINE-INITIALSILENCE-2500-2500")
UNANSWERED = Journalled(answered_at_ms=None, ended_at_ms=None, amd="")


def record(disposition: str, cause: int | None = None, amd: str = "HUMAN-800-700") -> Record:
    answered_at_ms = 1_500 if disposition == "ANSWERED" else None
    return Record(
        disposition=disposition,
        started_at_ms=1_000,
        answered_at_ms=answered_at_ms,
        ended_at_ms=8_000,
        cause=cause,
        amd=amd,
    )


@pytest.mark.parametrize(
    ("disposition", "cause", "outcome"),
    [
        ("ANSWERED", 16, Outcome.HUMAN),
        ("ANSWERED", None, Outcome.HUMAN),
        ("BUSY", 17, Outcome.BUSY),
        ("BUSY", None, Outcome.BUSY),
        ("NO ANSWER", 19, Outcome.NO_ANSWER),
        ("NO ANSWER", 16, Outcome.NO_ANSWER),
        ("NO ANSWER", None, Outcome.NO_ANSWER),
        ("NO ANSWER", 1, Outcome.INVALID_NUMBER),
        ("NO ANSWER", 21, Outcome.REJECTED),
        ("NO ANSWER", 38, Outcome.FAILED),
        ("NO ANSWER", 0, Outcome.FAILED),
        ("CONGESTION", 34, Outcome.CONGESTION),
        ("CONGESTION", None, Outcome.CONGESTION),
        ("FAILED", 1, Outcome.INVALID_NUMBER),
        ("FAILED", None, Outcome.FAILED),
        ("a word of a later Asterisk", None, Outcome.FAILED),
    ],
)
def test_asterisks_record_is_enough(disposition: str, cause: int | None, outcome: Outcome) -> None:
    learned = learn(record=record(disposition, cause), journalled=None, detects=True, waited_enough=cause is None)
    assert learned is not None
    assert (learned.outcome, learned.settled_by, learned.cause) == (outcome, "cdr", cause)
    assert (learned.dialled_at_ms, learned.ended_at_ms) == (1_000, 8_000)


@pytest.mark.parametrize(
    ("journalled", "outcome"),
    [(ANSWERED, Outcome.HUMAN), (TO_MACHINE, Outcome.MACHINE), (TO_SILENCE, Outcome.HUMAN)],
)
def test_the_journal_knows_what_amd_said(journalled: Journalled, outcome: Outcome) -> None:
    by_record = learn(record=record("ANSWERED", amd=""), journalled=journalled, detects=True, waited_enough=False)
    alone = learn(record=None, journalled=journalled, detects=True, waited_enough=True)
    assert by_record is not None
    assert alone is not None
    assert (by_record.outcome, by_record.settled_by) == (outcome, "cdr")
    assert (alone.outcome, alone.settled_by, alone.answered_at_ms) == (outcome, "call", 2_000)


@pytest.mark.parametrize(("journalled", "outcome"), [(None, Outcome.UNKNOWN), (ANSWERED, Outcome.HUMAN)])
@pytest.mark.parametrize("detects", [True, False])
def test_who_heard_the_fallback_alone_was_not_reached(
    journalled: Journalled | None, outcome: Outcome, detects: bool
) -> None:
    apologised = replace(record("ANSWERED"), fallback=True)
    learned = learn(record=apologised, journalled=journalled, detects=detects, waited_enough=False)
    assert learned is not None
    assert (learned.outcome, learned.answered_at_ms is None) == (outcome, False)


def test_a_machine_that_heard_the_fallback_is_a_machine() -> None:
    talked_on = replace(record("ANSWERED"), fallback=True, amd="MACHINE-LONGGREETING-1500-1500")
    learned = learn(record=talked_on, journalled=None, detects=True, waited_enough=False)
    assert learned is not None
    assert learned.outcome is Outcome.MACHINE


@pytest.mark.parametrize("journalled", [None, ANSWERED, UNANSWERED])
def test_a_record_is_waited_for(journalled: Journalled | None) -> None:
    assert learn(record=None, journalled=journalled, detects=True, waited_enough=False) is None


@pytest.mark.parametrize("disposition", ["NO ANSWER", "FAILED", "BUSY", "CONGESTION"])
def test_the_cause_of_a_call_that_nobody_answered_is_waited_for(disposition: str) -> None:
    assert learn(record=record(disposition), journalled=None, detects=True, waited_enough=False) is None


@pytest.mark.parametrize("journalled", [None, UNANSWERED])
def test_what_nobody_knows_is_unknown(journalled: Journalled | None) -> None:
    learned = learn(record=None, journalled=journalled, detects=True, waited_enough=True)
    assert learned is not None
    assert (learned.outcome, learned.settled_by) == (Outcome.UNKNOWN, "none")


NO_VERDICT = Journalled(answered_at_ms=2_000, ended_at_ms=9_000, amd="")


@pytest.mark.parametrize(
    ("amd", "outcome"),
    [
        ("MACHINE-LONGGREETING-1500-1500", Outcome.MACHINE),
        ("MACHINE-INITIALSILENCE-2500-2500", Outcome.HUMAN),
        ("HUMAN-800-700", Outcome.HUMAN),
        ("NOTSURE-TOOLONG-5000", Outcome.HUMAN),
        ("HANGUP-", Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
    ],
)
@pytest.mark.parametrize("journalled", [None, UNANSWERED, NO_VERDICT])
def test_asterisks_record_knows_what_amd_said(journalled: Journalled | None, amd: str, outcome: Outcome) -> None:
    learned = learn(record=record("ANSWERED", amd=amd), journalled=journalled, detects=True, waited_enough=False)
    assert learned is not None
    assert learned.outcome is outcome


def test_without_a_verdict_nobody_is_taken_for_a_person() -> None:
    learned = learn(record=None, journalled=NO_VERDICT, detects=True, waited_enough=True)
    assert learned is not None
    assert (learned.outcome, learned.settled_by) == (Outcome.UNKNOWN, "call")


@pytest.mark.parametrize("found", [record("ANSWERED", amd=""), None])
def test_who_answers_is_a_person_where_nobody_looks_for_machines(found: Record | None) -> None:
    learned = learn(record=found, journalled=NO_VERDICT, detects=False, waited_enough=True)
    assert learned is not None
    assert learned.outcome is Outcome.HUMAN
