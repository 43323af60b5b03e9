"""Read one field of a flow's file: maps, names, numbers, flags. Every misfit becomes a fault with its line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import cast

import yaml

from faults import Fault
from ivr.flow.grammar import GOODBYE, Field
from ivr.flow.keys import KEYPAD
from ivr.flow.say import Say
from ivr.flow.source import line_of
from prompts.languages import LANGUAGES, Language

FLOW_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NODE_NAME = re.compile(r"[\w-]{1,100}")
SHORT_NAME = re.compile(r"[\w-]{1,32}")
TEXT_KEY = re.compile(r"[\w.-]{1,100}")
VARIABLE = re.compile(r"[^\W\d]\w{0,63}")
NAME_MEND = "Use letters, digits, dash and underscore."
_INTEGER = re.compile(r"[+-]?\d{1,9}")
_DECIMAL = re.compile(r"[+-]?\d{1,9}(\.\d+)?")
#: A fault that begins with a word of ours, and not with a name of the author's.
_SENTENCE = re.compile(r"^[ta](?=he | )")
_TRUE, _FALSE = ("true", "yes", "on"), ("false", "no", "off")


def suggestion(word: str, known: Mapping[str, object] | tuple[str, ...]) -> str | None:
    """The known word that `word` most likely was meant to be."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Mapping[str, object] | tuple[str, ...], otherwise: str) -> str:
    close = suggestion(word, known)
    return f"Did you mean {close}?" if close else otherwise


#: More than a file of 256 kB has without aliases.
MAX_PARTS = 100_000


#: Nobody reads more at a time; a file of so many is no flow.
MAX_FAULTS = 500
#: Letters of a fault, which quotes the file.
LONGEST_FAULT = 400


class TooManyFaults(Exception):
    """The reader keeps those that it has found."""


class Overgrown(Exception):
    """The file has aliases of aliases, and no end."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place in the file that names a node."""

    #: The node it is in; "" for `start`.
    node: str
    to: str
    line: int


@dataclass(frozen=True, kw_only=True)
class Use:
    """A place in the file that says a text."""

    node: str
    say: Say
    line: int


def shortened(what: str) -> str:
    return what if len(what) <= LONGEST_FAULT else f"{what[:LONGEST_FAULT]}…"


