"""Find what is wrong with texts, recordings and their audio before a caller hears it. Makes and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faults import Fault
from prompts.audio import SilentSpeechError, loudness, trimmed
from prompts.g711 import from_alaw
from prompts.library import Library
from prompts.reading import ReadingError, TemplateError, parse, variables
from prompts.reading.template import Literal
from prompts.render import Spoken
from prompts.sentences import LANGUAGES, Sentence
from prompts.stress import MARK, VOWELS, load_stress, plain
from prompts.trial import unreadable
from prompts.voice import FALLBACK, Clip

#: Nobody listens longer to one sentence on the phone.
LONGEST_S = 45.0
#: How far a clip's level may be from the one that was asked for.
_TOLERANCE_DB = 1.0
#: Signs that no voice says; letters of other scripts are Pronunciation.unsayable.
_UNSPOKEN = re.compile(rf"[^\w\s{MARK}.,!?…;:—–\-'’ʼ«»“”„\"()]|[\d_]")
_RENDER = "Run: ivr prompt render."


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    faults: tuple[Fault, ...]
    #: Words that may be stressed otherwise than they were meant: to be looked at, not wrong.
    doubts: tuple[Fault, ...]
    #: Different clips that were listened to.
    clips: int
    #: LUFS of the quietest and the loudest; None when there is no clip.
    levels: tuple[float, float] | None
    longest_s: float


def check(library: Library, wanted: Iterable[Spoken]) -> CheckReport:
    """Check all texts and recordings, and the audio of `wanted` as far as it has been made."""
    faults = [*_texts(library), *unreadable(library.sentences), *_recordings(library)]
    doubts: list[Fault] = []
    clips: dict[Path, tuple[Clip, str, Sentence]] = {}
    for each in wanted:
        key = each.text.removesuffix(FALLBACK)
        sentence = library.sentences.get(each.language, each.text) or library.sentences.get(each.language, key)
        if sentence is None:
            continue
        faults += _words(library, each, sentence)
        doubts += _doubts(library, each, sentence)
        found = library.clips(each.language, each.text, each.values)
        if found is None:
            faults.append(_fault(sentence, f"{each.text} has no audio yet.", _RENDER))
            continue
        if (seconds := sum(clip.samples for clip in found) / 8000) > LONGEST_S:
            what = f"{each.text} takes {seconds:.0f} seconds; callers hang up."
            faults.append(_fault(sentence, what, f"Say it in less than {LONGEST_S:.0f}, or make two texts of it."))
        clips |= {clip.path: (clip, each.text, sentence) for clip in found}
    levels = []
    for clip, text, sentence in clips.values():
        level, found_faults = _audio(clip, text, sentence, library.speech.level_lufs)
        faults += found_faults
        if level is not None:
            levels.append(level)
    return CheckReport(
        faults=tuple(dict.fromkeys(faults)),
        doubts=tuple(dict.fromkeys(doubts)),
        clips=len(clips),
        levels=(min(levels), max(levels)) if levels else None,
        longest_s=max((clip.samples for clip, *_ in clips.values()), default=0) / 8000,
    )


def _fault(sentence: Sentence, what: str, mend: str) -> Fault:
    return Fault(what=what, mend=mend, where=sentence.where, line=sentence.line)


def _texts(library: Library) -> Iterator[Fault]:
    """Sentences that a language lacks, or that are no sentences."""
    keys = library.sentences.keys()
    for key in keys:
        has = {language: library.sentences.get(language, key) for language in LANGUAGES}
        some = next(sentence for sentence in has.values() if sentence is not None)
        names: dict[str, frozenset[str]] = {}
        for language, sentence in has.items():
            if sentence is None:
                mend = f"Write it in {some.where.with_name(f'{language}.yaml')}."
                yield _fault(some, f"{key} is missing in {language}.", mend)
                continue
            try:
                names[language] = frozenset(variable.name for variable in variables(sentence.text))
                fallback = variables(sentence.fallback or "")
            except TemplateError as error:
                yield _fault(sentence, f"{key}: {error.faults[0].what}", error.faults[0].mend)
                continue
            if fallback:
                what = f"The fallback of {key} has the variable {fallback[0].name}."
                yield _fault(sentence, what, "Write one that needs no values.")
        if len(set(names.values())) > 1:
            differing = sorted(frozenset.union(*names.values()) - frozenset.intersection(*names.values()))
            what = f"{key} has {', '.join(differing)} in one language, but not in all."
            yield _fault(some, what, "Use the same variables in every language.")


def _recordings(library: Library) -> Iterator[Fault]:
    yield from library.recordings.faults()
    for language, name, path in library.recordings.of_sentences():
        key = name.removesuffix(FALLBACK)
        sentence = library.sentences.get(language, key)
        if sentence is None:
            mend = "Name it after a sentence: ivr prompt list shows them."
            yield Fault(what=f"{language} has no sentence {key}, so this is never played.", where=path, mend=mend)
        elif variables((sentence.fallback or "") if name != key else sentence.text):
            what = f"{key} has variables, so one recording can't speak it."
            mend = f"Record its fragments, as `ivr prompt say {key} --fragments` shows them."
            yield Fault(what=what, where=path, mend=mend)


def _words(library: Library, each: Spoken, sentence: Sentence) -> Iterator[Fault]:
    """What no voice of the language can say."""
    pronunciation = library.phrases.pronunciations[each.language]
    try:
        literals = " ".join(piece.text for piece in parse(sentence.text) if isinstance(piece, Literal))
        fragments = library.phrases.fragments(each.language, each.text, each.values)
    except (TemplateError, ReadingError):
        return
    if unknown := pronunciation.unknown(literals):
        mend = f"Add it to prompts/dictionary/{each.language}.yaml: {unknown[0]}: (as it is spoken)"
        yield _fault(sentence, f"{each.text} has a foreign word, {unknown[0]}.", mend)
    for fragment in fragments:
        sign = _UNSPOKEN.search(fragment.text)
        if unspoken := pronunciation.unsayable(fragment.text)[:1] or (sign and sign[0]):
            what = f"{each.text} has {unspoken!r}, which is not spoken."
            yield _fault(sentence, what, "Write it in words, or as a variable with a type.")


def _doubts(library: Library, each: Spoken, sentence: Sentence) -> Iterator[Fault]:
    """The author's own words whose stress can't be told."""
    try:
        literals = " ".join(piece.text for piece in parse(sentence.text) if isinstance(piece, Literal))
        fragments = library.phrases.fragments(each.language, each.text, each.values)
    except (TemplateError, ReadingError):
        return
    for fragment in fragments:
        for doubt in load_stress(each.language).doubts(fragment.text):
            if doubt.word not in literals:
                continue
            meant = doubt.others[0] if doubt.others else ""
            what = f"{each.text}: {doubt.word} is said {doubt.said}, but may be {meant}."
            if not meant:
                what = f"{each.text}: no dictionary has {doubt.word}, so the voice guesses its stress."
            yield _fault(
                sentence,
                what,
                f"Listen; to say it otherwise, put + before the vowel: {_with_plus(meant or doubt.word)}.",
            )


def _with_plus(word: str) -> str:
    """As an author types the mark; of a word without one, its first vowel, as an example."""
    at = word.index(MARK) - 1 if MARK in word else next((i for i, each in enumerate(word) if each in VOWELS), 0)
    return plain(f"{word[:at]}+{word[at:]}")


def _audio(clip: Clip, text: str, sentence: Sentence, level_lufs: float) -> tuple[float | None, list[Fault]]:
    """The clip's level in LUFS, and what is wrong with its sound as the phone gets it."""
    try:
        pcm = from_alaw(clip.path.with_name(f"{clip.path.name}.alaw").read_bytes()).astype(np.float64) / 32768
        level = loudness(trimmed(pcm))
    except OSError as error:
        return None, [Fault(what=f"The audio can't be read: {error.strerror}.", where=clip.path, mend=_RENDER)]
    except SilentSpeechError:
        return None, [
            _fault(sentence, f"The audio of {text} is silent.", "Write words that can be said, or record it anew.")
        ]
    faults = []
    if np.abs(pcm).max() > 0.98:
        faults.append(_fault(sentence, f"The audio of {text} is clipped.", "Record it anew, not so loud."))
    if abs(level - level_lufs) > _TOLERANCE_DB:
        how = "quiet" if level < level_lufs else "loud"
        what = f"The audio of {text} is too {how}: {level:.1f} LUFS, not {level_lufs:.1f}."
        faults.append(_fault(sentence, what, "Record it anew, or choose another level_lufs in ivr.toml."))
    return level, faults
