"""What people are told of a database that was put back: by status, doctor and `ivr up` in the same words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from outbound.restored import Compared


def sentence(copy: Compared, zone: str) -> str:
    """What people should know of it before they let a campaign go on. `zone` is the site's time zone."""
    taken = datetime.fromtimestamp(copy.taken_at_ms / 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")
    said = f"The database was put back from the copy of {taken}"
    if not copy.done:
        return f"{said}; the next ivr up looks who was dialled since, before anybody is dialled."
    parts = [f"{copy.found} attempts made since are marked unknown, and those people are not dialled again"]
    if copy.strangers:
        parts.append(f"{copy.strangers} attempts were to people of campaigns that the copy does not have")
    if copy.unseen:
        parts.append(f"{copy.unseen} people may have been dialled since without a record that is left")
    return f"{said}: {'; '.join(parts)}."
