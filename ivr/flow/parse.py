"""YAML nodes -> Flow, with a fault for everything that breaks the grammar. What the flow means is check's business.

A node with a fault is still built, from what can be read and defaults, so that one mistake does not bring ten others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import cast

import yaml

from faults import Fault
from ivr.flow import grammar
from ivr.flow.fields import (
    FLOW_NAME,
    NODE_NAME,
    SHORT_NAME,
    TEXT_KEY,
    VARIABLE,
    FieldReader,
    Overgrown,
    Target,
    Use,
    did_you_mean,
    is_null,
    suggestion,
)
from ivr.flow.grammar import GOODBYE, NODE_KINDS, NodeKind
from ivr.flow.graph import links
from ivr.flow.model import (
    Branch,
    Choice,
    Flow,
    Gather,
    Goto,
    HangUp,
    LanguageChoice,
    Menu,
    Node,
    OptOut,
    Play,
    Policy,
    Request,
    Say,
    Transfer,
)
from ivr.flow.source import line_of
from prompts.languages import LANGUAGES, Language

#: Keeps the search for loops quick and drawings shallow; the shipped hotline has 22.
MAX_NODES = 500


@dataclass(kw_only=True)
class Parsed:
    """A flow as far as it could be read, and where its parts are in the file."""

    path: Path
    flow: Flow
    targets: list[Target] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    #: Lines of `start`, `main_message`, `flow` ...; the first line when a field is missing.
    lines: dict[str, int] = field(default_factory=dict)
    #: Names of nodes as written, those that could not be read included.
    node_names: frozenset[str] = frozenset()

    @property
    def opaque(self) -> bool:
        """Some node's kind is not known, so nobody can say what is reached from it."""
        return not self.node_names or not self.node_names <= self.flow.nodes.keys()

    def is_written(self, name: str) -> bool:
        """Whether the file defines the node; `goodbye` may be the one that every flow has."""
        return name in self.node_names


def parse_flow(path: Path, root: yaml.Node) -> tuple[Parsed | None, list[Fault]]:
    """The flow in `root`, the root node of `path`, and every fault of its grammar."""
    reader = _Reader(path)
    try:
        return reader.flow(root), list(dict.fromkeys(reader.faults))
    except Overgrown:
        what = "The file's aliases make it endless."
        return None, [Fault(what=what, mend="Write the parts out, without & and *.", where=path)]


