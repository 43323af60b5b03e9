"""Read what Asterisk itself wrote of each call: its CDR and, for the cause of the hang-up, its CEL.

The columns are those of asterisk-conf/site/cdr_custom.conf.j2 and cel_custom.conf.j2. A file that was put aside since
(ivr.asterisk.rotation) is read too, when the present one does not have all.
"""

from __future__ import annotations

import contextlib
import csv
import json
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path

from outbound.plan.recovery import Record


class Records:
    """The records of some channels. Files are read on from where the last reading ended."""

    def __init__(self, log_folder: Path, uniqueids: Set[str]) -> None:
        self._cdr = log_folder / "cdr-custom" / "ivr.csv"
        self._cel = log_folder / "cel-custom" / "ivr.csv"
        self._wanted = uniqueids
        self._read_to: dict[bytes, int] = {}
        self._found: dict[str, Record] = {}
        self._causes: dict[str, int] = {}

    def read(self) -> dict[str, Record]:
        """What is known by now, by Uniqueid. A missing file is an empty one; a line half written waits."""
        for cells in self._new_rows(self._cdr, 7, self._found):
            try:
                record = Record(
                    disposition=cells[6],
                    started_at_ms=_ms(cells[3]),
                    answered_at_ms=_ms(cells[4]) if float(cells[4] or 0) else None,
                    ended_at_ms=_ms(cells[5]),
                    amd=cells[8] if len(cells) > 8 else "",
                    fallback=cells[9] == "1" if len(cells) > 9 else False,
                )
            except ValueError:
                continue
            # A channel may have several records; one of them is enough to have been answered.
            if cells[0] not in self._found or record.answered_at_ms is not None:
                self._found[cells[0]] = record
        # After the records: a cause that was written with one of them is there.
        for cells in self._new_rows(self._cel, 3, self._causes):
            try:
                self._causes[cells[0]] = int(json.loads(cells[2])["hangupcause"])
            except (ValueError, KeyError, TypeError):
                continue
        return {uniqueid: replace(record, cause=self._causes.get(uniqueid)) for uniqueid, record in self._found.items()}

    def _new_rows(self, path: Path, columns: int, found: Collection[str]) -> Iterator[list[str]]:
        yield from self._rows_of(path, columns)
        if not self._wanted <= set(found):
            yield from self._rows_of(path.with_name(f"{path.name}.1"), columns)

    def _rows_of(self, path: Path, columns: int) -> Iterator[list[str]]:
        try:
            with path.open("rb") as file:
                # A file that is put aside keeps its first line; an inode may be another file's by then.
                first = file.readline()
                file.seek(self._read_to.get(first, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._read_to[first] = self._read_to.get(first, 0) + len(line)
                    # Parsed only when it is one of ours: the file holds every call of the site.
                    uniqueid = line.partition(b",")[0].strip(b'"').decode("ascii", "replace")
                    if uniqueid in self._wanted:
                        cells = next(csv.reader([line.decode("utf-8", "replace")]), [])
                        if len(cells) >= columns:
                            yield cells
        except FileNotFoundError:
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A channel of which there is a record (UTC, ms); None: the record does not say."""

    started_at_ms: int
    answered_at_ms: int | None = None
    ended_at_ms: int | None = None


def everything(log_folder: Path) -> dict[str, Seen]:
    """Every channel in the records of `log_folder`, by Uniqueid. Raises OSError; a missing file is an empty one."""
    found: dict[str, Seen] = {}
    # Of a channel that has several, the last counts: the CDR, which says most.
    for folder, columns in (("cel-custom", 3), ("cdr-custom", 7)):
        for name in ("ivr.csv.1", "ivr.csv"):
            for cells in _rows(log_folder / folder / name, columns):
                with contextlib.suppress(ValueError):
                    if columns == 3:
                        found.setdefault(cells[0], Seen(started_at_ms=_ms(cells[1])))
                        continue
                    found[cells[0]] = Seen(
                        started_at_ms=_ms(cells[3]),
                        answered_at_ms=_ms(cells[4]) if float(cells[4] or 0) else None,
                        ended_at_ms=_ms(cells[5]),
                    )
    return found


def _rows(path: Path, columns: int) -> Iterator[list[str]]:
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            # A NUL is what a power cut leaves.
            yield from (cells for cells in csv.reader(line.replace("\0", "") for line in file) if len(cells) >= columns)
    except FileNotFoundError:
        return


def _ms(epoch_s: str) -> int:
    return round(float(epoch_s) * 1000)
