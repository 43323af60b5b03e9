"""A report as one HTML file that asks the network for nothing: style and charts are inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from faults import visible
from prompts.languages import Language
from reports.charts import NARROW, WIDE, bar, columns, curve
from reports.consistency import verify
from reports.figures import AFTER_STEP_S, TYPED_IN, Report
from reports.rate import Rate
from reports.words import Words

if TYPE_CHECKING:
    from jinja2 import Template

_HERE = Path(__file__).parent

#: Steps of the funnel in order, with what each is a share of.
_FUNNEL = ("dialled", "reached", "listened", "follow_up")


@cache
def _template() -> Template:
    # Most reports go to a terminal, which needs no templates.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, finalize=_shown)
    return environment.get_template("page.html.j2")


def _shown(value: object) -> object:
    """What the template prints of `value`: names and titles can't turn the page's text around."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def render_html(report: Report, *, language: Language, title: str) -> str:
    """The whole page. `title` is the retailer's name. A warning heads it when the report contradicts itself."""
    w = Words(language)
    zone = ZoneInfo(report.timezone)
    # The template's own names: everything it prints goes through Words, so that it holds no format of its own.
    return _template().render(
        w=w,
        report=report,
        title=title,
        css=Markup((_HERE / "page.css").read_text("utf-8")),  # noqa: S704 - our own file
        broken=verify(report),
        bar=bar,
        typed_in=TYPED_IN,
        summary=summary(report, w),
        missing=missing(report, w),
        as_of=w.moment(report.as_of_ms, zone),
        first_dial=None if report.first_dial_ms is None else w.moment(report.first_dial_ms, zone),
        last_dial=None if report.last_dial_ms is None else w.moment(report.last_dial_ms, zone),
        funnel=_funnel(report),
        quartiles=[(w.whole_percent(q / 4), rate) for q, rate in enumerate(report.quartiles, 1)],
        depths=[(w.count(figure.depth), figure.persons) for figure in report.depths],
        after=[
            (f"{figure.from_s}–{figure.from_s + AFTER_STEP_S}", figure.persons) for figure in report.follow_up_after
        ],
        requests=[(w.named("request", figure.kind), figure.persons) for figure in report.requests],
        person_outcomes=_shares(report.person_outcomes, report.dialled.part),
        attempt_outcomes=_shares(report.attempt_outcomes, report.attempts),
        excluded=_shares(report.excluded, report.rows),
        excluded_later=reasons(report.excluded_later, w),
        hours=[(f"{hour}:00", figure) for hour, figure in report.hours.items()],
        dates=[(w.date(day), figure) for day, figure in report.dates.items()],
        **_charts(report, w),
    )


def summary(report: Report, w: Words) -> str:
    """The report in one sentence."""
    return w(
        "summary",
        audience=w.count(report.audience),
        **{
            name: w.count(getattr(report, name).part)
            for name in ("dialled", "reached", "listened", "follow_up", "opted_out")
        },
    )


def missing(report: Report, w: Words) -> list[str]:
    """What the journal could not keep, or is kept no longer, a sentence each; empty when nothing is missing."""
    lost = [
        w(f"missing.{name}", count=w.count(count))
        for name, count in (("calls", report.incomplete_calls), ("opt_outs", report.opt_outs_not_kept))
        if count
    ]
    if report.removed_before_ms is not None:
        zone = ZoneInfo(report.timezone)
        lost.append(w("missing.removed", moment=w.moment(report.removed_before_ms, zone)))
    return lost


def reasons(counts: Mapping[str, int], w: Words) -> str:
    """ "В стоп-листе — 3, Повтор — 1"; "" for nobody."""
    return ", ".join(f"{w.named('reason', name)} — {w.count(count)}" for name, count in counts.items())


def _shares(counts: Mapping[str, int], whole: int) -> list[tuple[str, Rate]]:
    return [(name, Rate(count, whole)) for name, count in counts.items()]


def _funnel(report: Report) -> Iterable[tuple[str, int, Rate | None, float | None]]:
    """Name, count, share of the step before, width of the bar."""
    yield "rows", report.rows, None, Rate(report.rows, report.rows).share
    yield "audience", report.audience, Rate(report.audience, report.rows), Rate(report.audience, report.rows).share
    for name in _FUNNEL:
        rate = getattr(report, name)
        yield name, rate.part, rate, Rate(rate.part, report.rows).share


def _charts(report: Report, w: Words) -> dict[str, Any]:
    hours = range(min(report.hours), max(report.hours) + 1) if report.hours else ()
    nobody = Rate(0, 0)
    attempts = [
        (str(hour), rate.whole, rate.part)
        for hour in hours
        for rate in [report.hours[hour].attempts_answered if hour in report.hours else nobody]
    ]
    charts: dict[str, Any] = {}
    for name, size in (("wide", WIDE), ("narrow", NARROW)):
        charts[f"retention_{name}"] = curve(
            report.retention, size, title=w("section.listening"), percent=w.whole_percent
        )
        charts[f"hours_{name}"] = columns(attempts, size, title=w("section.hours"), count=w.count)
    return charts
