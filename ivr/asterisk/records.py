"""What Asterisk itself wrote about each call: CDR (answered or not, when) and CEL (the cause of the hang-up).

Two files, log/cdr-custom/ivr.csv and log/cel-custom/ivr.csv, as asterisk-conf/site/cdr_custom.conf.j2 and
cel_custom.conf.j2 lay them out. Attempts are settled from them when their events were lost.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from ivr.asterisk.running import Home, Running


@dataclass(frozen=True, kw_only=True)
class CallRecord:
    #: The attempt's id, for calls that we dialled.
    uniqueid: str
    channel: str
    dialled: str
    started_at_ms: int
    #: None: never answered.
    answered_at_ms: int | None
    ended_at_ms: int
    #: ANSWERED, NO ANSWER, BUSY, CONGESTION or FAILED.
    disposition: str
    #: Q.850 cause of the hang-up, such as 17 for busy; None when Asterisk noted none.
    cause: int | None


def read_records(home: Home, wanted: Collection[str] | None = None) -> dict[str, CallRecord]:
    """Uniqueid -> what Asterisk wrote about the call, of those `wanted` (None: all). A torn line is left out.

    A call with several records, as after a transfer, keeps its first: the subscriber's own leg.
    """
    causes: dict[str, int] = {}
    for row in _rows(home.log / "cel-custom" / "ivr.csv", 3):
        if wanted is None or row[0] in wanted:
            cause = _cause(row[2])
            if cause is not None:
                causes[row[0]] = cause
    records: dict[str, CallRecord] = {}
    for row in _rows(home.log / "cdr-custom" / "ivr.csv", 8):
        uniqueid, channel, dialled, started, answered, ended, disposition, _ = row
        if (wanted is None or uniqueid in wanted) and uniqueid not in records:
            try:
                records[uniqueid] = CallRecord(
                    uniqueid=uniqueid,
                    channel=channel,
                    dialled=dialled,
                    started_at_ms=_ms(started) or 0,
                    answered_at_ms=_ms(answered),
                    ended_at_ms=_ms(ended) or 0,
                    disposition=disposition,
                    cause=causes.get(uniqueid),
                )
            except ValueError:
                continue
    return records


async def rotate(running: Running, *, max_bytes: int = 50_000_000) -> None:
    """Put aside the log and the records when they are larger than `max_bytes`; of the records one old file is kept."""
    if _size(running.home.messages) > max_bytes:
        await running.command("logger rotate")
    for name in ("cdr-custom", "cel-custom"):
        path = running.home.log / name / "ivr.csv"
        if _size(path) > max_bytes:
            # Asterisk opens the file for each line, so none is lost.
            path.replace(path.with_name("ivr.csv.1"))


def _rows(path: Path, columns: int) -> Iterator[list[str]]:
    for part in (path.with_name(path.name + ".1"), path):
        try:
            with part.open(encoding="utf-8", errors="replace", newline="") as lines:
                yield from (row for row in csv.reader(lines) if len(row) == columns)
        except FileNotFoundError:
            continue


def _cause(extra: str) -> int | None:
    try:
        return int(json.loads(extra)["hangupcause"])
    except (ValueError, KeyError, TypeError):
        return None


def _ms(seconds: str) -> int | None:
    """Epoch seconds as Asterisk writes them, in milliseconds; None for "" and 0."""
    return round(float(seconds) * 1000) or None if seconds else None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
