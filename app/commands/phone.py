"""A telephone in the terminal: what the flow says is printed, what the caller does is typed or piped in."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from app.commands.console import put
from ivr.flow.machine import Machine
from ivr.flow.model import KEYPAD, Flow, Say
from ivr.flow.state import State
from ivr.flow.steps import (
    Begun,
    End,
    Ended,
    Event,
    Heard,
    HungUp,
    KeyPressed,
    Listen,
    Note,
    NoteKind,
    Silence,
    Speak,
    Spoken,
    Step,
    TransferEnded,
    TransferTo,
)
from prompts.languages import Language
from prompts.reading import ReadingError, TemplateError, read_or_fallback
from prompts.sentences import Sentences

SILENCE, HANG_UP = "-", "h"
#: Speech of a telephone voice, for the lengths in the journal.
_MS_PER_LETTER = 70


class Phone:
    """One flow to call again and again; texts are shown as the caller would hear them."""

    def __init__(self, flow: Flow, sentences: Sentences) -> None:
        self.flow = flow
        self.sentences = sentences
        self.actions: Iterator[str] = iter(())

    def call(self, language: Language, variables: Mapping[str, str]) -> None:
        """Make one call, from the answer to the hang-up. The end of the input hangs up."""
        machine, state = Machine(self.flow), State()
        notes: list[Note] = []
        event: Event = Begun(language=language, variables=variables)
        self.actions = _actions()
        put(f"Calling {self.flow.name} in {language}. Type keys, {SILENCE} for silence, {HANG_UP} to hang up.")
        while True:
            state, steps = machine.advance(state, event)
            notes += [step for step in steps if isinstance(step, Note)]
            last = steps[-1]
            if isinstance(last, End):
                put(f"\nThe call is over: {_REASONS[last.reason]}")
                break
            event = self.carry_out(last)
        put("\nJournal")
        for note in notes:
            put(f"  {_journal_line(note)}")

    def carry_out(self, step: Step) -> Event:
        """Do what a waiting step asks for, and say what came of it."""
        match step:
            case Speak():
                put(f"\n[{step.node}]")
                return Spoken(heard=tuple(self.speak(say, step) for say in step.say))
            case Listen():
                return self.listen()
            case TransferTo():
                put(f"\n[{step.node}] is {step.destination} there? 1 yes, {SILENCE} no answer")
                answer = self.listen()
                return answer if isinstance(answer, HungUp) else TransferEnded(answered=answer == KeyPressed(key="1"))
            case _:
                raise AssertionError(f"{step} does not wait")

    def speak(self, say: Say, step: Speak) -> Heard:
        text = self.reading(say, step)
        put(f"  {text}")
        length_ms = _MS_PER_LETTER * len(text)
        return Heard(text=say.text, heard_ms=length_ms, length_ms=length_ms, ended=Ended.PLAYED)

    def reading(self, say: Say, step: Speak) -> str:
        sentence = self.sentences.get(step.language, say.text)
        if sentence is None:
            return f"({say.text} has no text)"
        try:
            values = say.values_in(step.language, step.variables)
            return read_or_fallback(step.language, sentence.text, sentence.fallback, values)
        except (ReadingError, TemplateError) as error:
            return f"({say.text} is left out: {error.faults[0].what})"

    def listen(self) -> Event:
        if sys.stdin.isatty():
            put("> ", nl=False)
        action = next(self.actions, HANG_UP)
        if not sys.stdin.isatty():
            put(f"> {action}")
        match action:
            case "-":
                return Silence()
            case "h":
                return HungUp()
            case key:
                return KeyPressed(key=key)


def _actions() -> Iterator[str]:
    """What the caller does, one key at a time; a line may hold many."""
    for line in sys.stdin:
        for action in line.strip():
            if action in KEYPAD or action in (SILENCE, HANG_UP):
                yield action
            elif not action.isspace():
                put(f"  {action} is not on the keypad; {SILENCE} is silence, {HANG_UP} hangs up")


_REASONS = {
    "flow": "the flow hung up.",
    "hang_up": "the caller hung up.",
    "steps": "it went on for too long.",
    "fault": "something went wrong.",
}


def _journal_line(note: Note) -> str:
    parts = [f"{note.kind.value:<9}", f"{note.node:<18}", note.value]
    if note.kind is NoteKind.KEY:
        parts.append(f"depth {note.depth}")
    if note.follow_up:
        parts.append("follow-up question")
    if note.main:
        parts.append("main message")
    return " ".join(part for part in parts if part).rstrip()
