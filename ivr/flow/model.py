"""What a call flow is: nodes, texts and keys. Data only; it checks nothing and reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from prompts.languages import Language

#: The keys of a telephone keypad.
KEYPAD = "0123456789*#"


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


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to do about silence, or about a wrong key: say something and ask again, then give up."""

    #: How many times the question is asked again.
    repeat: int = 2
    #: Said before the question is asked again.
    say: tuple[Say, ...] = ()
    #: Node to go to after the last repeat.
    then: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What one key of a menu leads to."""

    to: str
    #: The key is a follow-up question in the report's sense.
    follow_up: bool = False
    #: Variables set by the choice.
    set: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Play:
    """Speak, without listening for keys, and go on."""

    name: str
    line: int
    say: tuple[Say, ...]
    then: str


@dataclass(frozen=True, kw_only=True)
class Menu:
    """Speak and take one of the keys. A key may have several digits ("12")."""

    name: str
    line: int
    say: tuple[Say, ...]
    keys: Mapping[str, Choice]
    no_input: Policy
    invalid: Policy
    #: Said in place of `say` when the question is asked again; None: `say` itself.
    again: tuple[Say, ...] | None = None
    #: Keys interrupt the speech.
    barge_in: bool = True
    #: Seconds of silence after the speech before `no_input`.
    first_key_s: float = 5.0
    #: Longest gap between two digits of one key.
    between_keys_s: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Gather:
    """Speak and take several digits into a variable."""

    name: str
    line: int
    say: tuple[Say, ...]
    into: str
    then: str
    no_input: Policy
    invalid: Policy
    #: Said in place of `say` when the question is asked again; None: `say` itself.
    again: tuple[Say, ...] | None = None
    min_digits: int = 1
    max_digits: int = 20
    #: Ends the input early; not part of it. None: only length or the time-out ends it.
    terminator: str | None = "#"
    barge_in: bool = True
    first_key_s: float = 5.0
    between_keys_s: float = 3.0


@dataclass(frozen=True, kw_only=True)
class LanguageChoice:
    """Speak in every language and take the caller's; silence or a wrong key keeps the present one."""

    name: str
    line: int
    say: tuple[Say, ...]
    keys: Mapping[str, Language]
    then: str
    first_key_s: float = 5.0


@dataclass(frozen=True, kw_only=True)
class Goto:
    name: str
    line: int
    to: str


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Go on by the value of a variable; a missing variable is "", and `language` is the caller's language."""

    name: str
    line: int
    on: str
    cases: Mapping[str, str]
    otherwise: str


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Connect the caller to a destination that the site's settings name (`operator`)."""

    name: str
    line: int
    to: str
    say: tuple[Say, ...] = ()
    #: Where the call goes on when the destination does not answer.
    failed: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """Record something the caller asks for (`send_address`, `call_back`), then say so."""

    name: str
    line: int
    kind: str
    say: tuple[Say, ...]
    then: str


@dataclass(frozen=True, kw_only=True)
class OptOut:
    """Put the caller on the do-not-call list, say so, go on."""

    name: str
    line: int
    say: tuple[Say, ...]
    then: str


@dataclass(frozen=True, kw_only=True)
class HangUp:
    name: str
    line: int
    say: tuple[Say, ...] = ()


Node = Play | Menu | Gather | LanguageChoice | Goto | Branch | Transfer | Request | OptOut | HangUp


@dataclass(frozen=True, kw_only=True)
class Flow:
    name: str
    kind: Literal["hotline", "promo"]
    start: str
    nodes: Mapping[str, Node]
    languages: tuple[Language, ...]
    #: promo: text key of the message that the campaign is about; "listened to the end" means this one.
    main_message: str | None = None
    #: Variables that a call brings (name -> example value, used by checks and the terminal walk).
    variables: Mapping[str, str] = field(default_factory=dict)
