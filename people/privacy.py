"""Keep subscribers' numbers out of logs. Pure."""

from __future__ import annotations


def mask_phone(phone: str) -> str:
    """The number with its middle hidden: "+79161234567" -> "+7916***4567". A short number is hidden wholly."""
    if len(phone) < 10:
        return "***" if phone else ""
    return f"{phone[:-7]}***{phone[-4:]}"
