"""A flow's file as a tree of YAML nodes with their lines, or the reason why not. Knows nothing of flows.

Hostile files end in a fault too: their size and depth are limited, and nodes are looked at but never built into Python
objects, so aliases that multiply cost nothing.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from faults import Fault

#: The shipped flows are under 10 kB.
MAX_BYTES = 256 * 1024
#: A well-formed flow is 8 deep.
MAX_DEPTH = 30


class _TooDeep(yaml.MarkedYAMLError):
    """Lists in lists in lists."""


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _TooDeep(problem="it is nested too deeply", problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def line_of(node: yaml.Node) -> int:
    """The 1-based line on which `node` begins."""
    return int(node.start_mark.line) + 1


def read_yaml(path: Path) -> tuple[yaml.Node | None, list[Fault]]:
    """The root node of the file, or None and why."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [_fault(path, f"The file can't be read: {error.strerror}.", "Check its name and its permissions.")]
    if len(data) > MAX_BYTES:
        what = f"The file is larger than {MAX_BYTES // 1024} kB, which no call flow is."
        return None, [_fault(path, what, "Check that this is a call flow, and split it if it is.")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "Windows-1251"
        what = f"The file is not UTF-8; it may have been saved as {guess}."
        return None, [_fault(path, what, "Save it as UTF-8 in your editor.", line)]
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.reader.ReaderError as error:
        # This error alone has no line: its position counts characters.
        line = text.count("\n", 0, error.position) + 1
        what = f"There is a character that YAML does not allow: {ord(text[error.position]):#06x}."
        return None, [_fault(path, what, "Delete it.", line)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"This is no YAML: {error.problem or error.context}."
        mend = "Mend that line or the one above; indent with spaces, put * # and texts with a colon in quotes."
        return None, [_fault(path, what, mend, None if mark is None else mark.line + 1)]
    if root is None:
        return None, [_fault(path, "The file is empty.", "Write a flow in it, or delete it.")]
    return root, []


def _fault(path: Path, what: str, mend: str, line: int | None = None) -> Fault:
    return Fault(what=what, mend=mend, where=path, line=line)
