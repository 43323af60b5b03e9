"""A report as data for other programs: JSON with stable keys (report.schema.json), and CSV for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import date
from typing import Any

from prompts.languages import Language
from reports.consistency import verify
from reports.figures import AFTER_STEP_S, Report
from reports.rate import Rate
from reports.slices import Slices

#: Raised when a key changes its meaning or goes away; new keys don't raise it.
SCHEMA = 1


def render_json(report: Report) -> str:
    """The report as JSON, described by report.schema.json. `inconsistent` lists broken rules; it is empty normally."""
    data = {"schema": SCHEMA, **_plain(report), "inconsistent": verify(report)}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def render_slices_json(slices: Slices) -> str:
    """The slices as JSON; the rates of a line are shares of its `dialled`."""
    data = {"schema": SCHEMA, **_plain(slices)}
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, Rate):
        low, high = value.interval or (None, None)
        return {
            "numerator": value.part,
            "denominator": value.whole,
            "share": value.share,
            "low": low,
            "high": high,
        }
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "items"):
        return {str(_plain(key)): _plain(item) for key, item in value.items()}
    return value


def render_csv(report: Report, language: Language) -> str:
    """Figures as rows `metric,numerator,denominator,share,low,high`, for a spreadsheet in that language.

    A spreadsheet in Russian or Ukrainian takes semicolons and decimal commas, one in English commas and points. Begins
    with a byte order mark, by which Excel knows UTF-8. A cell without a share is empty.
    """
    english = language == "en"

    def decimal(value: float | None) -> str:
        return "" if value is None else f"{value:.6f}" if english else f"{value:.6f}".replace(".", ",")

    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if english else ";")
    writer.writerow(("metric", "numerator", "denominator", "share", "low", "high"))
    for metric, figure in _metrics(report):
        if isinstance(figure, Rate):
            low, high = figure.interval or (None, None)
            row = (figure.part, figure.whole, decimal(figure.share), decimal(low), decimal(high))
            writer.writerow((_harmless(metric), *row))
        else:
            writer.writerow((_harmless(metric), figure, "", "", "", ""))
    return "\ufeff" + out.getvalue()


def _harmless(cell: str) -> str:
    """The cell, so that no spreadsheet takes it for a formula (OWASP, "CSV Injection")."""
    return "'" + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else cell


def _metrics(report: Report) -> Iterator[tuple[str, Rate | int | str]]:
    yield "campaign", _harmless(report.campaign)
    yield "state", report.state
    yield "as_of_ms", report.as_of_ms
    yield "rows", report.rows
    yield "audience", Rate(report.audience, report.rows)
    for reason, count in report.excluded.items():
        yield f"excluded.{reason}", Rate(count, report.rows)
    for reason, count in report.excluded_later.items():
        yield f"excluded_later.{reason}", Rate(count, report.audience)
    for field in fields(report):
        value = getattr(report, field.name)
        if isinstance(value, Rate):
            yield field.name, value
    for quarter, rate in enumerate(report.quartiles, 1):
        yield f"heard.{quarter * 25}", rate
    for second, rate in enumerate(report.retention):
        yield f"retention.{second}", rate
    for key in report.keys:
        yield f"key.{key.node}.{key.key}{'.follow_up' if key.follow_up else ''}", key.persons
    for depth in report.depths:
        yield f"follow_up.depth.{depth.depth}", depth.persons
    for after in report.follow_up_after:
        yield f"follow_up.after.{after.from_s}-{after.from_s + AFTER_STEP_S}", after.persons
    for request in report.requests:
        yield f"request.{request.kind}", request.persons
    yield "active_elsewhere", report.active_elsewhere
    yield "incomplete_calls", report.incomplete_calls
    yield "opt_outs_not_kept", report.opt_outs_not_kept
    yield "attempts", report.attempts
    yield "attempts_dialled", report.attempts_dialled
    for outcome, count in report.person_outcomes.items():
        yield f"persons.{outcome}", Rate(count, report.dialled.part)
    for outcome, count in report.attempt_outcomes.items():
        yield f"attempts.{outcome}", Rate(count, report.attempts)
    for number in report.numbers:
        yield f"attempt.{number.number}.persons", number.persons
        yield f"attempt.{number.number}.reached", number.reached
    for kind, times in (("hour", report.hours), ("date", report.dates)):
        for at, time in times.items():
            yield f"{kind}.{at}.answered", time.attempts_answered
            yield f"{kind}.{at}.reached", time.reached
            yield f"{kind}.{at}.listened", time.listened
            yield f"{kind}.{at}.follow_up", time.follow_up
