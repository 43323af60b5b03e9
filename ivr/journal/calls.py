"""The lines of one call: what is known of it when it begins, each note, its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ivr.flow.steps import Note, NoteKind
from ivr.journal.lines import Line, Whose
from people.numbers import read_phone

if TYPE_CHECKING:
    from ivr.journal.journal import Journal


class Leg(NamedTuple):
    """What is known of a call when it begins: the columns of the table `call`."""

    id: str
    tenant: str
    direction: str
    attempt_id: str | None
    uniqueid: str
    phone: str
    dialled: str
    flow: str
    #: Whose flow it is; None: none was ever published.
    version: int | None
    language: str
    amd: str
    started_at_ms: int
    answered_at_ms: int | None

    def row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "tenant": self.tenant,
            "direction": self.direction,
            "attempt_id": self.attempt_id,
            "uniqueid": self.uniqueid[:64],
            "phone": self.phone[:32],
            "dialled": self.dialled[:32],
            "flow": self.flow[:64],
            "version": self.version,
            "language": self.language,
            "amd": self.amd[:64],
            "started_at_ms": self.started_at_ms,
            "answered_at_ms": self.answered_at_ms,
        }


class CallJournal:
    """The lines of one call."""

    __slots__ = ("_at_ms", "_journal", "_seq", "_whose", "leg")

    def __init__(self, journal: Journal, leg: Leg) -> None:
        self._journal = journal
        self._seq = 0
        self._at_ms = leg.started_at_ms if leg.answered_at_ms is None else leg.answered_at_ms
        self._whose = Whose(leg.id, leg.tenant, leg.attempt_id)
        self.leg = leg

    def begin(self) -> None:
        self._journal.write(Line("begun", self.leg.row(), self._whose))

    def note(self, note: Note, now_ms: int) -> None:
        """Keep `note`; an opt-out or a request is carried out in the same transaction. Never waits."""
        noted = self._noted(note, now_ms)
        if note.kind is NoteKind.REQUEST:
            self._journal.write(noted, self._request(note, now_ms))
        elif note.kind is NoteKind.OPT_OUT and self._listed_phone():
            self._journal.write(noted, self._opt_out(now_ms))
        else:
            self._journal.write(noted)

    async def opt_out(self, note: Note, now_ms: int) -> bool:
        """Keep the opt-out `note`; True when the number is on the disk, on the do-not-call list or on its way there.

        It takes the time of a commit as a rule, and a bounded one always. False was told as a loss.
        """
        noted, line = self._noted(note, now_ms), self._opt_out(now_ms)
        if self._listed_phone():
            return await self._journal.keep(line, noted)
        self._journal.write(noted)
        self._journal.lose(line, "no number to call is known")
        return False

    def _listed_phone(self) -> str:
        """The other party's number as the do-not-call list has it; "" when it is withheld, or no number to dial."""
        # What is E.164 already is read alike in every country.
        phone = read_phone(self.leg.phone, region="ZZ")
        return phone if isinstance(phone, str) and len(phone) <= 16 else ""

    def _opt_out(self, now_ms: int) -> Line:
        leg = self.leg
        row = {
            "tenant": leg.tenant,
            "phone": self._listed_phone(),
            "since_ms": now_ms,
            "source": "call",
            "call_id": leg.id,
        }
        return Line("opt_outs", row, self._whose)

    def _request(self, note: Note, now_ms: int) -> Line:
        row = {
            "tenant": self.leg.tenant,
            "kind": note.value[:32],
            "phone": self.leg.phone[:32],
            "call_id": self.leg.id,
            "variables": dict(note.variables),
            "asked_at_ms": now_ms,
        }
        return Line("requests", row, self._whose)

    def _noted(self, note: Note, now_ms: int) -> Line:
        heard = note.heard
        row = {
            "call_id": self.leg.id,
            "tenant": self.leg.tenant,
            "seq": self._seq,
            "at_ms": max(0, now_ms - self._at_ms),
            "kind": note.kind.value,
            "node": note.node[:100],
            "value": (note.value if heard is None else heard.text)[:200],
            "follow_up": note.follow_up,
            "depth": note.depth,
            "main": note.main,
            "heard_ms": None if heard is None else heard.heard_ms,
            "length_ms": None if heard is None else heard.length_ms,
            "ended": None if heard is None else heard.ended.value,
        }
        self._seq += 1
        return Line("notes", row, self._whose)

    def end(self, ended_by: str, language: str, now_ms: int) -> None:
        """The call is over. `ended_by` is one of the values of the table's column."""
        # The whole row once more: its first line may lie in the spill file.
        row = self.leg.row()
        row["ended_by"], row["language"], row["ended_at_ms"] = ended_by, language, now_ms
        self._journal.write(Line("ended", row, self._whose))
