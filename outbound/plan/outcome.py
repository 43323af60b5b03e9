"""Decide what became of an attempt. Reads no clock, no database.

Facts measured on Asterisk 22.10.1 with PJSIP: OriginateResponse says Reason 4 for answered and 3 for no answer; busy,
congestion, rejected and unallocated all come as 0, and only the Hangup event after it tells them apart by Cause and
TechCause (the SIP status).
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of one attempt. The values are stored and exported."""

    HUMAN = "human"
    MACHINE = "machine"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    CONGESTION = "congestion"
    FAILED = "failed"
    #: The engine could not learn it. Shown, never hidden; not dialled again by itself.
    UNKNOWN = "unknown"
