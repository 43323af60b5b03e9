"""The words of a report in one language, and numbers, shares and dates as that language writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from prompts.languages import Language
from reports.rate import Rate

_TEXTS = Path(__file__).parent / "texts"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

NO_BREAK = "\u00a0"
DASH = "—"


@cache
def table(language: Language) -> Mapping[str, str]:
    """Key -> text, the nested keys of the YAML file joined by dots."""
    return dict(_flat(yaml.safe_load((_TEXTS / f"{language}.yaml").read_text("utf-8"))))


def _flat(tree: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    return [
        pair
        for key, value in tree.items()
        for pair in (_flat(value, f"{before}{key}.") if isinstance(value, dict) else [(before + key, value)])
    ]


class Words:
    """Says things in one language. Raises KeyError for a key that the table does not have."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._table = table(language)
        self._english = language == "en"

    def __call__(self, key: str, **values: str) -> str:
        text = self._table[key]
        return text.format(**values) if values else text

    def named(self, group: str, name: str) -> str:
        """The name of a stored value (an outcome, a reason, a request), or the value itself when it has none."""
        return self._table.get(f"{group}.{name}", name)

    def count(self, number: int) -> str:
        return f"{number:,}" if self._english else f"{number:,}".replace(",", NO_BREAK)

    def whole_percent(self, share: float) -> str:
        """ "25 %": a round share, as on an axis."""
        return f"{share:.0%}" if self._english else f"{share * 100:.0f}{NO_BREAK}%"

    def percent(self, share: float | None, *, sign: bool = True) -> str:
        """One decimal; never 0 for somebody nor 100 for not quite all; a dash for None."""
        if share is None:
            return DASH
        if share in (0, 1):
            text = f"{share:.0%}"
        elif share < 0.0005:
            text = "<0.1%"
        elif share > 0.9995:
            text = ">99.9%"
        else:
            text = f"{share:.1%}"
        text = text.removesuffix("%")
        if self._english:
            return f"{text}%" if sign else text
        return text.replace(".", ",") + (f"{NO_BREAK}%" if sign else "")

    def share(self, rate: Rate) -> str:
        return self.percent(rate.share)

    def interval(self, rate: Rate) -> str:
        """ "10,5–14,7 %", or a dash."""
        if rate.interval is None:
            return DASH
        low, high = rate.interval
        return f"{self.percent(low, sign=False)}–{self.percent(high)}"

    def of(self, rate: Rate) -> str:
        """ "120 из 960" """
        return self("of", part=self.count(rate.part), whole=self.count(rate.whole))

    def date(self, day: date) -> str:
        if self._english:
            return f"{day.day}{NO_BREAK}{_MONTHS[day.month - 1]}{NO_BREAK}{day.year}"
        return f"{day:%d.%m.%Y}"

    def moment(self, at_ms: int, zone: ZoneInfo) -> str:
        """Date and time to the minute, in `zone`."""
        local = datetime.fromtimestamp(at_ms / 1000, zone)
        return f"{self.date(local.date())}{NO_BREAK}{local:%H:%M}"
