"""Whatever happened, SQL and straightforward Python count the same, and the report agrees with itself."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outbound.plan.outcome import Outcome
from reports.consistency import verify
from reports.figures import Report
from tests.unit.reports.naive import naive_figures
from tests.unit.reports.rows import MOSCOW, NOON, Rows, report_of

pytestmark = pytest.mark.both_databases

OUTCOMES = (*(outcome.value for outcome in Outcome), "human", "human", None)


@st.composite
def happenings(draw: st.DrawFn) -> Rows:
    """Two campaigns of one tenant; the first is the one to report."""
    rows = Rows()
    for name in ("tv-week", "other"):
        rows.campaign(name)
        for reason in draw(st.lists(st.sampled_from(["invalid_number", "duplicate"]), max_size=3)):
            rows.refused(reason)
        for _ in range(draw(st.integers(0, 4))):
            lead = rows.lead(excluded=draw(st.sampled_from([None, None, None, "do_not_call"])))
            for _ in range(draw(st.integers(0, 3))):
                _attempt(draw, rows, lead)
    return rows


def _attempt(draw: st.DrawFn, rows: Rows, lead: int) -> None:
    outcome = draw(st.sampled_from(OUTCOMES))
    dialled = outcome in ("human", "machine") or draw(st.booleans())
    at = NOON + draw(st.integers(0, 40)) * 3_600_000
    attempt = rows.attempt(lead, outcome, at=at, dialled=dialled)
    for _ in range(draw(st.integers(0, 2))):
        call = rows.call(attempt)
        for _ in range(draw(st.integers(0, 4))):
            if draw(st.booleans()):
                length_ms = draw(st.sampled_from([600, 3_000, 8_200]))
                heard_ms = draw(st.integers(0, length_ms))
                ended = draw(st.sampled_from(["played", "key", "hang_up", "fault"]))
                rows.heard(call, heard_ms, ended, length_ms=length_ms, main=draw(st.booleans()))
            else:
                rows.note(
                    call,
                    draw(st.sampled_from(["key", "key", "opt_out", "transfer", "invalid"])),
                    draw(st.sampled_from(["1", "2", "12"])),
                    node=draw(st.sampled_from(["offer", "city"])),
                    at=draw(st.integers(0, 30_000)),
                    follow_up=draw(st.booleans()),
                    depth=draw(st.integers(0, 2)),
                )


def counted(report: Report) -> dict[str, object]:
    """The report's counts in the naive computation's words."""
    hours = report.hours.items()
    simple = (
        *("dialled", "reached", "machine", "unknown", "listened", "key_before_end", "left_before_end"),
        *("follow_up", "opted_out", "transferred"),
    )
    return {
        "rows": report.rows,
        "audience": report.audience,
        "excluded": Counter(report.excluded),
        **{name: getattr(report, name).part for name in simple},
        "quartiles": [rate.part for rate in report.quartiles],
        "retention": [rate.part for rate in report.retention],
        "keys": {(k.node, k.key, k.follow_up): (k.presses, k.persons.part) for k in report.keys},
        "depths": Counter({figure.depth: figure.persons.part for figure in report.depths}),
        "after": Counter({figure.from_s: figure.persons.part for figure in report.follow_up_after}),
        "attempt_outcomes": Counter(report.attempt_outcomes),
        "attempts_by_hour": Counter({hour: figure.attempts_answered.whole for hour, figure in hours}),
        "answers_by_hour": Counter({hour: figure.attempts_answered.part for hour, figure in hours}),
        "listened_by_hour": Counter({hour: figure.listened for hour, figure in hours}),
        "numbers": Counter({n.number: n.persons for n in report.numbers}),
    }


@pytest.mark.sqlite_only("a database of PostgreSQL's for each of so many examples takes too long")
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(happenings())
def test_sql_and_python_count_the_same(rows: Rows) -> None:
    _compare(rows)


@pytest.mark.postgresql_only
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(happenings())
def test_postgresql_counts_the_same(rows: Rows) -> None:
    _compare(rows)


def _compare(rows: Rows) -> None:
    report = asyncio.run(report_of(rows))
    assert counted(report) == naive_figures(rows, 1, MOSCOW)
    assert verify(report) == []
