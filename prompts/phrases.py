"""A sentence's key and values -> the fragments to be spoken. Remembers what it has read; makes no audio."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import structlog

from prompts.fragments import Cut, Fragment, assembled, cuts
from prompts.pronunciation import Pronunciation
from prompts.reading import ReadingError, TemplateError, UnforeseenError, read_parts
from prompts.sentences import Sentences
from prompts.stress import written
from prompts.voice import FALLBACK

log = structlog.get_logger(__name__)

#: Fragments remembered; a million names must not fill the memory.
_MOST = 400_000


@dataclass
class Phrases:
    sentences: Sentences
    pronunciations: Mapping[str, Pronunciation]
    _whole: dict[tuple[str, str], tuple[Fragment, ...]] = field(default_factory=dict)
    _parts: dict[tuple[str, str, int, tuple[str, ...]], Fragment] = field(default_factory=dict)
    #: Values that can't be read: a column without a unit has the same fault on every line.
    _failed: dict[tuple[str, str, tuple[tuple[str, ...], ...]], ReadingError] = field(default_factory=dict)
    _told: set[tuple[str, str, str]] = field(default_factory=set)

    def fragments(self, language: str, key: str, values: Mapping[str, str]) -> tuple[Fragment, ...]:
        """What is spoken: the sentence; its fallback when a value is missing or can't be read; else nothing.

        A key with FALLBACK at its end asks for the fallback itself.
        That something could not be said is logged, once for each sentence.
        """
        if (known := self._whole.get((language, key))) is not None:
            return known
        sentence = self.sentences.get(language, key)
        if sentence is None and key.endswith(FALLBACK):
            sentence = self.sentences.get(language, key.removesuffix(FALLBACK))
            text = sentence and sentence.fallback
            sentence = replace(sentence, text=text, fallback=None) if sentence and text else None
        if sentence is None:
            self._tell("sentence_missing", language, key, "it is in no texts file of this language")
            return ()
        try:
            return self._fragments(language, key, sentence.text, values)
        except (ReadingError, TemplateError) as error:
            why = error.faults[0].what
            if isinstance(error, UnforeseenError):
                # No caller's value is to blame, so it is told though the fallback may be spoken.
                self._tell("sentence_unreadable", language, key, why)
        if sentence.fallback is not None:
            try:
                found = self._fragments(language, f"{key}{FALLBACK}", sentence.fallback, values)
            except (ReadingError, TemplateError) as error:
                why = error.faults[0].what
            else:
                return found
        self._tell("sentence_skipped", language, key, why)
        return ()

    def of_text(self, language: str, text: str, values: Mapping[str, str]) -> tuple[Fragment, ...]:
        """What is spoken of a sentence that is in no file. Raises ReadingError or TemplateError."""
        text = written(language, text)
        return self._read(language, None, text, cuts(language, text), values)

    def always_the_same(self, language: str, key: str) -> bool:
        """The sentence has no variables, as far as it has been asked for."""
        return (language, key) in self._whole

    def _fragments(self, language: str, key: str, text: str, values: Mapping[str, str]) -> tuple[Fragment, ...]:
        text = written(language, text)
        plan = cuts(language, text)
        if not any(cut.variables for cut in plan):
            if (language, key) not in self._whole:
                self._whole[language, key] = self._read(language, key, text, plan, values)
            return self._whole[language, key]
        said = [tuple([values.get(name, "") for name in cut.variables]) for cut in plan]
        try:
            return tuple([self._parts[language, key, index, value] for index, value in enumerate(said)])
        except KeyError:
            pass
        attempt = (language, key, tuple(said))
        if attempt in self._failed:
            raise self._failed[attempt].with_traceback(None)
        try:
            found = self._read(language, None, text, plan, values)
        except ReadingError as error:
            if len(self._failed) > _MOST:
                self._failed.clear()
            self._failed[attempt] = error
            raise
        if len(found) == len(plan):
            if len(self._parts) > _MOST:
                self._parts.clear()
            for index, value in enumerate(said):
                self._parts[language, key, index, value] = found[index]
        return found

    def _read(
        self, language: str, key: str | None, text: str, plan: Sequence[Cut], values: Mapping[str, str]
    ) -> tuple[Fragment, ...]:
        read = read_parts(language, text, values)
        pronunciation = self.pronunciations[language]
        for part in read:
            if part.variable is not None and (strange := pronunciation.unsayable(part.text)):
                what = f"No voice of {language} can say {strange!r}."
                raise ReadingError(what, "Write it in this language's letters.", part.variable)
        parts = [part.text for part in read]
        found = []
        for index, cut in enumerate(plan):
            words, pause_ms = assembled(cut, parts, last=index == len(plan) - 1)
            if words:
                found.append(Fragment(language, pronunciation.spoken(words), pause_ms, key))
        return tuple(found)

    def _tell(self, event: str, language: str, key: str, why: str) -> None:
        if (event, language, key) not in self._told:
            self._told.add((event, language, key))
            log.warning(event, language=language, text=key, why=why)
