"""What Asterisk's answering machine detection (AMD) means for us. Pure."""

from __future__ import annotations


def is_machine(status: str, cause: str) -> bool:
    """Whether AMDSTATUS and AMDCAUSE say that an answering machine took the call.

    Somebody who picks up and waits in silence is a person: AMD calls that MACHINE with cause INITIALSILENCE-…, and
    a person hung up on is worse than a machine that hears the message.
    """
    return status == "MACHINE" and not cause.startswith("INITIALSILENCE")
