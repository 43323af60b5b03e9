"""A YAML file that people write, as a tree of nodes with lines, or the reason why not. Knows nothing of its words.

Hostile files end in a fault too: their size and depth are limited, no letter comes out that can't be written or shown,
and nodes are looked at but never built into Python objects. Aliases may still make a tree that holds itself, or a small
file that is huge when it is written out; a reader that walks all of it asks `is_endless` first.
"""

from __future__ import annotations

import errno
from functools import lru_cache
from pathlib import Path

import yaml

from faults import Fault
from prompts.files import read_file

#: A well-formed flow is 8 deep, and texts less.
MAX_DEPTH = 30
#: More than a file of 256 kB has without aliases.
MAX_PARTS = 100_000
#: Of what the parser says, which may quote the file.
_LONGEST = 200


class _Refused(yaml.MarkedYAMLError):
    """It is well-formed, and nobody needs it."""


class _NoLetter(_Refused):
    """The problem is the letter."""


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _Refused(problem="it is nested too deeply", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def compose_scalar_node(self, anchor: dict[str, yaml.Node]) -> yaml.ScalarNode:
        node = super().compose_scalar_node(anchor)
        # Escapes such as "\ud800" and "\e" make what may not stand in the file itself.
        if found := self.NON_PRINTABLE.search(node.value):
            raise _NoLetter(problem=f"{ord(found[0]):#06x}", problem_mark=node.start_mark)
        return node


@lru_cache(maxsize=16)
def _composed(text: str) -> yaml.Node | None:
    """The root node of what several read and nobody changes: a site's files and the shipped ones. Raises YAMLError."""
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    except (ValueError, OverflowError) as error:
        # PyYAML lets through what int() and chr() say of a version or an escape beyond all bounds.
        raise _Refused(problem="a number is too large for it", problem_mark=loader.get_mark()) from error
    return node


def line_of(node: yaml.Node) -> int:
    """The 1-based line on which `node` begins."""
    return int(node.start_mark.line) + 1


def read_yaml(path: Path, *, what: str, at_most: int, mend: str) -> tuple[yaml.Node | None, list[Fault]]:
    """The root node of the file, None for an empty one, or None and why not.

    `what` is what the file should be, such as "call flow", of `at_most` bytes; `mend` is told of one that is no YAML.
    """

    def refused(why: str, mend: str, line: int | None = None) -> tuple[None, list[Fault]]:
        return None, [Fault(what=why, mend=mend, where=path, line=line)]

    try:
        data = read_file(path, at_most=at_most)
    except OSError as error:
        why, help_ = f"The file can't be read: {error.strerror}.", "Check its name and its permissions."
        if error.errno == errno.EFBIG:
            why = f"The file is larger than {at_most // 1024} kB, which no {what} is."
            help_ = f"Check that this is a {what}, and split it if it is."
        return refused(why, help_)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "Windows-1251"
        why = f"The file is not UTF-8; it may have been saved as {guess}."
        return refused(why, "Save it as UTF-8 in your editor.", data.count(b"\n", 0, error.start) + 1)
    try:
        return _composed(text), []
    except yaml.reader.ReaderError as error:
        # This error alone has no line: its position counts characters.
        why = f"There is a character that YAML does not allow: {ord(text[error.position]):#06x}."
        return refused(why, "Delete it.", text.count("\n", 0, error.position) + 1)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        if isinstance(error, _NoLetter):
            why = f"There is a character that can be neither spoken nor shown: {error.problem}."
            return refused(why, "Write the letter itself, or delete it.", line)
        problem = str(error.problem or error.context)
        if problem == "second occurrence":
            problem = str(error.context).partition(";")[0]
        if len(problem) > _LONGEST:
            problem = f"{problem[:_LONGEST]}…"
        return refused(f"This is no YAML: {problem}.", mend, line)


#: The mend of a file for which `is_endless` is true.
WRITE_OUT = "Write the parts out, without & and *."


def is_endless(root: yaml.Node) -> bool:
    """Whether the tree, its aliases written out, holds itself, is too deep, or has more than MAX_PARTS nodes."""
    #: Parts and depth of what has been measured; None while it is being measured.
    measured: dict[yaml.Node, tuple[int, int] | None] = {}

    def measure(node: yaml.Node) -> tuple[int, int]:
        # An alias names a node that came before it, or one that it is in; so this goes no deeper than the loader did.
        if node not in measured:
            measured[node] = None
            inner = [measure(child) for child in _children(node)]
            parts, depth = 1 + sum(each[0] for each in inner), 1 + max((each[1] for each in inner), default=0)
            measured[node] = (min(parts, MAX_PARTS + 1), depth)
        return measured[node] or (MAX_PARTS + 1, 0)

    parts, depth = measure(root)
    return parts > MAX_PARTS or depth > MAX_DEPTH


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
