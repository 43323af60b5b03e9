"""What a version is made of: names of files, each with the hash of its content. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath


def hash_of(files: Mapping[str, str]) -> str:
    """Of all files with their names: the same for the same files, in whichever order."""
    return hashlib.sha256(json.dumps(sorted(files.items()), ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Names of files, sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are not as they were, for whatever reason."""
        return tuple(sorted((*self.added, *self.changed, *self.removed)))


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    return Changes(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(name for name in after.keys() & before.keys() if before[name] != after[name])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )


def stays_inside(name: str) -> bool:
    """Whether a file of this name lies in the folder that it is put into: a name may come from another machine."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
