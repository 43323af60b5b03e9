"""The word files of `words/`: YAML that linguists edit -> tables of text, each entry with its line.

Owns the file format: every scalar is text ("no" and "on" are words here), a key stands once. Knows no grammar.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from faults import AuthorError, Fault

#: libyaml's, where PyYAML was built with it: ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class WordsError(AuthorError):
    """A word file has a fault."""


class Table(dict[str, Any]):
    """A mapping of a file: key -> text, several texts, or another Table."""

    def __init__(self, where: Path, line: int | None = None) -> None:
        super().__init__()
        self.where = where
        #: Where it begins, 1-based.
        self.line = line
        #: 1-based, by key.
        self.lines: dict[str, int] = {}

    def fault(self, key: str, what: str, mend: str) -> WordsError:
        return WordsError(Fault(what=what, mend=mend, where=self.where, line=self.lines.get(key, self.line)))

    def table(self, key: str) -> Table:
        """The mapping under that key; raises WordsError when there is none."""
        found = self.get(key)
        if not isinstance(found, Table):
            raise self.fault(key, f"There is no section {key}.", "Write its words below it, indented.")
        return found

    def text(self, key: str) -> str:
        """The one text under that key; raises WordsError."""
        found = self.get(key)
        if not isinstance(found, str) or not found:
            raise self.fault(key, f"{key} has no text.", "Write one after the colon.")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts under that key, of which there may be one or none; raises WordsError."""
        found = self.get(key, ())
        if isinstance(found, Table):
            raise self.fault(key, f"{key} is no list.", "Write it as [one, two].")
        return ((found,) if found else ()) if isinstance(found, str) else tuple(found)

    def forms(self, key: str, count: int) -> tuple[str, ...]:
        """So many words with blanks between; raises WordsError."""
        found = tuple(self.text(key).split())
        if len(found) != count:
            raise self.fault(key, f"{key} has {len(found)} forms, not {count}.", f"Write {count}, with blanks between.")
        return found

    def known(self, *keys: str) -> Table:
        """This table; raises WordsError when it has another key than those."""
        for key in self:
            if key not in keys:
                raise self.fault(key, f"There is no field {key}.", f"Use {', '.join(keys)}.")
        return self


def folder() -> Path:
    """Where the shipped files are."""
    return Path(str(files("prompts.reading"))) / "words"


@lru_cache(maxsize=32)
def load(name: str) -> Table:
    """The file of that name in `words/`, such as "ru/verbs.yaml"; raises WordsError with its line."""
    path = folder() / name
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        what = f"This is no YAML: {error.problem or error.context}."
        raise WordsError(Fault(what=what, mend="Mend the line, or the one above it.", where=path, line=line)) from error
    table = _node(root, path)
    if not isinstance(table, Table):
        raise WordsError(Fault(what="The file has no words.", mend="Write one entry a line.", where=path))
    return table


def _node(node: Any, where: Path) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        found = tuple(_node(each, where) for each in node.value)
        if all(isinstance(each, str) for each in found):
            return found
    elif isinstance(node, yaml.MappingNode):
        table = Table(where, node.start_mark.line + 1)
        for key, value in node.value:
            word = key.value
            line = key.start_mark.line + 1
            if not isinstance(word, str) or not word:
                raise WordsError(Fault(what="A key is no word.", mend="Write a word.", where=where, line=line))
            if word in table:
                what = f"{word} stands here and in line {table.lines[word]}."
                mend = "Make one entry of the two."
                raise WordsError(Fault(what=what, mend=mend, where=where, line=line))
            table.lines[word] = line
            table[word] = _node(value, where)
        return table
    line = node.start_mark.line + 1 if node else None
    raise WordsError(Fault(what="A list has more than words.", mend="Write it as [one, two].", where=where, line=line))
