"""Decide by which trunk a number is dialled, and whether an attempt surely rang nobody. Reads no clock, no database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: SIP statuses by which a trunk says that it took no call: it does not know us, it is broken, it is full. Others are of
#: the number, or a phone may have rung: an attempt is never made a second time in doubt.
_NOT_TAKEN = frozenset({401, 407, 500, 503})
#: What Asterisk says of a phone that nobody picked up, and of a trunk that never answered.
_NO_ANSWER = 480
#: A trunk that took no call is passed over for so long; twice as long each further time.
_PASSED_OVER_FIRST_S, _PASSED_OVER_MOST_S = 5.0, 300.0
#: Calls are looked for again after so long where every trunk is taken, and where none carries the number.
_FULL_AGAIN_S, _NONE_AGAIN_S = 1.0, 60.0


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A trunk that carries the number. Monotonic seconds."""

    name: str
    #: Calls for which it has a channel, and which may leave in the next moments.
    room: int
    passed_over_until_s: float = 0.0
    #: Asterisk asks it now and again, and it does not answer; or it was not asked.
    silent: bool = False


@dataclass(frozen=True, kw_only=True)
class By:
    name: str


@dataclass(frozen=True, kw_only=True)
class NotNow:
    """None is dialled by; `again_s` later there may be one."""

    again_s: float
    #: None carries the number.
    none_carries: bool = False


def choose(carriers: Sequence[Carrier], *, now_s: float) -> By | NotNow:
    """By which of those that carry a number, the best one first, it is dialled.

    The only one is never passed over: what becomes of its calls is told by its answers. Who is silent comes last, for
    some peers never answer but to calls.
    """
    if not carriers:
        return NotNow(again_s=_NONE_AGAIN_S, none_carries=True)
    several = len(carriers) > 1
    able = [each for each in carriers if not several or each.passed_over_until_s <= now_s]
    if not able:
        return NotNow(again_s=min(each.passed_over_until_s for each in carriers) - now_s)
    # One that is full does not send its calls to a silent one.
    willing = [each for each in able if not each.silent] or able
    free = next((each for each in willing if each.room > 0), None)
    return NotNow(again_s=_FULL_AGAIN_S) if free is None else By(name=free.name)


def passed_over_s(times: int) -> float:
    """How long a trunk is passed over that took no call so many times in succession."""
    return min(_PASSED_OVER_FIRST_S * 2.0 ** min(times - 1, 16), _PASSED_OVER_MOST_S)


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What was seen of an attempt that nobody answered."""

    #: Ringing, or a sound before the answer, was told of.
    rang: bool
    #: Asterisk could make no channel for it at all.
    no_channel: bool
    sip_status: int | None
    #: The trunk answers nothing that Asterisk asks it.
    silent: bool


def not_taken(signs: Signs) -> bool:
    """Whether the trunk surely took no call, so that nobody's phone rang."""
    if signs.rang:
        return False
    return signs.no_channel or signs.sip_status in _NOT_TAKEN or (signs.sip_status == _NO_ANSWER and signs.silent)