class _Reader(FieldReader):
    # ------------------------------------------------------------ the flow and its nodes

    def flow(self, root: yaml.Node) -> Parsed:
        entries = self.known_entries(root, grammar.FLOW_FIELDS, "the flow", "Begin the file with: flow: NAME.")
        for name in grammar.FLOW_REQUIRED:
            if name not in entries and isinstance(root, yaml.MappingNode):
                self.fault(root, f"the flow lacks {name}.", f"Add it: {grammar.FLOW_FIELDS[name]}")
        values = {name: value for name, (_, value) in entries.items()}
        kind = self.one_of(values.get("kind"), "kind", ("hotline", "promo"))
        flow_name = self.name(values["flow"], "flow", FLOW_NAME) if "flow" in values else None
        start = self.target(values.get("start"), "start")
        main = self.name(values["main_message"], "main_message", TEXT_KEY) if "main_message" in values else None
        languages = self.languages(values.get("languages"))
        variables = self.values(values["variables"], "variables") if "variables" in values else {}
        nodes, node_names = self.nodes(values["nodes"]) if "nodes" in values else ({}, frozenset())
        goodbye = Say(text=grammar.GOODBYE_TEXT)
        self.uses.append(Use(node="", say=goodbye, line=line_of(root)))
        if GOODBYE not in nodes and GOODBYE in (start, *(link.to for node in nodes.values() for link in links(node))):
            nodes[GOODBYE] = HangUp(name=GOODBYE, line=line_of(root), say=(goodbye,))
        flow = Flow(
            name=flow_name or self.path.stem,
            kind="promo" if kind == "promo" else "hotline",
            start=start,
            nodes=nodes,
            languages=languages,
            main_message=main,
            variables=variables,
        )
        lines = {name: line_of(key) for name, (key, _) in entries.items()}
        return Parsed(
            path=self.path, flow=flow, targets=self.targets, uses=self.uses, lines=lines, node_names=node_names
        )

    def nodes(self, at: yaml.Node) -> tuple[dict[str, Node], frozenset[str]]:
        """The nodes that could be read, and the names of all."""
        nodes: dict[str, Node] = {}
        entries = self.entries(at, "nodes", "Write each node as: NAME: {KIND: ...}.")
        if isinstance(at, yaml.MappingNode) and not entries:
            self.fault(at, "The flow has no nodes.", "Add the node that the call begins in.")
        if len(entries) > MAX_NODES:
            self.fault(at, f"The flow has more than {MAX_NODES} nodes.", "Split it into several flows.")
        for name, (key, value) in islice(entries.items(), MAX_NODES):
            self.node = name
            if not NODE_NAME.fullmatch(name):
                self.fault(key, f"{name!r} is no name for a node.", "Use letters, digits, dash and underscore.")
            node = self.one_node(name, line_of(key), value)
            if node is not None:
                nodes[name] = node
            self.node = ""
        return nodes, frozenset(entries)

    def one_node(self, name: str, line: int, at: yaml.Node) -> Node | None:
        kinds = ", ".join(NODE_KINDS)
        entries = self.entries(at, "a node", f"Give it a kind: {kinds}.")
        if len(entries) != 1:
            if isinstance(at, yaml.MappingNode):
                found = " and ".join(entries) or "none"
                self.fault(at, f"a node has one kind, this one has {found}.", f"Keep one of: {kinds}.")
            return None
        ((kind, (key, value)),) = entries.items()
        if kind not in NODE_KINDS:
            mend = did_you_mean(kind, NODE_KINDS, f"Use one of: {kinds}.")
            self.fault(key, f"{kind} is no kind of node.", mend)
            kind = suggestion(kind, NODE_KINDS) or ""
        if not kind:
            return None
        shape = NODE_KINDS[kind]
        fields = self.node_fields(kind, shape, value)
        return self.build(kind, name, line, fields, key)

    def node_fields(self, kind: str, shape: NodeKind, at: yaml.Node) -> dict[str, yaml.Node]:
        if shape.short and not isinstance(at, yaml.MappingNode):
            return {} if is_null(at) and not shape.fields[shape.short].required else {shape.short: at}
        if is_null(at) and not any(item.required for item in shape.fields.values()):
            return {}
        return self.fields(at, shape.fields, kind)

    def build(self, kind: str, name: str, line: int, fields: dict[str, yaml.Node], at: yaml.Node) -> Node:
        def say(field_name: str = "say") -> tuple[Say, ...]:
            said = self.say(fields[field_name], field_name) if field_name in fields else ()
            if field_name in fields and not said and NODE_KINDS[kind].fields[field_name].required:
                self.fault(fields[field_name], f"{kind} says nothing.", "Name a text.")
            return said

        def to(field_name: str) -> str:
            return self.target(fields.get(field_name), field_name)

        def seconds(field_name: str, default: float) -> float:
            return self.seconds(fields.get(field_name), field_name, default, NODE_KINDS[kind].fields)

        def count(field_name: str, default: int) -> int:
            return self.count(fields.get(field_name), field_name, default, NODE_KINDS[kind].fields)

        def short_name(field_name: str) -> str:
            return (self.name(fields[field_name], field_name, SHORT_NAME) if field_name in fields else None) or ""

        def variable(field_name: str) -> str:
            return (self.name(fields[field_name], field_name, VARIABLE) if field_name in fields else None) or ""

        match kind:
            case "play":
                return Play(name=name, line=line, say=say(), then=to("then"))
            case "menu":
                return Menu(
                    name=name,
                    line=line,
                    say=say(),
                    keys=self.choices(fields.get("keys")),
                    no_input=self.policy(fields.get("no_input"), "no_input", grammar.NO_INPUT_TEXT, line_of(at)),
                    invalid=self.policy(fields.get("invalid"), "invalid", grammar.WRONG_KEY_TEXT, line_of(at)),
                    again=say("again") if "again" in fields else None,
                    barge_in=self.flag(fields.get("barge_in"), "barge_in", True),
                    first_key_s=seconds("first_key_s", 5.0),
                    between_keys_s=seconds("between_keys_s", 3.0),
                )
            case "gather":
                fewest, most = count("min_digits", 1), count("max_digits", 20)
                if fewest > most:
                    self.fault(at, f"min_digits {fewest} is above max_digits {most}.", "Swap or mend them.")
                return Gather(
                    name=name,
                    line=line,
                    say=say(),
                    into=variable("into"),
                    then=to("then"),
                    no_input=self.policy(fields.get("no_input"), "no_input", grammar.NO_INPUT_TEXT, line_of(at)),
                    invalid=self.policy(fields.get("invalid"), "invalid", grammar.WRONG_KEY_TEXT, line_of(at)),
                    again=say("again") if "again" in fields else None,
                    min_digits=fewest,
                    max_digits=most,
                    terminator=self.terminator(fields.get("terminator")),
                    barge_in=self.flag(fields.get("barge_in"), "barge_in", True),
                    first_key_s=seconds("first_key_s", 5.0),
                    between_keys_s=seconds("between_keys_s", 3.0),
                )
            case "language":
                return LanguageChoice(
                    name=name,
                    line=line,
                    say=say(),
                    keys=self.tongues(fields.get("keys")),
                    then=to("then"),
                    first_key_s=seconds("first_key_s", 5.0),
                )
            case "goto":
                return Goto(name=name, line=line, to=to("to"))
            case "branch":
                return Branch(
                    name=name,
                    line=line,
                    on=variable("on"),
                    cases=self.cases(fields.get("cases")),
                    otherwise=to("otherwise"),
                )
            case "transfer":
                return Transfer(name=name, line=line, to=short_name("to"), say=say(), failed=to("failed"))
            case "request":
                return Request(name=name, line=line, kind=short_name("kind"), say=say(), then=to("then"))
            case "opt_out":
                return OptOut(name=name, line=line, say=say(), then=to("then"))
            case "hang_up":
                return HangUp(name=name, line=line, say=say())
            case _:
                raise AssertionError(f"grammar has a node kind that nobody builds: {kind}")

    def choices(self, at: yaml.Node | None) -> dict[str, Choice]:
        choices: dict[str, Choice] = {}
        for key, (key_node, value) in self.keys(at).items():
            self.keypad(key_node, key, longest=10)
            if isinstance(value, yaml.MappingNode):
                fields = self.fields(value, grammar.CHOICE_FIELDS, f"key {key}")
                choices[key] = Choice(
                    to=self.target(fields.get("to"), f"key {key}"),
                    follow_up=self.flag(fields.get("follow_up"), "follow_up", False),
                    set=self.values(fields["set"], "set") if "set" in fields else {},
                )
            else:
                choices[key] = Choice(to=self.target(value, f"key {key}"))
        return choices

    def tongues(self, at: yaml.Node | None) -> dict[str, Language]:
        tongues: dict[str, Language] = {}
        for key, (key_node, value) in self.keys(at).items():
            self.keypad(key_node, key, longest=1)
            language = self.one_of(value, f"key {key}", LANGUAGES)
            if language is not None:
                tongues[key] = cast(Language, language)
        return tongues

    def keys(self, at: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if at is None:
            return {}
        entries = self.entries(at, "keys", "Write each as: 1: NODE.")
        if isinstance(at, yaml.MappingNode) and not entries:
            self.fault(at, "it has no keys.", "Add one, or make it a play.")
        return entries

    def cases(self, at: yaml.Node | None) -> dict[str, str]:
        if at is None:
            return {}
        entries = self.entries(at, "cases", "Write each as: VALUE: NODE.")
        return {value: self.target(target, f"case {value!r}") for value, (_, target) in entries.items()}

    def policy(self, at: yaml.Node | None, what: str, text: str, line: int) -> Policy:
        fields = {} if at is None else self.fields(at, grammar.POLICY_FIELDS, what)
        if "say" in fields:
            say = self.say(fields["say"], "say")
        else:
            say = (Say(text=text),)
            self.uses.append(Use(node=self.node, say=say[0], line=line if at is None else line_of(at)))
        return Policy(
            repeat=self.count(fields.get("repeat"), "repeat", grammar.REPEAT, grammar.POLICY_FIELDS),
            say=say,
            then=self.target(fields["then"], f"{what}.then") if "then" in fields else GOODBYE,
        )

    # ------------------------------------------------------------ texts

    def say(self, at: yaml.Node, what: str) -> tuple[Say, ...]:
        if is_null(at):
            self.fault(at, f"{what} is empty.", "Name a text, or leave the field out.")
            return ()
        items = at.value if isinstance(at, yaml.SequenceNode) else [at]
        self.spend(len(items))
        return tuple(say for item in items if (say := self.one_say(item)) is not None)

    def one_say(self, at: yaml.Node) -> Say | None:
        key_node, constants = at, dict[str, dict[Language, str]]()
        if isinstance(at, yaml.MappingNode):
            entries = self.known_entries(at, grammar.TEXT_FIELDS, "a text", "Write: {text: KEY, with: {NAME: VALUE}}.")
            if "text" not in entries:
                self.fault(at, "a text lacks its key.", "Write: {text: KEY, with: {NAME: VALUE}}.")
                return None
            key_node = entries["text"][1]
            if "with" in entries:
                constants = self.constants(entries["with"][1])
        key = self.name(key_node, "a text", TEXT_KEY)
        if key is None:
            return None
        say = Say(text=key, values=constants)
        self.uses.append(Use(node=self.node, say=say, line=line_of(key_node)))
        return say

    def constants(self, at: yaml.Node) -> dict[str, dict[Language, str]]:
        constants: dict[str, dict[Language, str]] = {}
        for name, (key, value) in self.entries(at, "with", "Write each as: NAME: VALUE.").items():
            if not VARIABLE.fullmatch(name):
                self.fault(key, f"{name!r} is no name of a variable.", "Use letters, digits and underscore.")
            if isinstance(value, yaml.ScalarNode):
                constants[name] = dict.fromkeys(LANGUAGES, "" if is_null(value) else value.value)
                continue
            constants[name] = {}
            for language, (language_node, text) in self.entries(value, name, "Write: {ru: VALUE, en: VALUE}.").items():
                if language not in LANGUAGES:
                    self.fault(language_node, f"{language!r} is no language.", f"Use {', '.join(LANGUAGES)}.")
                elif not isinstance(text, yaml.ScalarNode) or is_null(text):
                    self.fault(text, f"{name} must be one value in {language}.", "Write a text or a number.")
                else:
                    constants[name][language] = text.value
        return constants
