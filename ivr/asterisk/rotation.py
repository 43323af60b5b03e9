"""Keep the log and the call records of an Asterisk from growing for ever."""

from __future__ import annotations

from pathlib import Path

from ivr.asterisk.running import Running


async def rotate(running: Running, *, max_bytes: int = 50_000_000) -> None:
    """Put aside each file that is larger than `max_bytes`: the log as messages.log.0, …, of the records one old file.

    Lost attempts are looked for in both.
    """
    if _size(running.home.messages) > max_bytes:
        await running.command("logger rotate")
    for name in ("cdr-custom", "cel-custom"):
        path = running.home.log / name / "ivr.csv"
        if _size(path) > max_bytes:
            # Asterisk opens the file for each line, so none is lost.
            path.replace(path.with_name("ivr.csv.1"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
