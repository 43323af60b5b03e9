"""The voice of a site: its texts, dictionaries, recordings and audio cache; and what its flows will say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from faults import AuthorError, Fault
from ivr.flow.graph import texts
from ivr.flow.load import load_flows
from ivr.flow.model import Flow, Say
from ivr.resources import resource_dir
from ivr.settings import Site
from ivr.trunks import named_trunks
from ivr.versions.folder import dictionaries_in, recordings_in, texts_in
from people.contacts import Contact, ContactsFile
from prompts.fragments import Fragment
from prompts.languages import Language
from prompts.reading import variables
from prompts.render import Spoken, sentences_of
from prompts.voice import FALLBACK

if TYPE_CHECKING:
    from prompts.library import Library
    from prompts.workers import Workers


def open_library(site: Site, folder: Path | None = None, *, workers: Workers | None = None) -> Library:
    """The site's voice, or that of its version in `folder`. Close it.

    Raises AuthorError with every fault of the texts and dictionaries.
    """
    # With it come numpy and the speech engines, which whoever makes no speech does without.
    from prompts.library import Library, Speech

    settings, folder = site.settings.prompts, folder or site.folder
    return Library(
        folder=site.audio,
        texts=texts_in(folder),
        dictionaries=dictionaries_in(folder),
        recordings=recordings_in(folder),
        speech=Speech(
            engine={str(language): name for language, name in settings.engine.items()},
            voice={str(language): name for language, name in settings.voice.items()},
            speed=settings.speed,
            pause=settings.pause,
            level_lufs=settings.level_lufs,
            cache_max_mb=settings.cache_max_mb,
            wide=any(trunk.codec == "g722" for trunk in named_trunks(site.settings).values()),
        ),
        workers=workers,
    )


def shipped_library(folder: Path) -> Library:
    """The shipped texts in the default voices, without a site; the cache is in `folder`."""
    from prompts.library import Library

    return Library(folder=folder)


def spoken_by(flow: Flow, language: Language, values: Mapping[str, str]) -> Iterator[Spoken]:
    """All that the flow may say on a call with these variables."""
    for say in texts(flow):
        yield Spoken(language, say.text, say.values_in(language, values))


def campaign_speech(
    library: Library, flow: Flow, leads: Iterable[tuple[Language, Mapping[str, str]]]
) -> Iterator[Spoken]:
    """All that the flow may say to these leads (language and variables); what is the same for all comes once."""
    personal: dict[Language, list[Say]] = {}
    for language, values in leads:
        if language not in personal:
            personal[language] = []
            for say in texts(flow):
                sentence = library.sentences.get(language, say.text)
                own = say.values_in(language, {})
                if sentence and any(each.name not in own for each in variables(sentence.text)):
                    personal[language].append(say)
                else:
                    yield Spoken(language, say.text, own)
        for say in personal[language]:
            yield Spoken(language, say.text, say.values_in(language, values) if say.values else values)


def contacts_speech(library: Library, flow: Flow, contacts: ContactsFile) -> Iterator[Spoken]:
    """All that the flow may say to the people of a contacts file, whose rows it reads."""
    leads = ((row.language, {**row.variables, "name": row.name}) for row in contacts.rows() if isinstance(row, Contact))
    return campaign_speech(library, flow, leads)


def example_speech(library: Library, flows: Sequence[Flow]) -> Iterator[Spoken]:
    """All that is the same on every call, and what is there of the rest with the flows' own examples."""
    yield from fixed_speech(library, flows)
    for flow in flows:
        for language in flow.languages:
            for spoken in spoken_by(flow, language, flow.variables):
                sentence = library.sentences.get(language, spoken.text)
                if (
                    sentence is not None
                    and all(each.name in spoken.values for each in variables(sentence.text))
                    and library.clips(language, spoken.text, spoken.values)
                ):
                    yield spoken


def fragments_of(library: Library, language: str, text: str, values: Mapping[str, str]) -> tuple[Fragment, ...]:
    """The fragments of a key or a sentence; values that a key lacks come from the examples of the shipped flows.

    Raises AuthorError when it looks like a key and there is none, or can't be read.
    """
    known = library.sentences.keys()
    if text not in known and text.removesuffix(FALLBACK) not in known:
        if re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", text):
            raise AuthorError(Fault(what=f"There is no sentence {text}.", mend="See the keys with: ivr prompt list."))
        return library.phrases.of_text(language, text, values)
    sentence = library.sentences.get(language, text)
    if sentence is not None and any(each.name not in values for each in variables(sentence.text)):
        for flow in load_flows(resource_dir("dialplans"), library.sentences).values():
            values = {**flow.variables, **values}
    return library.phrases.fragments(language, text, values)


def fixed_speech(library: Library, flows: Iterable[Flow]) -> Iterator[Spoken]:
    """All that is the same on every call: sentences without variables, and those that the flows fill themselves."""
    yield from sentences_of(library)
    for flow in flows:
        for say in texts(flow):
            for language in flow.languages:
                sentence = library.sentences.get(language, say.text)
                values = say.values_in(language, {})
                if sentence and values and all(each.name in values for each in variables(sentence.text)):
                    yield Spoken(language, say.text, values)
