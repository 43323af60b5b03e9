"""A flow's file as a tree of YAML nodes with their lines, or the reason why not. Knows nothing of flows."""

from __future__ import annotations

from pathlib import Path

import yaml

from faults import Fault
from prompts import yaml_files
from prompts.yaml_files import line_of

__all__ = ["MAX_BYTES", "line_of", "read_yaml"]

#: The shipped flows are under 10 kB.
MAX_BYTES = 256 * 1024
_MEND = "Mend that line or the one above; indent with spaces, put * # and texts with a colon in quotes."


def read_yaml(path: Path) -> tuple[yaml.Node | None, list[Fault]]:
    """The root node of the file, or None and why."""
    root, faults = yaml_files.read_yaml(path, what="call flow", at_most=MAX_BYTES, mend=_MEND)
    if root is None and not faults:
        faults = [Fault(what="The file is empty.", mend="Write a flow in it, or delete it.", where=path)]
    return root, faults
