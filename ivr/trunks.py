"""Trunks as a machine uses them: with their passwords, and which of them carries a number. Reads no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from faults import Fault
from ivr.settings import MAIN, Settings, Site, Trunk

#: What may stand for one in Asterisk's files.
HOST = r"[A-Za-z0-9._:-]+|\[[0-9A-Fa-f:]+\]"
_FORMS = {
    "host": (HOST, "a host name or address"),
    "user": (r"[^\s\x00-\x1f\x7f-\x9f;,@:<>()\[\]\\\"]*", "a name without spaces and punctuation"),
    "caller_id": (r"[0-9A-Za-z+._-]*", "a number such as +74951234567"),
}


@dataclass(frozen=True, kw_only=True)
class SiteTrunk:
    name: str
    how: Trunk
    #: The password for `how.user`; "": this machine has none.
    secret: str = field(default="", repr=False)
    #: Every gateway of the database uses it.
    shared: bool = False

    @property
    def endpoint(self) -> str:
        """What Asterisk calls it. An Asterisk of a site's own knows the first one as `trunk`."""
        return "trunk" if self.name == MAIN else f"trunk-{self.name}"

    def serves(self, tenant: str) -> bool:
        return not self.how.tenants or tenant in self.how.tenants


def trunk_secret(site: Site, name: str) -> str:
    """The password that this machine has for a trunk; "": none."""
    found = site.secrets.trunk_secret if name == MAIN else site.secrets.trunk_secrets.get(name)
    return found.get_secret_value() if found else ""


def named_trunks(settings: Settings) -> dict[str, Trunk]:
    """All of ivr.toml by name, the first one first."""
    return {MAIN: settings.trunk, **settings.trunks}


def trunks_of_files(site: Site) -> tuple[SiteTrunk, ...]:
    """Those of ivr.toml that are enabled, in the order in which they stand there."""
    named = named_trunks(site.settings).items()
    return tuple(SiteTrunk(name=name, how=how, secret=trunk_secret(site, name)) for name, how in named if how.enabled)


def carrying(trunks: Iterable[SiteTrunk], number: str, *, tenant: str) -> list[SiteTrunk]:
    """Those that carry a number (E.164) of the tenant's calls, the best one first.

    A number inside somebody's own exchange is carried by those that carry every number.
    """
    found = []
    for each in trunks:
        fits = [len(beginning) for beginning in each.how.prefixes if number.startswith(beginning)]
        if (fits or not each.how.prefixes) and each.serves(tenant):
            found.append((-max(fits, default=0), each.how.position, each.name, each))
    return [each for *_, each in sorted(found, key=lambda one: one[:3])]


@dataclass
class InUse:
    """The trunks that calls go by now: replaced as a whole while the site runs."""

    trunks: Sequence[SiteTrunk]

    @classmethod
    def of(cls, settings: Settings) -> InUse:
        """Those of ivr.toml, without passwords, which only Asterisk's configuration needs."""
        return cls([SiteTrunk(name=name, how=how) for name, how in named_trunks(settings).items() if how.enabled])

    def of_tenant(self, tenant: str) -> list[SiteTrunk]:
        """Those that the tenant may use."""
        return [each for each in self.trunks if each.serves(tenant)]

    def carrying(self, number: str, *, tenant: str) -> list[SiteTrunk]:
        return carrying(self.trunks, number, tenant=tenant)

    @property
    def shortest_rtp_timeout_s(self) -> int:
        """Of all: a call does not say by which it came."""
        return min((each.how.rtp_timeout_s for each in self.trunks), default=60)


def trunk_faults(site: Site, name: str, how: Trunk) -> Iterator[Fault]:
    """What keeps the site's Asterisk from using a trunk, of ivr.toml or of a command."""
    section = "trunk" if name == MAIN else f"trunks.{name}"
    kept = "trunk_secret" if name == MAIN else f"trunk_secrets.{name}"
    for key, (form, words) in _FORMS.items():
        if not re.fullmatch(form, str(getattr(how, key))):
            where = site.folder / "ivr.toml"
            yield Fault(what=f"{section}.{key} is not {words}.", where=where, mend=f"Write {words} there.")
    secret = trunk_secret(site, name)
    yield from secret_faults(site, kept, secret)
    if how.user and not secret:
        mend = f"Write the operator's password there, or leave {section}.user empty."
        what = f"{section}.user is set, but {kept} is empty."
        yield Fault(what=what, where=site.folder / "secrets.toml", mend=mend)


def secret_faults(site: Site, name: str, secret: str) -> Iterator[Fault]:
    """What keeps Asterisk's files from carrying a secret."""
    if re.search(r"[\x00-\x1f\x7f;\\]", secret):
        what = f"{name} has a control character, semicolon or backslash, which Asterisk's files can't carry."
        yield Fault(what=what, where=site.folder / "secrets.toml", mend="Choose a secret without it.")
