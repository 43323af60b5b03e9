"""`ivr report CAMPAIGN` and `ivr calls`"""

from __future__ import annotations

import os
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from app.commands.console import plain_console, put, put_json
from app.commands.database import on_scope, tenant_site
from app.commands.options import SiteFolder, TenantName
from faults import Fault, MachineError, UserError
from outbound.clock import Clock
from people.numbers import Unreadable, read_phone
from prompts.languages import Language
from reports.calls import calls_json, private, read_calls, timeline
from reports.export import render_csv, render_json, render_slices_json
from reports.metrics import Proof, compute_report, prove
from reports.page import render_html
from reports.slices import Slices, compute_slices
from reports.terminal import render_slices, render_terminal


class ReportLanguage(StrEnum):
    RU = "ru"
    UK = "uk"
    EN = "en"


def report(
    campaign: Annotated[str, typer.Argument(help="The campaign's name.")],
    site: SiteFolder = Path(),
    tenant: TenantName = "",
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write one self-contained page to mail.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the figures for a spreadsheet in the report's language: ; and , or , and ."
        ),
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='Write the figures for programs; "-" prints them instead of the report.'),
    ] = None,
    lang: Annotated[ReportLanguage | None, typer.Option(help="Language; the site's own if not given.")] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="WHAT", help="Part the figures: hour, day, language, or a column of the contacts file."),
    ] = None,
    recount: Annotated[
        bool, typer.Option("--recount", help="Prove the figures instead: count every attempt and call anew, compare.")
    ] = False,
) -> None:
    """Show what a campaign achieved: how many were reached, listened to the end, asked a question.

    Works while the campaign is running. No phone number appears in it.
    """
    loaded = tenant_site(site, tenant)
    if recount:
        proof = on_scope(loaded, lambda scope: prove(scope, campaign_name=campaign))
        _tell_of_recount(proof, ZoneInfo(loaded.settings.timezone))
        return
    language: Language = loaded.settings.language if lang is None else lang.value
    zone, now_ms = ZoneInfo(loaded.settings.timezone), Clock().now_ms()
    which: dict[str, Any] = {"campaign_name": campaign, "zone": zone, "now_ms": now_ms}
    if by is not None:
        parted = by
        slices = on_scope(loaded, lambda scope: compute_slices(scope, by=parted, **which))
        _show_slices(slices, json, language)
        return
    figures = on_scope(loaded, lambda scope: compute_report(scope, **which))
    title = loaded.settings.title or loaded.settings.tenant
    written = []
    if html is not None:
        written.append(_write(html, render_html(figures, language=language, title=title)))
    if csv is not None:
        written.append(_write(csv, render_csv(figures, language)))
    if json is not None and json != Path("-"):
        written.append(_write(json, render_json(figures)))
    if json == Path("-"):
        put_json(render_json(figures))
        return
    console = plain_console()
    console.print(render_terminal(figures, language=language, title=title))
    for path in written:
        console.print(f"Written: {path}", markup=False, soft_wrap=True)


def calls(
    site: SiteFolder = Path(),
    tenant: TenantName = "",
    campaign: Annotated[str | None, typer.Option(help="Only calls of this campaign.")] = None,
    phone: Annotated[str | None, typer.Option(help="Only calls with this number, written as people do.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many of the newest calls.")] = 20,
    before: Annotated[str | None, typer.Option(metavar="ID", help="Those that began before this call.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
    show_phones: Annotated[
        bool, typer.Option("--show-phones", help="Print numbers and typed-in digits in full.")
    ] = False,
) -> None:
    """Show what happened on each call: what was heard and for how long, which keys, who hung up."""
    loaded = tenant_site(site, tenant)
    number = _phone(phone, loaded.settings.region) if phone is not None else None
    stories = on_scope(
        loaded,
        lambda scope: read_calls(scope, campaign_name=campaign, phone=number, before=before, limit=limit),
    )
    older = f"Older ones: --before {stories[0].id}" if len(stories) == limit else ""
    if not show_phones:
        stories = private(stories)
    if json:
        put_json(calls_json(stories))
        return
    zone = ZoneInfo(loaded.settings.timezone)
    put("\n\n".join("\n".join(timeline(story, zone)) for story in stories) or "No calls yet.")
    if older:
        plain_console(stderr=True).print(older, markup=False, soft_wrap=True)


def _show_slices(slices: Slices, json: Path | None, language: Language) -> None:
    if json == Path("-"):
        put_json(render_slices_json(slices))
        return
    plain_console().print(render_slices(slices, language=language))
    if json is not None:
        put(f"Written: {_write(json, render_slices_json(slices))}")


def _tell_of_recount(proof: Proof, zone: ZoneInfo) -> None:
    """Raises MachineError when there are differences."""
    if differences := proof.differences:
        what = f"What is kept differs from a recount in {len(differences)} figures; the first: {differences[0]}."
        raise MachineError(Fault(what=what, where="results", mend="Please report it; until then trust the recount."))
    if proof.removed_before_ms is None:
        put("Counted anew from every attempt and call: every figure is as it is kept.")
        return
    before = datetime.fromtimestamp(proof.removed_before_ms / 1000, zone).strftime("%Y-%m-%d")
    put("Counted anew from every attempt: whom we dialled and reached is as it is kept.")
    put(f"Calls before {before} were removed: what was heard and pressed is as it was counted before that.")


def _phone(text: str, region: str) -> str:
    number = read_phone(text, region=region)
    if isinstance(number, Unreadable):
        raise UserError(Fault(what=f"--phone is no number: {number.why}.", mend="Write it like +79161234567."))
    return number


def _write(path: Path, text: str) -> Path:
    """Put the text into the file, all of it or none. Raises MachineError."""
    # A link leads to the file that is meant; a device or pipe (/dev/stdout) must never be replaced by a file.
    whole = path.resolve()
    beside = whole.parent / f".{whole.name}.{os.getpid()}"
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, "utf-8", newline="")
            return path
        try:
            # newline="" keeps CSV's own line ends.
            beside.write_text(text, "utf-8", newline="")
            beside.replace(whole)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise MachineError(
            Fault(
                what=f"The report can't be written: {error.strerror or error}.",
                where=path,
                mend="Name a file in a folder that exists, can be written and has free space.",
            )
        ) from error
    return path
