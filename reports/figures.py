"""What a report says: data only. Every count is of persons (a lead is a person) unless its name says attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from reports.rate import Rate

#: States of a campaign in which its figures can still change.
OPEN_STATES = frozenset({"importing", "ready", "running", "paused"})

#: Stands for the outcome of an attempt that is still in flight.
IN_FLIGHT = "in_flight"

#: Stands for a key of more than three digits: something that was typed in, perhaps a number of somebody's own.
TYPED_IN = "…"

#: Width of a step of `Report.follow_up_after`, in seconds.
AFTER_STEP_S = 10


@dataclass(frozen=True, kw_only=True)
class KeyFigure:
    """One key of one node."""

    node: str
    #: The key, or TYPED_IN.
    key: str
    follow_up: bool
    presses: int
    #: Who pressed it, of the reached.
    persons: Rate


@dataclass(frozen=True, kw_only=True)
class DepthFigure:
    """Follow-up keys with so many keys before them on the same call. A person may be in several."""

    depth: int
    persons: Rate


@dataclass(frozen=True, kw_only=True)
class AfterFigure:
    """Persons whose first follow-up key came so long after the answer."""

    #: Start of a step of AFTER_STEP_S seconds.
    from_s: int
    persons: Rate


@dataclass(frozen=True, kw_only=True)
class RequestFigure:
    kind: str
    requests: int
    #: Who asked for it, of the reached.
    persons: Rate


@dataclass(frozen=True, kw_only=True)
class NumberFigure:
    """The n-th attempt."""

    number: int
    #: Persons with exactly so many attempts that reached the network.
    persons: int
    #: Persons whose first human answer came with attempt number `number`.
    reached: int


@dataclass(frozen=True, kw_only=True)
class TimeFigure:
    """An hour of the day, or a date, in the tenant's time zone."""

    #: Attempts dialled then, and those of them that a human answered.
    attempts_answered: Rate
    #: Persons whose first human answer was dialled then; of them, who listened to the end and who asked a follow-up.
    reached: int
    listened: int
    follow_up: int


@dataclass(frozen=True, kw_only=True)
class Report:
    # ------------------------------------------------------------ which campaign, and when
    tenant: str
    campaign: str
    flow: str
    #: That the campaign was made with, and all its people hear; None: a release before versions made it.
    version: int | None
    #: ready, running, paused, stopped, finished
    state: str
    #: IANA name; `hours` and `dates` are in it.
    timezone: str
    #: The moment that all figures are of, UTC ms.
    as_of_ms: int
    #: No attempt is in flight and none will follow by itself.
    final: bool
    #: First and last dial, UTC ms; None: nobody was dialled.
    first_dial_ms: int | None
    last_dial_ms: int | None

    # ------------------------------------------------------------ whom
    #: Rows of the contacts file; each is in the audience or in `excluded`.
    rows: int
    audience: int
    #: Reason -> rows that never became a lead, or leads excluded before anything was dialled.
    excluded: Mapping[str, int]
    #: Reason -> leads of the audience that were excluded after an earlier attempt.
    excluded_later: Mapping[str, int]
    #: Of the audience: an attempt reached the network.
    dialled: Rate
    #: Of the dialled: a human answered.
    reached: Rate
    #: Of the dialled: a machine answered, and never a human.
    machine: Rate
    #: Of the audience: the outcome of an attempt could not be learned, and no human answered another one.
    unknown: Rate

    # ------------------------------------------------------------ what they heard; all of the reached
    listened: Rate
    #: Not to the end: a key stopped the main message; or nothing but a hang-up did; or no record says that it began.
    key_before_end: Rate
    left_before_end: Rate
    not_begun: Rate
    #: 25, 50, 75, 100 % of the message as long as it was for that person; the last equals `listened`.
    quartiles: tuple[Rate, Rate, Rate, Rate]
    #: Item t: still listening t seconds into the main message; up to its longest version. Item 0: it began.
    retention: tuple[Rate, ...]
    #: The longest version of the main message, ms; 0: nobody heard it.
    message_ms: int

    # ------------------------------------------------------------ what they did; all of the reached
    follow_up: Rate
    opted_out: Rate
    transferred: Rate
    #: A key that leads nowhere.
    invalid_key: Rate
    keys: tuple[KeyFigure, ...]
    depths: tuple[DepthFigure, ...]
    follow_up_after: tuple[AfterFigure, ...]
    requests: tuple[RequestFigure, ...]
    #: Persons with a key, an opt-out, a transfer or a request on a call that does not count as answered by a human.
    active_elsewhere: int
    #: Calls of which the journal could not keep everything: the figures of listening and keys may be too low by them.
    incomplete_calls: int
    #: Persons whose opt-out could not be kept, and who are not on the do-not-call list.
    opt_outs_not_kept: int

    # ------------------------------------------------------------ how the dialling went
    #: Every attempt, those that never reached the network included.
    attempts: int
    attempts_dialled: int
    #: Outcome -> attempts; IN_FLIGHT included; sums to `attempts`.
    attempt_outcomes: Mapping[str, int]
    #: Outcome -> dialled persons: human if any attempt was, else machine, else the last settled one. Sums to `dialled`.
    person_outcomes: Mapping[str, int]
    numbers: tuple[NumberFigure, ...]
    #: Hour of the day 0..23 and date -> figures; only those with an attempt.
    hours: Mapping[int, TimeFigure]
    dates: Mapping[date, TimeFigure]

    #: Calls before this moment, UTC ms, are kept no longer; the figures are as they were counted while they were.
    removed_before_ms: int | None = None
