"""What to do about silence, or about a wrong key. Data only."""

from __future__ import annotations

from dataclasses import dataclass

from ivr.flow.say import Say


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What to do about silence, or about a wrong key: say something and ask again, then give up."""

    #: How many times the question is asked again.
    repeat: int = 2
    #: Said before the question is asked again.
    say: tuple[Say, ...] = ()
    #: Node to go to after the last repeat.
    then: str
