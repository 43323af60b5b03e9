"""Make every clip that a hotline or a campaign needs before its first call: each fragment once, in parallel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, as_completed
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from faults import Fault, MachineError
from prompts.fragments import Fragment
from prompts.reading import TemplateError, variables
from prompts.voice import FALLBACK

if TYPE_CHECKING:
    from prompts.engines.choice import Speaker
    from prompts.engines.engine import Progress
    from prompts.library import Library
    from prompts.worker import Result

log = structlog.get_logger(__name__)

#: Told how many of how many different fragments are there.
Done = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Told:
    """Who hears how far it is; called in the thread that works."""

    #: Which speech engine is being fetched, and how many per cent of it are here.
    fetching: Progress = lambda _what, _percent: None
    made: Done = lambda _done, _all: None


#: Nobody does.
SILENT = Told()


@dataclass(frozen=True)
class Spoken:
    """A text to be spoken with these values."""

    language: str
    #: Key of a sentence.
    text: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Failed:
    language: str
    #: The words that could not be made.
    words: str
    why: str


@dataclass(frozen=True, kw_only=True)
class RenderReport:
    """What rendering came to; all counts are of different fragments."""

    distinct: int
    made: int
    cached: int
    failed: tuple[Failed, ...]
    seconds: float
    #: Who spoke each language.
    speakers: Mapping[str, Speaker | None]


def sentences_of(library: Library) -> Iterable[Spoken]:
    """Every sentence and fallback, in every language, that needs no values; a malformed one is left out and logged."""
    for language, key, sentence in library.sentences:
        for name, text in ((key, sentence.text), (f"{key}{FALLBACK}", sentence.fallback)):
            try:
                if text is not None and not variables(text):
                    yield Spoken(language, name)
            except TemplateError as error:
                where = f"{sentence.where}:{sentence.line}"
                log.warning("sentence_malformed", where=where, text=name, why=error.faults[0].what)


def provide_and_render(
    library: Library, wanted: Iterable[Spoken], *, pin: str = "", told: Told = SILENT
) -> RenderReport:
    """Fetch the speech engines that are missing, then as `render_all`. Raises MachineError when nobody can speak."""
    library.provide(told.fetching)
    return render_all(library, wanted, done=told.made, pin=pin)


def render_all(library: Library, wanted: Iterable[Spoken], *, done: Done | None = None, pin: str = "") -> RenderReport:
    """Make what is missing of `wanted`; blocks. With `pin`, all of it is kept in the cache under that name.

    A text that can't be said is left out and logged. Raises MachineError when the disk won't take more, or when there
    is no speech engine at all, RuntimeError when the library is closed meanwhile; what was made until then is kept, and
    the next time goes on from there.
    """
    fragments = (
        fragment for each in wanted for fragment in library.phrases.fragments(each.language, each.text, each.values)
    )
    return render_fragments(library, fragments, done=done, pin=pin)


def render_fragments(
    library: Library, wanted: Iterable[Fragment], *, done: Done | None = None, pin: str = ""
) -> RenderReport:
    """The same for fragments."""
    started = time.monotonic()
    fragments: dict[str, dict[Fragment, None]] = {}
    for fragment in wanted:
        fragments.setdefault(fragment.language, {})[fragment] = None
    work = _Work(library, sum(map(len, fragments.values())), done or (lambda _done, _all: None))
    todo = {language: list(texts) for language, texts in fragments.items()}
    while todo:
        todo = work.round(todo)
    if pin:
        library.cache.pin(pin, work.names)
    library.cache.trim()
    return RenderReport(
        distinct=work.distinct,
        made=work.made,
        cached=work.distinct - work.made - len(work.failed),
        failed=tuple(work.failed),
        seconds=time.monotonic() - started,
        speakers=work.speakers,
    )


class _Work:
    def __init__(self, library: Library, distinct: int, done: Done) -> None:
        self.library, self.distinct, self._done = library, distinct, done
        self.names: set[str] = set()
        self.made = 0
        self.failed: list[Failed] = []
        self.speakers: dict[str, Speaker | None] = {}

    def round(self, todo: Mapping[str, Sequence[Fragment]]) -> dict[str, list[Fragment]]:
        """Make all in the voice that is first now; what has to be made anew in another one, for that one went away."""
        futures: dict[Future[Result], Fragment] = {}
        again: dict[str, list[Fragment]] = {}
        self._done(self.distinct - sum(map(len, todo.values())), self.distinct)
        ready = self.distinct - sum(map(len, todo.values()))
        try:
            for language, fragments in todo.items():
                self.speakers[language] = self.library.present(language)[0]
                for fragment in fragments:
                    name, job = self._look(fragment)
                    if job is None:
                        ready += 1
                    else:
                        futures[job] = fragment
                    if name is not None:
                        self.names.add(name)
            self._done(ready, self.distinct)
            for future in as_completed(futures):
                fragment = futures[future]
                if fragment.language in again:
                    continue
                if future.cancelled():
                    # By somebody else who wanted it, too; or the workers are closed, and the next round can't begin.
                    again[fragment.language] = list(todo[fragment.language])
                    continue
                result = future.result()
                ready += 1
                self._done(ready, self.distinct)
                if result.failure is None:
                    self.made += 1
                elif result.failure == "disk":
                    mend = "Free some space, then run it again: what is made is kept."
                    raise MachineError(Fault(what=result.why, where=self.library.cache.folder, mend=mend))
                elif result.failure == "away" and (speaker := self.speakers[fragment.language]) is not None:
                    self.library.pass_over(speaker, result.why)
                    again[fragment.language] = list(todo[fragment.language])
                    for waiting, other in futures.items():
                        if other.language == fragment.language:
                            waiting.cancel()
                else:
                    self.failed.append(Failed(language=fragment.language, words=fragment.text, why=result.why))
        finally:
            for future in futures:
                future.cancel()
        return again

    def _look(self, fragment: Fragment) -> tuple[str | None, Future[Result] | None]:
        """The clip's hash, and what makes it when it is not there."""
        speaker = self.speakers[fragment.language]
        name = self.library.name(fragment, speaker)
        job = self.library.job(fragment, speaker)
        if name is None or job is None:
            why = "no speech engine is here; see: ivr prompt engines"
            self.failed.append(Failed(language=fragment.language, words=fragment.text, why=why))
            return None, None
        return name, None if self.library.cache.find(name) else self.library.make(job)
