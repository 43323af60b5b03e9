"""The texts that callers hear: {ru,uk,en}.yaml of one or more folders. Reads files; knows no variables and no audio.

A file is a nested map; the names on the way down, joined by dots, are the key of a sentence. A leaf is the sentence, or
a map of the sentence (`text`) and what is said when one of its variables is missing or can't be read (`fallback`):

    hotline:
      welcome: Добро пожаловать!
    promo:
      offer:
        text: Телевизор дешевле на {discount:percent}.
        fallback: Телевизор стал дешевле.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from faults import AuthorError, Fault
from prompts.yaml_files import WRITE_OUT, is_endless, line_of, read_yaml

LANGUAGES = ("ru", "uk", "en")

#: The sentences that come with the engine.
SHIPPED = Path(__file__).parent / "texts"

#: The shipped texts of a language are under 10 kB.
MAX_BYTES = 512 * 1024
_MEND = "Mend that line; put a sentence with a colon in it, or with { at its start, in quotes."


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    #: Said when a variable of `text` is missing or can't be read; None: the sentence is left out then.
    fallback: str | None
    #: The file and the 1-based line it was written in.
    where: Path
    line: int


@dataclass(frozen=True)
class Sentences:
    """Sentences by language and key."""

    by_language: Mapping[str, Mapping[str, Sentence]] = field(default_factory=dict)

    def get(self, language: str, key: str) -> Sentence | None:
        return self.by_language.get(language, {}).get(key)

    def keys(self) -> tuple[str, ...]:
        """Every key that some language has, sorted."""
        return tuple(sorted({key for sentences in self.by_language.values() for key in sentences}))

    def __iter__(self) -> Iterator[tuple[str, str, Sentence]]:
        """Language, key and sentence of each, by language and then in the order of the files."""
        for language, sentences in self.by_language.items():
            for key, sentence in sentences.items():
                yield language, key, sentence


class _Reader:
    """Walks one YAML file and keeps its sentences and its faults."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sentences: dict[str, Sentence] = {}
        self.faults: list[Fault] = []

    def fault(self, what: str, mend: str, node: yaml.Node | None = None) -> None:
        line = None if node is None else line_of(node)
        self.faults.append(Fault(what=what, mend=mend, where=self.path, line=line))

    def read(self) -> None:
        root, self.faults = read_yaml(self.path, what="file of texts", at_most=MAX_BYTES, mend=_MEND)
        if root is None:
            return None
        if is_endless(root):
            return self.fault("The file's aliases make it endless.", WRITE_OUT)
        if not isinstance(root, yaml.MappingNode):
            return self.fault("The file is no map of sentences.", "Begin it with a name and a colon.", root)
        return self.walk(root, ())

    def walk(self, node: yaml.MappingNode, path: tuple[str, ...]) -> None:
        seen: set[str] = set()
        for name_node, child in node.value:
            if not isinstance(name_node, yaml.ScalarNode) or not name_node.value:
                self.fault("A name is missing before the colon.", "Name every sentence.", name_node)
                continue
            name = name_node.value
            key = ".".join((*path, name))
            if name in seen:
                self.fault(f"{key} is there twice.", "Keep one of them.", name_node)
                continue
            seen.add(name)
            if isinstance(child, yaml.MappingNode) and not self.is_leaf(child):
                self.walk(child, (*path, name))
            else:
                self.leaf(key, child, name_node)

    @staticmethod
    def is_leaf(node: yaml.MappingNode) -> bool:
        return any(
            isinstance(name, yaml.ScalarNode) and name.value == "text" and isinstance(value, yaml.ScalarNode)
            for name, value in node.value
        )

    def leaf(self, key: str, node: yaml.Node, at: yaml.Node) -> None:
        parts: dict[str, str] = {}
        for name, child in node.value if isinstance(node, yaml.MappingNode) else [("text", node)]:
            name = name if isinstance(name, str) else name.value
            text = child.value.strip() if isinstance(child, yaml.ScalarNode) else ""
            if name not in ("text", "fallback"):
                self.fault(f"{key} has {name!r} beside its text.", "Only text and fallback may be there.", child)
            elif not text:
                self.fault(f"{key} has no words in its {name}.", "Write the sentence that callers shall hear.", child)
            elif name in parts:
                self.fault(f"{key} has two of {name!r}.", "Keep one of them.", child)
            else:
                # A sentence folded over several lines is one sentence.
                parts[name] = " ".join(text.split())
        if "text" in parts:
            self.sentences[key] = Sentence(parts["text"], parts.get("fallback"), self.path, line_of(at))


def load_sentences(*folders: Path) -> Sentences:
    """The sentences of every {ru,uk,en}.yaml in `folders`; a later folder overrides an earlier one, key by key.

    A file that is not there is passed over. Raises AuthorError with every fault of every file.
    """
    merged: dict[str, dict[str, Sentence]] = {language: {} for language in LANGUAGES}
    faults: list[Fault] = []
    for folder in folders:
        for language in LANGUAGES:
            path = folder / f"{language}.yaml"
            if not path.exists():
                continue
            reader = _Reader(path)
            reader.read()
            merged[language] |= reader.sentences
            faults += reader.faults
    if faults:
        raise AuthorError(faults)
    return Sentences(merged)
