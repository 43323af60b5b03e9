"""The machine's APT sources, and which of them is the distribution itself. Standard library only, for debroot.py."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

#: Debian's rolling suite: it has packages that a stable release lacks.
SID = "sid"
#: The suites that the machine itself uses.
OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Source:
    """One entry of the machine's APT sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    #: Value of Signed-By, perhaps with continuation lines of a key; "": APT's own trusted keys.
    signed_by: str = ""


def os_release() -> Mapping[str, str]:
    """ID and VERSION_CODENAME of the machine; empty where there is no os-release."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def machine_sources(etc: Path = Path("/etc/apt")) -> tuple[Source, ...]:
    """The enabled binary sources of the machine, in APT's order."""
    parts = sorted((etc / "sources.list.d").glob("*")) if (etc / "sources.list.d").is_dir() else []
    found: list[Source] = []
    for path in (etc / "sources.list", *parts):
        with suppress(OSError):
            if path.suffix == ".list":
                found += read_one_line(path.read_text("utf-8", "replace"))
            elif path.suffix == ".sources":
                found += read_deb822(path.read_text("utf-8", "replace"))
    return tuple(found)


def read_one_line(text: str) -> list[Source]:
    """Sources of the classic format: `deb [signed-by=/path] URI SUITE COMPONENT…`."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match:
            options = dict(option.split("=", 1) for option in (match[1] or "").split() if "=" in option)
            found.append(
                Source(
                    uris=(match[2],),
                    suites=(match[3],),
                    components=tuple(match[4].split()),
                    signed_by=options.get("signed-by", "").replace(",", " "),
                )
            )
    return found


def read_deb822(text: str) -> list[Source]:
    """Sources of the format with fields (`URIs:`, `Suites:`), one stanza each."""
    found = []
    for stanza in re.split(r"\n[ \t]*\n", "\n".join(line for line in text.splitlines() if not line.startswith("#"))):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in " \t" and name:
                fields[name] += "\n" + line
            elif ":" in line:
                name, value = line.split(":", 1)
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0") or "deb" not in fields.get("types", "").split():
            continue
        found.append(
            Source(
                uris=tuple(fields.get("uris", "").split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", ""),
            )
        )
    return found


def distribution_source(sources: Sequence[Source], release: Mapping[str, str]) -> Source | None:
    """The source that holds the distribution itself, not a vendor's; None when there is none."""
    own = {release.get("VERSION_CODENAME", ""), "stable", "oldstable", "testing", "unstable", "sid"} - {""}
    fits = [
        source
        for source in sources
        if "main" in source.components and own & set(source.suites) and not source.uris[0].startswith("cdrom:")
    ]
    marks = ("debian-archive", "ubuntu-archive", "/debian", "/ubuntu")
    return next((s for s in fits if any(mark in s.signed_by + s.uris[0] for mark in marks)), fits[0] if fits else None)


def chosen_source(source: Source, release: Mapping[str, str], suite: str, components: Sequence[str]) -> Source:
    """The machine's `source` turned to `suite`; on Ubuntu, which has no sid, its own suites with universe."""
    if release.get("ID") != "debian":
        return replace(source, components=tuple(dict.fromkeys((*source.components, "universe", "multiverse"))))
    return replace(source, suites=source.suites if suite == OWN else (suite,), components=tuple(components))


def deb822(source: Source) -> str:
    """The text of a sources file with only the package index as target."""
    signed = f"Signed-By: {source.signed_by}\n" if source.signed_by else ""
    return (
        f"Types: deb\nURIs: {' '.join(source.uris)}\nSuites: {' '.join(source.suites)}\n"
        f"Components: {' '.join(source.components)}\nTargets: Packages\n{signed}"
    )
