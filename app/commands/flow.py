"""`ivr flow …`"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from json import dumps as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from app.commands.console import put, put_json
from app.commands.options import TenantName
from faults import AuthorError, Fault, UserError
from ivr.flow.check import unread_texts
from ivr.flow.load import check_flow_file, check_flow_files, flow_files
from ivr.flow.model import Flow
from ivr.flow.schema import flow_schema
from ivr.flow.show import flow_text
from ivr.flow.svg import flow_svg
from ivr.resources import resource_dir
from ivr.settings_files import load_site
from prompts.languages import LANGUAGES, Language
from prompts.sentences import SHIPPED, Sentences, load_sentences

if TYPE_CHECKING:
    from outbound.versions import Published

app = typer.Typer(no_args_is_help=True)

SiteOption = Annotated[Path, typer.Option("--site", help="The site's folder.", show_default="the current folder")]
FlowArgument = Annotated[str, typer.Argument(help="A flow's name in the site, a shipped one, or a file.")]


@dataclass(frozen=True, kw_only=True)
class _Surroundings:
    """What flows are checked against."""

    folder: Path
    sentences: Sentences
    #: None: there are no settings here, or they name no destination yet, so transfers are not looked at.
    destinations: Collection[str] | None


def _surroundings(site: Path) -> _Surroundings:
    """Texts and destinations of the site; the shipped texts alone where there is no site."""
    destinations = load_site(site).settings.transfers_to if (site / "ivr.toml").exists() else None
    sentences = load_sentences(SHIPPED, site / "prompts" / "texts")
    return _Surroundings(folder=site / "dialplans", sentences=sentences, destinations=destinations)


def _find(name: str, around: _Surroundings) -> Flow:
    """The flow that `name` means: a file, else a flow of the site, else a shipped one."""
    if name.endswith((".yaml", ".yml")):
        files = [Path(name)]
    else:
        files = [*flow_files(around.folder), *flow_files(resource_dir("dialplans"))]
    known: dict[str, list[Fault]] = {}
    for file in files:
        flow, faults = check_flow_file(file, around.sentences, around.destinations)
        if flow is not None and (flow.name == name or files == [Path(name)]):
            return flow
        known.setdefault(flow.name if flow else file.stem, faults)
    if files == [Path(name)] or known.get(name):
        raise AuthorError(next(iter(known.values())) if files == [Path(name)] else known[name])
    mend = f"Choose one of: {', '.join(sorted(known))}."
    raise UserError(Fault(what=f"There is no flow {name}.", where=around.folder, mend=mend))


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Files to check; by default all flows of the site.")
    ] = None,
    site: SiteOption = Path(),
) -> None:
    """Check flows as a whole: every fault at once, with its file, its line and the mend."""
    around = _surroundings(site)
    paths = files or flow_files(around.folder)
    if not paths:
        mend = "Name files, or make a site with: ivr init DIR."
        raise AuthorError(Fault(what="There is no call flow.", where=around.folder, mend=mend))
    flows, faults = check_flow_files(paths, around.sentences, around.destinations)
    for flow in flows.values():
        unread = list(unread_texts([flow], around.sentences))
        faults += (fault for fault in unread if fault not in faults)
        if not unread:
            put(f"{flow.name}: {len(flow.nodes)} nodes in {', '.join(flow.languages)}, no faults")
    if faults:
        raise AuthorError(faults)


@app.command()
def show(
    flow: FlowArgument,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.", metavar="FILE")] = None,
    site: SiteOption = Path(),
) -> None:
    """Show a flow as a tree of what each key leads to, or draw it."""
    found = _find(flow, around := _surroundings(site))
    if svg is None:
        put(flow_text(found, around.sentences))
        return
    try:
        svg.write_text(flow_svg(found, around.sentences), "utf-8")
    except OSError as error:
        what = f"The drawing can't be written: {error.strerror}."
        raise UserError(Fault(what=what, where=svg, mend="Choose another file.")) from error
    put(f"{svg}: {len(found.nodes)} nodes")


@app.command()
def phone(
    flow: FlowArgument,
    lang: Annotated[str, typer.Option(help="The caller's language; by default the flow's first.")] = "",
    var: Annotated[
        list[str] | None, typer.Option(help="A variable of the call, as name=value; the flow's examples by default.")
    ] = None,
    site: SiteOption = Path(),
) -> None:
    """Walk a flow in the terminal: type keys, - for silence, h to hang up. Keys may come from a pipe."""
    around = _surroundings(site)
    found = _find(flow, around)
    variables = dict(found.variables)
    for given in var or []:
        name, equals, value = given.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{given} is no name=value", param_hint="--var")
        variables[name] = value
    # With it comes the machine that walks a flow, which whoever checks or draws one does without.
    from app.commands.phone import Phone

    Phone(found, around.sentences).call(_language(lang, found), variables)


@app.command()
def versions(
    site: SiteOption = Path(),
    tenant: TenantName = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """List what was published of the site's flows, texts and recordings, the newest last, and who goes by it."""
    # The others need no database.
    from app.commands.database import on_scope, tenant_site
    from outbound.versions import published

    loaded = tenant_site(site, tenant)
    found = on_scope(loaded, lambda scope: published(scope, loaded))
    if json:
        put_json(_versions_json(found))
        return
    zone = ZoneInfo(loaded.settings.timezone)
    for each in found:
        at = datetime.fromtimestamp(each.version.published_at_ms / 1000, zone)
        names = each.changes.names if each is not found[0] else (f"{len(each.version.files)} files",)
        who = [*(["callers"] if each.heard else []), *each.campaigns]
        put(f"{each.version.number:>4}  {at:%Y-%m-%d %H:%M:%S}  {', '.join(names)}{_for(who)}")
    if not found:
        put("None was published yet: ivr up and ivr campaign create do, when nothing has faults.")


def _for(who: Sequence[str]) -> str:
    return f"  <- {', '.join(who)}" if who else ""


def _versions_json(found: Sequence[Published]) -> str:
    plain = [
        {
            "number": each.version.number,
            "published_at_ms": each.version.published_at_ms,
            "heard": each.heard,
            "campaigns": each.campaigns,
            **asdict(each.changes),
        }
        for each in found
    ]
    return json_text(plain, ensure_ascii=False, indent=2) + "\n"


@app.command()
def schema() -> None:
    """Print the JSON Schema of flows, which lets an editor complete fields and underline mistakes."""
    typer.echo(json_text(flow_schema(), ensure_ascii=False, indent=2))


def _language(lang: str, flow: Flow) -> Language:
    if not lang:
        return flow.languages[0]
    for language in LANGUAGES:
        if language == lang and language in flow.languages:
            return language
    raise typer.BadParameter(f"{flow.name} speaks {', '.join(flow.languages)}", param_hint="--lang")