class FieldReader:
    """Reads the fields of one file, and keeps its faults, the nodes it names and the texts it says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self.targets: list[Target] = []
        self.uses: list[Use] = []
        #: The node being read; "" outside of nodes.
        self.node = ""
        self.parts = 0

    def fault(self, at: yaml.Node, what: str, mend: str) -> None:
        what = f"In {self.node}: {what}" if self.node else _SENTENCE.sub(lambda found: found[0].upper(), what)
        self.faults.append(Fault(what=shortened(what), mend=mend, where=self.path, line=line_of(at)))
        if len(self.faults) >= MAX_FAULTS:
            raise TooManyFaults

    def spend(self, parts: int) -> None:
        """Count what is looked at: aliases can make a small file endless. Raises Overgrown."""
        self.parts += parts
        if self.parts > MAX_PARTS:
            raise Overgrown

    # ------------------------------------------------------------ maps

    def entries(self, at: yaml.Node, what: str, mend: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key -> (node of the key, node of the value), each key once; a fault when `at` is no map."""
        if not isinstance(at, yaml.MappingNode):
            self.fault(at, f"{what} must be a map of names and values.", mend)
            return {}
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        self.spend(len(at.value))
        for key, value in at.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault(key, f"{what} has a list or a map where a name must be.", mend)
            elif key.value in entries:
                first = line_of(entries[key.value][0])
                self.fault(key, f"{key.value} is there twice, first in line {first}.", "Keep one of them.")
            else:
                entries[key.value] = (key, value)
        return entries

    def known_entries(
        self, at: yaml.Node, known: Mapping[str, object], what: str, mend: str
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """The entries that are known; a misspelt one is a fault, and stands for the one it most likely was."""
        entries = self.entries(at, what, mend)
        found = {name: entry for name, entry in entries.items() if name in known}
        for name, entry in entries.items():
            if name not in known:
                mend = did_you_mean(name, known, f"Remove it; {what} has: {', '.join(known)}.")
                self.fault(entry[0], f"{what} has no field {name}.", mend)
                found.setdefault(suggestion(name, known) or name, entry)
        return found

    def fields(self, at: yaml.Node, known: Mapping[str, Field], what: str) -> dict[str, yaml.Node]:
        """The values of the known fields in the map `at`; faults for unknown and missing ones."""
        entries = self.known_entries(at, known, what, f"Its fields are: {', '.join(known)}.")
        if isinstance(at, yaml.MappingNode):
            for name, item in known.items():
                if item.required and name not in entries:
                    self.fault(at, f"{what} lacks {name}.", f"Add it: {item.about}")
        return {name: value for name, (_, value) in entries.items()}

    def keypad(self, at: yaml.Node, key: str, longest: int) -> None:
        if not key or any(digit not in KEYPAD for digit in key):
            self.fault(at, f"{key!r} is not on a telephone's keypad.", "Use digits, * and #, the latter in quotes.")
        elif len(key) > longest:
            self.fault(at, f"key {key} is too long.", "Use one digit." if longest == 1 else f"Use at most {longest}.")

    def values(self, at: yaml.Node, what: str) -> dict[str, str]:
        values: dict[str, str] = {}
        for name, (key, value) in self.entries(at, what, "Write each as: NAME: VALUE.").items():
            if not VARIABLE.fullmatch(name):
                self.fault(key, f"{name!r} is no name of a variable.", "Use letters, digits and underscore.")
            if isinstance(value, yaml.ScalarNode):
                values[name] = "" if is_null(value) else value.value
            else:
                self.fault(value, f"{name} must be one value.", "Write a text or a number.")
        return values

    # ------------------------------------------------------------ single values

    def target(self, at: yaml.Node | None, what: str) -> str:
        """The node that is named; goodbye in place of one that can't be read."""
        if at is None:
            return GOODBYE
        name = self.name(at, what, NODE_NAME)
        if name is None:
            return GOODBYE
        self.targets.append(Target(node=self.node, to=name, line=line_of(at)))
        return name

    def name(self, at: yaml.Node, what: str, pattern: re.Pattern[str]) -> str | None:
        if not isinstance(at, yaml.ScalarNode) or is_null(at):
            self.fault(at, f"{what} must be a name.", "Write one name there.")
            return None
        if not pattern.fullmatch(at.value):
            mend = "Use letters, digits and underscore, a letter first." if pattern is VARIABLE else NAME_MEND
            self.fault(at, f"{at.value!r} is no name for {what}.", mend)
            return None
        return str(at.value)

    def one_of(self, at: yaml.Node | None, what: str, known: tuple[str, ...]) -> str | None:
        """The word, or the one it most likely was meant to be."""
        if at is None:
            return None
        value = at.value if isinstance(at, yaml.ScalarNode) else "a list or a map"
        if value in known:
            return str(value)
        mend = did_you_mean(value, known, f"Use {' or '.join(known)}.")
        self.fault(at, f"{what} can't be {value}.", mend)
        return suggestion(value, known)

    def languages(self, at: yaml.Node | None) -> tuple[Language, ...]:
        """The flow's languages; none when they can't be read, so that no text is missed in a wrong one."""
        if at is None:
            return ()
        if not isinstance(at, yaml.SequenceNode) or not at.value:
            self.fault(at, "languages must be a list.", "Write: languages: [ru, uk, en].")
            return ()
        languages: list[Language] = []
        for item in at.value:
            language = cast("Language | None", self.one_of(item, "a language", LANGUAGES))
            if language in languages:
                self.fault(item, f"{language} is there twice.", "Keep one of them.")
            elif language is not None:
                languages.append(language)
        return tuple(languages)

    def flag(self, at: yaml.Node | None, what: str, default: bool) -> bool:
        if at is None:
            return default
        value = at.value.lower() if isinstance(at, yaml.ScalarNode) else ""
        if value not in _TRUE + _FALSE:
            self.fault(at, f"{what} must be true or false.", "Write one of them.")
            return default
        return value in _TRUE

    def count(self, at: yaml.Node | None, what: str, default: int, fields: Mapping[str, Field]) -> int:
        return int(self.quantity(at, what, default, fields[what], _INTEGER, "a whole number"))

    def seconds(self, at: yaml.Node | None, what: str, default: float, fields: Mapping[str, Field]) -> float:
        return self.quantity(at, what, default, fields[what], _DECIMAL, "a number of seconds")

    def quantity(
        self, at: yaml.Node | None, what: str, default: float, item: Field, pattern: re.Pattern[str], noun: str
    ) -> float:
        if at is None:
            return default
        low, high = item.limits
        value = float(at.value) if isinstance(at, yaml.ScalarNode) and pattern.fullmatch(at.value) else None
        if value is None or not low <= value <= high:
            self.fault(at, f"{what} must be {noun} from {low:g} to {high:g}.", f"Leave it out for {default:g}.")
            return default
        return value


def is_null(at: yaml.Node) -> bool:
    return isinstance(at, yaml.ScalarNode) and at.tag == "tag:yaml.org,2002:null"
