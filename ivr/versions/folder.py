"""What of a folder callers hear: which files, whether they have changed, their hashes, and what is wrong with them.

    dialplans/*.yaml  prompts/texts/  prompts/dictionary/  prompts/recordings/     the site's own
    shipped/texts/  shipped/dictionary/                                            this release's, in a version alone

A version holds the shipped ones, too: another release changes no campaign that runs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faults import AuthorError, Fault, UserError
from ivr.flow.load import check_flow_files, flow_files
from ivr.flow.model import Flow
from prompts import pronunciation, sentences
from prompts.files import open_file, size_of
from prompts.languages import LANGUAGES
from prompts.pronunciation import load_pronunciation
from prompts.sentences import Sentences, load_sentences

_DIALPLANS, _TEXTS, _DICTIONARY, _RECORDINGS = "dialplans", "prompts/texts", "prompts/dictionary", "prompts/recordings"
_SHIPPED = {"shipped/texts": sentences.SHIPPED, "shipped/dictionary": pronunciation.SHIPPED}


class Seen(NamedTuple):
    """A file as it lies there. Whoever writes to it, or puts another in its place, makes another of it."""

    #: As in a version, with / between its parts.
    name: str
    where: str
    size: int
    #: When it was written, and when anything of it was changed.
    written_ns: int
    changed_ns: int

    @property
    def path(self) -> Path:
        return Path(self.where)


def texts_in(folder: Path) -> tuple[Path, ...]:
    """Folders of texts for what lies in `folder`, later ones winning."""
    return sentences.SHIPPED, folder / "shipped/texts", folder / _TEXTS


def dictionaries_in(folder: Path) -> tuple[Path, ...]:
    """Folders of dictionaries for what lies in `folder`, later ones winning."""
    return pronunciation.SHIPPED, folder / "shipped/dictionary", folder / _DICTIONARY


def recordings_in(folder: Path) -> Path:
    return folder / _RECORDINGS


def dialplans_in(folder: Path) -> Path:
    return folder / _DIALPLANS


def look(folder: Path) -> frozenset[Seen]:
    """The files of a site that belong to a version. Reads none of them."""
    # With it come numpy and the reader of sounds.
    from prompts.recordings import SUFFIXES

    recorded = tuple(SUFFIXES)
    of_languages = [f"{language}.yaml" for language in LANGUAGES]
    found = [*_entries(folder, _DIALPLANS, lambda name: name.endswith((".yaml", ".yml")))]
    for part in (_TEXTS, _DICTIONARY):
        found += _entries(folder, part, lambda name: name in of_languages)
    for language in LANGUAGES:
        for part in (f"{_RECORDINGS}/{language}", f"{_RECORDINGS}/{language}/fragments"):
            found += _entries(folder, part, lambda name: name.lower().endswith(recorded))
    for part, shipped in _SHIPPED.items():
        found += _entries(shipped, "", lambda name: name in of_languages, as_part=part)
    return frozenset(found)


def _entries(folder: Path, part: str, wanted: Callable[[str], bool], *, as_part: str = "") -> Iterator[Seen]:
    """The files of one folder; none where there is no such folder. As quick as the system is: it is asked often."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder / part) as entries:
        for entry in entries:
            if not wanted(entry.name):
                continue
            try:
                there = entry.stat()
            except OSError:
                # Gone since it was listed, or a link that leads nowhere: who reads it will say so.
                continue
            yield Seen(
                name=f"{as_part or part}/{entry.name}",
                where=entry.path,
                size=there.st_size,
                written_ns=there.st_mtime_ns,
                changed_ns=there.st_ctime_ns,
            )


def hashes(files: Iterable[Seen], known: dict[Seen, str]) -> Mapping[str, str]:
    """Name -> hash of the content of each file; those of `known` are not read again, and the others added to it.

    Raises AuthorError for a file that can't be read.
    """
    found = {}
    for each in files:
        if each not in known:
            known[each] = _hash(each.path)
        found[each.name] = known[each]
    return found


def _hash(path: Path) -> str:
    from prompts.recordings import MAX_BYTES

    try:
        with open_file(path) as file:
            if size_of(file) > MAX_BYTES:
                what = f"It is larger than {MAX_BYTES // 1024**2} MB."
                raise AuthorError(Fault(what=what, where=path, mend="Make it smaller, or take it away."))
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise AuthorError(unread(path, error)) from error


def unread(path: Path, error: OSError) -> Fault:
    return Fault(what=f"The file can't be read: {error.strerror}.", where=path, mend="Check its rights.")


@dataclass(frozen=True, kw_only=True)
class Script:
    """The flows and texts that lie in a folder, as far as they are good."""

    #: By name.
    flows: Mapping[str, Flow]
    sentences: Sentences
    #: Of flows, texts and dictionaries.
    faults: tuple[Fault, ...]


def read_script(folder: Path) -> Script:
    """What lies in a site's folder, or in a version's."""
    faults: list[Fault] = []
    known, flows = Sentences(), dict[str, Flow]()
    try:
        known = load_sentences(*texts_in(folder))
    except UserError as error:
        faults += error.faults
    else:
        paths = flow_files(dialplans_in(folder))
        flows, found = check_flow_files(paths, known)
        faults += found
        if not paths:
            mend = "Copy one from the shipped dialplans/, or run: ivr init."
            faults.append(Fault(what="There is no call flow.", where=dialplans_in(folder), mend=mend))
    for language in LANGUAGES:
        try:
            load_pronunciation(language, *dictionaries_in(folder))
        except UserError as error:
            faults += error.faults
    return Script(flows=flows, sentences=known, faults=tuple(faults))


def faults_in(folder: Path) -> list[Fault]:
    """Everything for which nothing of a site's folder is published."""
    from prompts.recordings import Recordings

    return [*read_script(folder).faults, *Recordings(recordings_in(folder)).unusable()]
