"""A report for the terminal, in the words of the page."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from prompts.languages import Language
from reports.consistency import verify
from reports.figures import AFTER_STEP_S, Report
from reports.page import missing, reasons, summary
from reports.rate import Rate
from reports.slices import FIGURES, TIMES, Slices
from reports.words import DASH, Words

_FUNNEL = ("dialled", "reached", "listened", "follow_up")
_HEARD = ("key_before_end", "left_before_end", "not_begun")
_DONE = ("opted_out", "transferred", "invalid_key", "machine", "unknown")
_BAR_CELLS = 20
#: Eighths of a cell, so that a bar and the curve have a finer step than a character.
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def render_terminal(report: Report, *, language: Language, title: str) -> RenderableType:
    """Everything that the page says, as one rich renderable. Texts from outside are never read as markup."""
    w = Words(language)
    parts: list[RenderableType] = [_head(report, w, title)]
    if broken := verify(report):
        parts.append(Panel(Text("\n".join([w("warning"), *broken])), border_style="bold red", style="red"))
    if lost := missing(report, w):
        parts.append(Panel(Text("\n".join(lost)), border_style="bold yellow", style="yellow"))
    parts += [_figures(report, w), *_curve(report, w), *_details(report, w)]
    parts.append(Text(w("interval_note"), style="dim"))
    return Group(*parts)


def render_slices(slices: Slices, *, language: Language) -> RenderableType:
    """A line for each value; every share in it is of its first number."""
    w = Words(language)
    by_time = slices.by in TIMES
    of = w("column.attempts") if by_time else w("figure.dialled.name")
    table = _table(slices.by, of, *(w(f"figure.{name}.name") for name in FIGURES), title=slices.campaign)
    lines = [(each.value or DASH, each) for each in slices.slices]
    if slices.others is not None:
        lines.append((w("others", count=w.count(slices.other_values)), slices.others))
    for value, each in lines:
        rates = (getattr(each, name) for name in FIGURES)
        cells = (f"{w.count(rate.part)} · {w.share(rate)} ({w.interval(rate)})" for rate in rates)
        _add(table, value, w.count(each.dialled), *cells)
    return Group(table, Text(w("slices_note.time" if by_time else "slices_note.people"), style="dim"))


def _head(report: Report, w: Words, title: str) -> Panel:
    zone = ZoneInfo(report.timezone)
    when = w("nobody_dialled")
    if report.first_dial_ms is not None and report.last_dial_ms is not None:
        when = w("period", first=w.moment(report.first_dial_ms, zone), last=w.moment(report.last_dial_ms, zone))
    status = f"{w('final' if report.final else 'so_far')} {w('as_of', moment=w.moment(report.as_of_ms, zone))}"
    lines = (
        Text(f"{status} · {w.named('state', report.state)}", style="bold green" if report.final else "bold yellow"),
        Text(f"{when} · {w('time_zone', zone=report.timezone)} · {w('flow', flow=report.flow)}", style="dim"),
        Text(summary(report, w)),
    )
    return Panel(Group(*lines), title=Text(f"{w('report')}: {report.campaign} · {title}", style="bold"), expand=True)


def _bar(share: float | None) -> Text:
    eighths = round((share or 0.0) * _BAR_CELLS * 8)
    return Text("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip(), style="cyan")


def _table(*columns: str, title: str = "") -> Table:
    """The first column holds names, the others numbers."""
    table = Table(box=box.SIMPLE_HEAD, title=Text(title, style="bold") if title else None, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if place else "left")
    return table


def _add(table: Table, *cells: str | Text) -> None:
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def _figures(report: Report, w: Words) -> Table:
    table = _table(w("column.figure"), w("column.people"), w("column.share"), w("column.interval"), "")
    table.columns[-1].justify = "left"
    _add(table, w("figure.rows.name"), w.count(report.rows), "", "", "")
    _add(table, w("figure.audience.name"), w.count(report.audience), "", "", "")
    for name in (*_FUNNEL, *_HEARD, *_DONE):
        rate: Rate = getattr(report, name)
        strong = "bold" if name in _FUNNEL else ""
        label = Text(w(f"figure.{name}.name"), style=strong)
        _add(table, label, w.of(rate), Text(w.share(rate), style=strong), w.interval(rate), _bar(rate.share))
    return table


def _curve(report: Report, w: Words) -> Iterable[RenderableType]:
    """A character per second, and the quartiles under it."""
    shares = [rate.share for rate in report.retention if rate.share is not None]
    if not shares:
        return
    line = "".join(_HEIGHTS[min(7, int(share * 8))] for share in shares)
    quartiles = " · ".join(f"{w.whole_percent(q / 4)}: {w.share(rate)}" for q, rate in enumerate(report.quartiles, 1))
    yield Text.assemble(
        (f"{w('section.listening')}\n", "bold"),
        (line, "cyan"),
        f"  0–{len(shares) - 1}\n",
        f"{w('column.part')}: {quartiles}\n",
    )


def _details(report: Report, w: Words) -> Iterable[RenderableType]:
    people = (w("column.people"), w("column.share"), w("column.interval"))

    def rates(title: str, head: str, rows: Iterable[tuple[str, Rate]], whole: str = "") -> Table:
        table = _table(head, *((whole, *people[1:]) if whole else people), title=title)
        for name, rate in rows:
            _add(table, name, w.of(rate), w.share(rate), w.interval(rate))
        return table

    def outcomes(caption: str, whole: str, counts: Iterable[tuple[str, int]], of: int) -> Table:
        rows = ((w.named("outcome", name), Rate(count, of)) for name, count in counts)
        return rates(w(caption), w("column.outcome"), rows, whole)

    if report.excluded:
        shares = ((w.named("reason", name), Rate(count, report.rows)) for name, count in report.excluded.items())
        yield rates(w("section.excluded"), w("column.reason"), shares, w("column.rows"))
    if report.excluded_later:
        yield Text(w("excluded_later", reasons=reasons(report.excluded_later, w)) + "\n")
    if report.keys:
        table = _table(w("column.key"), w("column.node"), w("column.presses"), *people, title=w("section.actions"))
        table.columns[1].justify = "left"
        for key in report.keys:
            mark = f" · {w('caption.follow_up_mark')}" if key.follow_up else ""
            rate = key.persons
            _add(table, key.key, key.node + mark, w.count(key.presses), w.of(rate), w.share(rate), w.interval(rate))
        yield table
    if report.depths:
        yield rates(w("figure.follow_up.name"), w("column.depth"), ((str(d.depth), d.persons) for d in report.depths))
        after = ((f"{a.from_s}–{a.from_s + AFTER_STEP_S}", a.persons) for a in report.follow_up_after)
        yield rates("", w("column.after"), after)
    if report.requests:
        asked = ((w.named("request", request.kind), request.persons) for request in report.requests)
        yield rates("", w("column.request"), asked)
    if report.active_elsewhere:
        yield Text(w("elsewhere", count=w.count(report.active_elsewhere)) + "\n")
    if report.attempts:
        persons, attempts = report.person_outcomes.items(), report.attempt_outcomes.items()
        yield outcomes("caption.person_outcomes", w("column.people"), persons, report.dialled.part)
        yield outcomes("caption.attempt_outcomes", w("column.attempts"), attempts, report.attempts)
        yield _numbers(report, w)
    for caption, head, rows in (
        ("caption.hours_table", "column.hour", [(f"{hour}:00", time) for hour, time in report.hours.items()]),
        ("caption.dates_table", "column.date", [(w.date(day), time) for day, time in report.dates.items()]),
    ):
        if rows:
            columns = ("answered", "share", "interval", "listened", "asked")
            table = _table(w(head), *(w(f"column.{name}") for name in columns), title=w(caption))
            for label, time in rows:
                rate = time.attempts_answered
                counts = (w.count(time.listened), w.count(time.follow_up))
                _add(table, label, w.of(rate), w.share(rate), w.interval(rate), *counts)
            yield table


def _numbers(report: Report, w: Words) -> Table:
    heads = (w("column.attempt"), w("column.dialled_so_often"), w("column.reached_at"))
    table = _table(*heads, title=w("caption.numbers"))
    for number in report.numbers:
        _add(table, str(number.number), w.count(number.persons), w.count(number.reached))
    return table
