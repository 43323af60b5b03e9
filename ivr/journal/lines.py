"""A line of the journal: its JSON, what of it can be stored, and what is said of lines that were lost. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from enum import Enum
from typing import Any, Literal, NamedTuple, get_args

import orjson

from people.store.group_commit import Row

#: In the order in which a group is written.
Kind = Literal["begun", "notes", "ended", "opt_outs", "requests", "losses"]
KINDS: tuple[Kind, ...] = get_args(Kind)

#: Losses are kept for so many calls and kinds; a machine that loses more has said so often enough.
_LOSSES_MAX = 100_000


class Fate(Enum):
    """What became of a line that somebody waits for."""

    COMMITTED = "committed"
    #: The database can't take it now; it stays with the journal.
    NOT_NOW = "not now"
    #: The database will never take it.
    REFUSED = "refused"


class Whose(NamedTuple):
    """The call that a line is about."""

    call_id: str
    tenant: str
    attempt_id: str | None


class Line(NamedTuple):
    kind: Kind
    #: The table's columns.
    row: Row
    whose: Whose
    #: For whoever waits for it.
    fate: Future[Fate] | None = None


def by_kind(lines: Iterable[Line]) -> dict[str, list[Row]]:
    """The rows of `lines` as a group is written, each kind in the order of the lines."""
    rows: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    for line in lines:
        rows[line.kind].append(line.row)
    return rows


def storable(line: Line) -> Line:
    """`line` with U+FFFD for whatever no database and no file takes: NUL and lone surrogates."""
    for value in line.row.values():
        # Nearly always text is ASCII; of the rest, cleaning changes what must be changed.
        if isinstance(value, str):
            if value.isascii() and "\0" not in value:
                continue
        elif value is None or isinstance(value, int):
            continue
        return line._replace(row=_clean(line.row))
    return line


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")
    if isinstance(value, Mapping):
        return {_clean(name): _clean(item) for name, item in value.items()}
    return value


def to_json(line: Line) -> bytes:
    """One line of UTF-8, with its line end."""
    plain = {"kind": line.kind, "row": line.row, "whose": tuple(line.whose)}
    try:
        return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        pass
    # A lone surrogate, or a number that is too large for any database.
    plain["row"] = storable(line).row
    try:
        return f"{json.dumps(plain)}\n".encode()
    except (ValueError, TypeError):
        # No JSON has it, so no database has either; whoever reads the file must see that a line was here.
        return f"{json.dumps({**plain, 'row': {'unwritable': ascii(line.row)}})}\n".encode()


def from_json(data: bytes) -> Line:
    """The line that `to_json` or an earlier release wrote. Raises ValueError when it is none."""
    try:
        plain = json.loads(data)
        kind, row = plain["kind"], plain["row"]
        if kind not in KINDS or not isinstance(row, dict):
            raise ValueError(f"no line of the journal: {kind!r}")
        if kind in ("begun", "ended"):
            # Releases before the tables 0008 do not say it.
            row.setdefault("version", None)
        whose = plain.get("whose") or (row.get("call_id", row.get("id")), row.get("tenant"), row.get("attempt_id"))
        call_id, tenant, attempt_id = whose
        its = Whose(str(call_id), str(tenant or ""), None if attempt_id is None else str(attempt_id))
        if kind == "notes":
            # Releases before 0007 did not write it.
            row.setdefault("tenant", tenant or None)
        return storable(Line(kind, row, its))
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"no line of the journal: {error}") from error


class Losses:
    """What was lost of each call, until the database has it. For one thread at a time."""

    def __init__(self) -> None:
        #: Lines lost so far, of a call and kind: the rows are cumulative, so that one may be written twice.
        self._counts: dict[tuple[str, Kind], int] = {}
        self._untold: dict[tuple[str, Kind], Line] = {}

    def __bool__(self) -> bool:
        return bool(self._untold)

    def add(self, lines: Iterable[Line], why: str, now_ms: int) -> None:
        for line in lines:
            if line.kind == "losses":
                # Not told yet, after all; what was added since counts more.
                self._untold.setdefault((line.whose.call_id, line.row["kind"]), line)
                continue
            key = (line.whose.call_id, line.kind)
            if len(self._untold) >= _LOSSES_MAX and key not in self._untold:
                continue
            count = self._counts[key] = self._counts.pop(key, 0) + 1
            if len(self._counts) > _LOSSES_MAX:
                del self._counts[next(iter(self._counts))]
            row = {
                "call_id": line.whose.call_id[:40],
                "kind": line.kind,
                "tenant": line.whose.tenant[:64],
                "attempt_id": line.whose.attempt_id and line.whose.attempt_id[:40],
                "lines": count,
                "at_ms": now_ms,
                "why": why[:200],
            }
            self._untold[key] = storable(Line("losses", row, line.whose))

    def take(self) -> list[Line]:
        """Everything since the last time."""
        lines, self._untold = list(self._untold.values()), {}
        return lines


def halves(lines: Sequence[Line]) -> tuple[Sequence[Line], Sequence[Line]]:
    """The first and the second half of two lines or more."""
    middle = len(lines) // 2
    return lines[:middle], lines[middle:]
