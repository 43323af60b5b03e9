"""Decide whether a lead is dialled now: yes, not before some moment, or never. Reads no clock, no database.

The one place that knows the rules: whoever dials, forecasts or explains asks here and is told the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from outbound.plan.retry import Retry


class Because(StrEnum):
    """Why a lead is dialled or not; the first that holds, in the order in which they stand here."""

    #: The campaign is stopped or finished.
    OVER = "over"
    DO_NOT_CALL = "do_not_call"
    #: All that was known of the person was taken away.
    FORGOTTEN = "forgotten"
    #: Nothing is to be tried any more: the outcome is final, or every attempt is spent.
    ATTEMPTS = "attempts"
    #: An attempt is under way.
    IN_CALL = "in_call"
    #: The campaign is not started, or paused.
    NOT_RUNNING = "not_running"
    #: People have asked not to be called, and the list does not have them yet: nobody is dialled until it does.
    OPT_OUTS_WAITING = "opt_outs_waiting"
    #: The last attempt was not long enough ago.
    RETRY_WAIT = "retry_wait"
    #: No trunk carries the number.
    NO_TRUNK = "no_trunk"
    #: Asterisk is not reached, or does not answer.
    NO_LINK = "no_link"
    #: Every channel of the campaign, or of the trunk, is taken.
    CHANNELS = "channels"
    #: As many calls as allowed were started in this second.
    PACE = "pace"
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Lead:
    """A person in a campaign, as the row has it."""

    #: waiting, dialling, done, excluded
    state: str
    attempts: int = 0
    #: Of `attempts`, those that do not count.
    spared: int = 0
    #: Not before this moment (UTC, ms); asked only when there was an attempt.
    due_at_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Person:
    #: By whichever of the person's numbers.
    do_not_call: bool = False
    forgotten: bool = False


@dataclass(frozen=True, kw_only=True)
class CampaignRules:
    #: As the row has it; a state that is not known is not running.
    state: str
    retry: Retry


@dataclass(frozen=True, kw_only=True)
class Caps:
    """What there is room for now. The defaults are for who can't know: a command beside the engine."""

    #: Whether a trunk carries the number.
    carried: bool = True
    #: Channels that are free, of the campaign and of the trunk.
    campaign_channels: int = 1
    trunk_channels: int = 1
    #: The next call of the campaign, and of the trunk, may leave then (UTC, ms).
    campaign_next_ms: int = 0
    trunk_next_ms: int = 0
    link: bool = True
    opt_outs_waiting: bool = False


@dataclass(frozen=True, kw_only=True)
class Dial:
    because: Because = Because.OK


@dataclass(frozen=True, kw_only=True)
class WaitUntil:
    """Not now."""

    #: All else equal, the first moment (UTC, ms) at which it is dialled; None: no waiting alone mends it.
    at_ms: int | None
    because: Because


@dataclass(frozen=True, kw_only=True)
class LeaveOut:
    """Never in this campaign."""

    because: Because


Decision = Dial | WaitUntil | LeaveOut


_TIME_MENDS = frozenset({Because.RETRY_WAIT, Because.PACE})


def decide(now_ms: int, lead: Lead, person: Person, rules: CampaignRules, caps: Caps) -> Decision:
    """Whether `lead` is dialled at `now_ms` (UTC)."""
    if rules.state in ("stopped", "finished"):
        return LeaveOut(because=Because.OVER)
    if person.do_not_call or lead.state == "excluded":
        return LeaveOut(because=Because.DO_NOT_CALL)
    if person.forgotten:
        return LeaveOut(because=Because.FORGOTTEN)
    if lead.state == "done" or (lead.state == "waiting" and lead.attempts - lead.spared >= rules.retry.max_attempts):
        return LeaveOut(because=Because.ATTEMPTS)
    due_ms = _due_ms(now_ms, lead, rules.retry)
    first_ms = max(due_ms, caps.campaign_next_ms, caps.trunk_next_ms)
    against = [
        because
        for because, holds in (
            (Because.IN_CALL, lead.state != "waiting"),
            (Because.NOT_RUNNING, rules.state != "running"),
            (Because.OPT_OUTS_WAITING, caps.opt_outs_waiting),
            (Because.RETRY_WAIT, due_ms > now_ms),
            (Because.NO_TRUNK, not caps.carried),
            (Because.NO_LINK, not caps.link),
            (Because.CHANNELS, min(caps.campaign_channels, caps.trunk_channels) < 1),
            (Because.PACE, max(caps.campaign_next_ms, caps.trunk_next_ms) > now_ms),
        )
        if holds
    ]
    if not against:
        return Dial()
    return WaitUntil(at_ms=first_ms if _TIME_MENDS.issuperset(against) else None, because=against[0])


def _due_ms(now_ms: int, lead: Lead, retry: Retry) -> int:
    """When the lead has rested enough. Farther off than a rest can be, the clock was put back since it was written."""
    if lead.attempts == 0:
        return now_ms
    return min(lead.due_at_ms, now_ms + retry.longest_rest_s * 1000)
