"""The list of people who are never dialled: the opt-out key feeds it, and so does the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import delete, select, tuple_

from faults import AuthorError, Fault, UserError
from people.numbers import Unreadable, read_callable, read_phone
from people.store.dialect import upsert
from people.store.scope import Scope
from people.store.tables import do_not_call
from prompts.files import open_file, read_lines

#: A first line without so many digits together is a header.
_DIGITS = re.compile(r"\d{3}")
#: A longer line is no number.
MAX_LINE = 64 * 1024
#: Of entries.
PAGE = 1000

Source = Literal["call", "import", "command"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    phone: str
    since_ms: int
    source: Source


@dataclass(frozen=True, kw_only=True)
class Added:
    added: int
    #: How many different numbers were on the list already.
    there: int


@dataclass(frozen=True, kw_only=True)
class Imported:
    added: int
    #: Line and reason of what is no number.
    refused: tuple[tuple[int, str], ...]


def parse_phone(text: str, *, region: str) -> str:
    """The E.164 form of a number typed by a person. Raises UserError."""
    phone = read_phone(text, region=region)
    if isinstance(phone, Unreadable):
        raise UserError(Fault(what=f"{text!r} is no phone number: {phone.why}.", mend="Write it as +79161234567."))
    return phone


async def add(scope: Scope, *, phones: list[str], source: Source, now_ms: int) -> int:
    """How many of `phones` (E.164) were not on the list yet."""
    if not phones:
        return 0
    rows = [{"tenant": scope.tenant, "phone": p, "since_ms": now_ms, "source": source} for p in dict.fromkeys(phones)]
    async with scope.begin() as connection:
        statement = upsert(do_not_call, connection.dialect.name).on_conflict_do_nothing().returning(do_not_call.c.phone)
        return len((await connection.execute(statement, rows)).all())


async def add_written(scope: Scope, numbers: Iterable[str], *, region: str, now_ms: int) -> Added:
    """Add numbers as people write them: all, or none and UserError when one is no number."""
    phones = list(dict.fromkeys(parse_phone(number, region=region) for number in numbers))
    added = await add(scope, phones=phones, source="command", now_ms=now_ms)
    return Added(added=added, there=len(phones) - added)


async def remove_written(scope: Scope, number: str, *, region: str) -> str:
    """The E.164 form of a number that is on the list no more. Raises UserError when it was not, or is no number."""
    phone = parse_phone(number, region=region)
    if not await remove(scope, phone=phone):
        raise UserError(Fault(what=f"{phone} is not on the list.", mend="See it with: ivr campaign do-not-call list."))
    return phone


async def remove(scope: Scope, *, phone: str) -> bool:
    """Whether `phone` was on the list."""
    async with scope.begin() as connection:
        gone = await connection.execute(
            delete(do_not_call).where(do_not_call.c.tenant == scope.tenant, do_not_call.c.phone == phone)
        )
    return gone.rowcount == 1


async def entries(scope: Scope, *, after: Entry | None = None, at_most: int = PAGE) -> list[Entry]:
    """The newest `at_most` of the list, or of what follows `after`, the newest first. Fewer: there are no more.

    Whoever is added meanwhile moves nothing: each page begins where the one before ended.
    """
    key = (do_not_call.c.since_ms, do_not_call.c.phone)
    rows = (
        select(do_not_call)
        .where(do_not_call.c.tenant == scope.tenant)
        .order_by(*(column.desc() for column in key))
        .limit(at_most)
    )
    if after is not None:
        rows = rows.where(tuple_(*key) < (after.since_ms, after.phone))
    async with scope.begin() as connection:
        return [
            Entry(phone=row.phone, since_ms=row.since_ms, source=row.source) for row in await connection.execute(rows)
        ]


async def import_file(scope: Scope, path: Path, *, region: str, now_ms: int) -> Imported:
    """Add the number that begins each line of `path`; a header and empty lines are passed over."""
    added, batch = 0, list[str]()
    refused: list[tuple[int, str]] = []
    for number, cell in _first_cells(path):
        phone = read_callable(cell, region=region)
        if isinstance(phone, Unreadable):
            if number > 1 or _DIGITS.search(cell):
                refused.append((number, phone.why))
            continue
        batch.append(phone)
        if len(batch) == 500:
            added += await add(scope, phones=batch, source="import", now_ms=now_ms)
            batch.clear()
    added += await add(scope, phones=batch, source="import", now_ms=now_ms)
    return Imported(added=added, refused=tuple(refused))


def _first_cells(path: Path) -> Iterator[tuple[int, str]]:
    # Digits are the same in every encoding that such files come in, but UTF-16.
    try:
        with open_file(path) as raw:
            encoding = "utf-16" if raw.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        for number, line in read_lines(path, encoding, longest=MAX_LINE):
            if line is None:
                yield number, "a line that is too long"
            # A letter of another code page is no digit: a no-break space, a dash.
            elif cell := re.split(r"[,;\t]", line.replace("\ufffd", " "), maxsplit=1)[0].strip().strip('"'):
                yield number, cell
    except OSError as error:
        fault = Fault(what=f"The file can't be read: {error.strerror}.", where=path, mend="Give one number per line.")
        raise AuthorError(fault) from error
