"""One text to speak. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prompts.languages import Language


@dataclass(frozen=True, kw_only=True)
class Say:
    """One text to speak. Its listening is measured and journalled on its own."""

    #: Key of a sentence in prompts/texts/{ru,uk,en}.yaml, such as `promo.offer`.
    text: str
    #: Constants of the flow for the text's variables, per language: {"address": {"ru": "ул. Мира, д. 5", ...}}.
    values: Mapping[str, Mapping[Language, str]] = field(default_factory=dict)

    def values_in(self, language: Language, variables: Mapping[str, str]) -> dict[str, str]:
        """What the text is filled with on a call: the flow's constants, which win over the call's variables."""
        own = {name: texts[language] for name, texts in self.values.items() if language in texts}
        return {**variables, **own}


#: Said when a call ends and nothing else is said, so that nobody is dropped in silence.
FAREWELL = Say(text="common.goodbye")
