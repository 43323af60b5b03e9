"""Hold what the engine says of each person, and the report's figures, against what the simulated operator recorded.

Pure. The two sides share nothing: the operator counted RTP packets and wrote down the keys it sent, the engine measured
playback positions and received keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ivr.flow.steps import NoteKind
from ivr.lab.truth import LabCall, SubscriberTruth
from outbound.plan.outcome import Outcome
from reports.calls import CallStory
from reports.figures import Report

#: How far the audio that the operator counted may be from the playback position.
TOLERANCE_MS = 60

_PRESSED = (NoteKind.KEY, NoteKind.INVALID, NoteKind.IGNORED)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One fact of one person, or one figure, as both sides have it."""

    what: str
    operator: str
    engine: str
    agree: bool


def compare_person(outcomes: Sequence[str], stories: Sequence[CallStory], truth: SubscriberTruth | None) -> list[Line]:
    """Outcomes of all attempts, keys and heard milliseconds. `outcomes` are the dialled attempts' in order."""
    calls = () if truth is None else truth.calls
    lines = [_equal("outcomes", [call.outcome for call in calls], outcomes)]
    answered = [call for call in calls if call.answered_at_ms is not None]
    # A subscriber who hung up while the answering machine detection listened never got as far as the engine.
    quick = len(answered) - len(stories)
    lines += compare_calls(answered[max(0, quick) :], stories)
    lines += [_within("heard", call.heard_ms, 0) for call in answered[: max(0, quick)]]
    return lines


def compare_calls(calls: Sequence[LabCall], stories: Sequence[CallStory]) -> list[Line]:
    """Keys and heard milliseconds of answered calls, call by call."""
    lines = [_equal("answered calls", [len(calls)], [len(stories)])] if len(calls) != len(stories) else []
    for call, story in zip(calls, stories, strict=False):
        lines.append(_equal("keys", [sent.key for sent in call.keys], list(_keys(story))))
        if any(moment.kind == NoteKind.TRANSFER for moment in story.moments):
            continue  # the operator also counts the other party's audio
        lines.append(_within("heard", call.heard_ms, sum(moment.heard_ms or 0 for moment in story.moments)))
    return lines


def compare_report(report: Report, truths: Mapping[str, SubscriberTruth], stories: Sequence[CallStory]) -> list[Line]:
    """The report's figures against the operator's record of the same campaign."""
    calls = [call for truth in truths.values() for call in truth.calls]
    reached = {n: t for n, t in truths.items() if any(call.outcome == Outcome.HUMAN for call in t.calls)}
    machine = {
        n for n, t in truths.items() if n not in reached and any(call.outcome == Outcome.MACHINE for call in t.calls)
    }
    to_the_end = {n for n, t in reached.items() if any(_listened(call, stories) for call in t.calls)}
    pressed = {n: {sent.key for sent in t.keys} for n, t in reached.items()}
    lines = [
        _equal("dialled", [len(truths)], [report.dialled.part]),
        _equal("attempts that reached the network", [len(calls)], [report.attempts_dialled]),
        _equal("reached", [len(reached)], [report.reached.part]),
        _equal("answering machines", [len(machine)], [report.machine.part]),
        _equal("listened to the end", [len(to_the_end)], [report.listened.part]),
        _equal("asked a follow-up question", [sum(bool(k & {"1", "3"}) for k in pressed.values())],
               [report.follow_up.part]),
        _equal("opted out", [sum("9" in k for k in pressed.values())], [report.opted_out.part]),
        _equal("unknown", [0], [report.unknown.part]),
    ]  # fmt: skip
    for outcome in Outcome:
        theirs = sum(call.outcome == outcome for call in calls)
        ours = report.attempt_outcomes.get(outcome, 0)
        if theirs or ours:
            lines.append(_equal(f"attempts: {outcome}", [theirs], [ours]))
    return lines


def _listened(call: LabCall, stories: Sequence[CallStory]) -> bool:
    """Whether the call's own RTP count and key times say that the main message came to its end.

    Only the lengths of the two texts are taken from the engine: nothing of what it measured.
    """
    story = next((s for s in stories if s.phone.lstrip("+") == call.number and s.moments), None)
    if story is None or call.outcome != Outcome.HUMAN:
        return False
    first = list({moment.value: moment.length_ms or 0 for moment in story.moments if moment.length_ms}.values())[:2]
    until_end_ms = sum(first) - 500
    before_key_ms = min((sent.at_ms for sent in call.keys), default=call.heard_ms)
    return min(call.heard_ms, before_key_ms) >= until_end_ms


def _keys(story: CallStory) -> str:
    """Every key that the engine received: of menus, wrong and ignored ones, and the choice of a language."""
    languages = {"ru": "1", "uk": "2", "en": "3"}
    return "".join(
        languages[moment.value] if moment.kind == NoteKind.LANGUAGE else moment.value
        for moment in story.moments
        if moment.kind in (*_PRESSED, NoteKind.LANGUAGE)
    )


def _equal(what: str, operator: Sequence[object], engine: Sequence[object]) -> Line:
    theirs, ours = " ".join(map(str, operator)) or "-", " ".join(map(str, engine)) or "-"
    return Line(what=what, operator=theirs, engine=ours, agree=theirs == ours)


def _within(what: str, operator_ms: int, engine_ms: int) -> Line:
    agree = abs(operator_ms - engine_ms) <= TOLERANCE_MS
    return Line(what=what, operator=f"{operator_ms} ms", engine=f"{engine_ms} ms", agree=agree)
