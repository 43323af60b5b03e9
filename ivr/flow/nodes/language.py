"""language: speak in every language and take the caller's."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, cast

from ivr.flow.given import Given
from ivr.flow.grammar import FIRST_KEY, LANGUAGE, SAY_FIELD, THEN, Field, Grammar, by_key
from ivr.flow.keys import KEYPAD
from ivr.flow.node import Finding, Link, Node
from ivr.flow.steps import NoteKind
from ivr.flow.turn import Next, Turn
from prompts.languages import LANGUAGES, Language


@dataclass(frozen=True, kw_only=True)
class LanguageChoice(Node):
    """Speak in every language and take the caller's; silence or a wrong key keeps the present one."""

    keys: Mapping[str, Language]
    then: str
    first_key_s: float = 5.0

    colour: ClassVar[str] = "#7b61c9"
    grammar: ClassVar[Grammar] = Grammar(
        word="language",
        about="Say something in every language and take the caller's; otherwise the language stays as it is.",
        fields={
            "say": SAY_FIELD,
            "keys": Field(schema=by_key(LANGUAGE, longest=1), about="Which key chooses which language.", required=True),
            "then": THEN,
            "first_key_s": FIRST_KEY,
        },
    )

    @classmethod
    def build(cls, given: Given) -> Self:
        say = given.say()
        keys: dict[str, Language] = {}
        for key, value in given.by_key("keys", longest=1):
            language = given.reader.one_of(value, f"key {key}", LANGUAGES)
            if language is not None:
                keys[key] = cast(Language, language)
        return cls(
            name=given.name,
            line=given.line,
            say=say,
            keys=keys,
            then=given.node("then"),
            first_key_s=given.seconds("first_key_s", 5.0),
        )

    def findings(self, languages: Collection[Language], destinations: Collection[str] | None) -> Iterator[Finding]:
        for key, language in self.keys.items():
            if languages and language not in languages:
                what = f"key {key} chooses {language}, which the flow does not speak."
                yield Finding(what, f"Add {language} to languages, or remove the key.")

    def stop_keys(self) -> str:
        return KEYPAD

    def entered(self, turn: Turn) -> Next:
        return self._speak_in_turn(turn)

    def spoken(self, turn: Turn) -> Next:
        return self._speak_in_turn(turn)

    def _speak_in_turn(self, turn: Turn) -> Next:
        """Speak in the next language that can be chosen, in the flow's order; after the last one, listen."""
        offered = [language for language in turn.languages if language in self.keys.values()]
        tongues = turn.state.tongues
        if not self.say or tongues >= len(offered):
            return turn.listen(self.first_key_s)
        turn.state = turn.state._replace(tongues=tongues + 1)
        return turn.speak(self.say, self.stop_keys(), offered[tongues])

    def key(self, turn: Turn, key: str) -> Next:
        chosen = self.keys.get(key)
        if chosen is None:
            turn.note(NoteKind.INVALID, key)
        else:
            turn.state = turn.state._replace(language=chosen)
            turn.note(NoteKind.LANGUAGE, chosen)
        return self.then

    def silence(self, turn: Turn) -> Next:
        turn.note(NoteKind.NO_INPUT)
        return self.then

    def waits(self) -> bool:
        return True

    def links(self) -> tuple[Link, ...]:
        return (Link(label="then", to=self.then, silent=True),)

    def in_words(self) -> str:
        return "language " + " ".join(f"{key}={language}" for key, language in self.keys.items())
