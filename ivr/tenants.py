"""The tenants that an engine serves, and whose a dialled number is: all in memory, so that a call asks nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ivr.settings import Settings
from ivr.versions.loaded import Versions
from people.hotline_numbers import ANY, Meaning
from people.numbers import normal_form


@dataclass(kw_only=True)
class Served:
    """A tenant, as this machine serves it."""

    #: The machine's with the tenant's own.
    settings: Settings
    versions: Versions

    @property
    def name(self) -> str:
        return self.settings.tenant


@dataclass(kw_only=True)
class Tenants:
    """Whoever keeps it up to date (app.service.tenants) changes it between calls."""

    #: The site's own, in whose voice is said what is of no tenant.
    own: Served
    #: Dialled number, as `normal_form` writes it -> whose it is.
    numbers: Mapping[str, Meaning]
    others: dict[str, Served] = field(default_factory=dict)

    @property
    def all(self) -> tuple[Served, ...]:
        """The site's own first."""
        return self.own, *self.others.values()

    def get(self, name: str) -> Served | None:
        return self.own if name == self.own.name else self.others.get(name)

    def meaning(self, dialled: str) -> Meaning | None:
        """Whose that number is, and which flow answers it; None: it is nobody's."""
        number = normal_form(dialled, self.own.settings.region)
        return self.numbers.get(number) or self.numbers.get(ANY)

    def whose(self, dialled: str) -> str:
        """The tenant of that number; the site's own where nobody has it."""
        found = self.meaning(dialled)
        return self.own.name if found is None else found.tenant

    def has(self, tenant: str, version: int | None) -> bool:
        """Whether a call of that tenant's version need not wait."""
        served = self.get(tenant)
        return served is not None and served.versions.has(version)


def alone(settings: Settings, versions: Versions) -> Tenants:
    """A site's own tenant and nobody else, with the numbers of its ivr.toml."""
    region, whose = settings.region, settings.tenant
    numbers = {normal_form(each, region): Meaning(whose, flow) for each, flow in settings.hotline.numbers.items()}
    return Tenants(own=Served(settings=settings, versions=versions), numbers=numbers)
