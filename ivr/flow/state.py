"""Where a call stands between two events. Data only, and its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from prompts.languages import LANGUAGES, Language


class Waiting(StrEnum):
    """What the call waits for. The values are stored."""

    #: Begun
    CALL = "call"
    #: Spoken
    SPEECH = "speech"
    #: KeyPressed or Silence
    KEY = "key"
    #: TransferEnded
    TRANSFER = "transfer"
    #: Nothing more: the call is over.
    NOTHING = "nothing"


class State(NamedTuple):
    """The state of one call; `State()` is a call not yet answered.

    A tuple, because a new one comes of every event: `_replace` costs a quarter of what a data class's replace() does.
    """

    waiting: Waiting = Waiting.CALL
    #: The node the call is in; "" before it begins.
    node: str = ""
    language: Language = "ru"
    variables: Mapping[str, str] = MappingProxyType({})
    #: Digits typed so far of a key or number that is not complete.
    typed: str = ""
    #: How often the caller was silent, and wrong, since the node was entered.
    no_inputs: int = 0
    invalids: int = 0
    #: In a language choice: how many languages have been spoken.
    tongues: int = 0
    #: Keys that led somewhere, on the whole call.
    depth: int = 0
    #: Steps that waited for an event, on the whole call.
    waits: int = 0
    #: The limit on steps was met and the goodbye is being said.
    leaving: bool = False

    def to_json(self) -> str:
        plain = {**self._asdict(), "variables": dict(self.variables)}
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> State:
        """The state that `to_json` wrote. Raises ValueError when `text` is something else."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.keys() != set(cls._fields):
            raise ValueError("this JSON is no state of a call")
        if data["language"] not in LANGUAGES:
            raise ValueError(f"{data['language']!r} is no language of the engine")
        return cls(**{**data, "waiting": Waiting(data["waiting"])})
