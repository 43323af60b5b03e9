"""What must be true of every report, whatever happened. Pure.

A broken rule means that the tables contradict each other: the report is still shown, with a warning that can't be
missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from outbound.plan.outcome import Outcome
from reports.figures import Report
from reports.rate import Rate


def verify(report: Report) -> list[str]:
    """Each broken rule as a sentence with its numbers; empty when the report agrees with itself."""
    return list(_broken(report))


def _broken(report: Report) -> Iterator[str]:
    asked_by_time = sum(after.persons.part for after in report.follow_up_after)
    equal = (
        ("audience and excluded", report.audience + sum(report.excluded.values()), "rows of the file", report.rows),
        ("outcomes of attempts", sum(report.attempt_outcomes.values()), "attempts", report.attempts),
        ("outcomes of persons", sum(report.person_outcomes.values()), "dialled", report.dialled.part),
        ("humans among outcomes", report.person_outcomes.get(Outcome.HUMAN, 0), "reached", report.reached.part),
        ("machines among outcomes", report.person_outcomes.get(Outcome.MACHINE, 0), "machine", report.machine.part),
        (
            "listened, key, left and not begun",
            sum(rate.part for rate in _how_it_ended(report)),
            "reached",
            report.reached.part,
        ),
        ("persons by number of attempts", sum(n.persons for n in report.numbers), "dialled", report.dialled.part),
        ("reached by attempt number", sum(n.reached for n in report.numbers), "reached", report.reached.part),
        ("first follow-ups by time", asked_by_time, "asked", report.follow_up.part),
    )
    for left, a, right, b in equal:
        if a != b:
            yield f"{left} ({a}) must equal {right} ({b})"

    for name, figures in (("hour", report.hours), ("date", report.dates)):
        times = figures.values()
        if (dialled := sum(time.attempts_answered.whole for time in times)) != report.attempts_dialled:
            yield f"attempts by {name} ({dialled}) must equal attempts dialled ({report.attempts_dialled})"
        for figure in ("reached", "listened", "follow_up"):
            by_time, total = sum(getattr(time, figure) for time in times), getattr(report, figure).part
            if by_time != total:
                yield f"{figure} by {name} ({by_time}) must equal {figure} ({total})"

    at_most = (
        ("dialled", report.dialled.part, "audience", report.audience),
        ("reached", report.reached.part, "dialled", report.dialled.part),
        ("reached and machine", report.reached.part + report.machine.part, "dialled", report.dialled.part),
        ("dialled", report.dialled.part, "attempts dialled", report.attempts_dialled),
        ("attempts dialled", report.attempts_dialled, "attempts", report.attempts),
        ("unknown", report.unknown.part, "audience", report.audience),
        *(
            (name, getattr(report, name).part, "reached", report.reached.part)
            for name in ("listened", "follow_up", "opted_out", "transferred", "invalid_key")
        ),
        *((f"key {key.key} of {key.node}", key.persons.part, "its presses", key.presses) for key in report.keys),
    )
    for left, a, right, b in at_most:
        if a > b:
            yield f"{left} ({a}) must not exceed {right} ({b})"

    for name, falling in (("quartiles", report.quartiles), ("retention", report.retention)):
        if any(later.part > earlier.part for earlier, later in pairwise(falling)):
            yield f"{name} must not rise: {', '.join(str(rate.part) for rate in falling)}"


def _how_it_ended(report: Report) -> tuple[Rate, ...]:
    return report.listened, report.key_before_end, report.left_before_end, report.not_begun
