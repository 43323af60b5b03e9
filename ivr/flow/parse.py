"""YAML nodes -> Flow, with a fault for everything that breaks the grammar. What the flow means is check's business.

A node with a fault is still built, from what can be read and defaults, so that one mistake does not bring ten others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import yaml

from faults import Fault
from ivr.flow.fields import (
    FLOW_NAME,
    NODE_NAME,
    TEXT_KEY,
    Overgrown,
    Target,
    TooManyFaults,
    Use,
    did_you_mean,
    is_null,
    suggestion,
)
from ivr.flow.given import Given
from ivr.flow.grammar import FLOW_FIELDS, FLOW_REQUIRED, GOODBYE, Grammar
from ivr.flow.model import Flow
from ivr.flow.node import Node
from ivr.flow.nodes import by_word
from ivr.flow.nodes.hang_up import HangUp
from ivr.flow.say import FAREWELL
from ivr.flow.source import line_of
from ivr.flow.texts import TextReader

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
    except TooManyFaults:
        return None, list(dict.fromkeys(reader.faults))
    except Overgrown:
        what = "The file's aliases make it endless."
        return None, [Fault(what=what, mend="Write the parts out, without & and *.", where=path)]


class _Reader(TextReader):
    # ------------------------------------------------------------ the flow and its nodes

    def flow(self, root: yaml.Node) -> Parsed:
        entries = self.known_entries(root, FLOW_FIELDS, "the flow", "Begin the file with: flow: NAME.")
        for name in FLOW_REQUIRED:
            if name not in entries and isinstance(root, yaml.MappingNode):
                self.fault(root, f"the flow lacks {name}.", f"Add it: {FLOW_FIELDS[name]}")
        values = {name: value for name, (_, value) in entries.items()}
        kind = self.one_of(values.get("kind"), "kind", ("hotline", "promo"))
        flow_name = self.name(values["flow"], "flow", FLOW_NAME) if "flow" in values else None
        start = self.target(values.get("start"), "start")
        main = self.name(values["main_message"], "main_message", TEXT_KEY) if "main_message" in values else None
        languages = self.languages(values.get("languages"))
        variables = self.values(values["variables"], "variables") if "variables" in values else {}
        nodes, node_names = self.nodes(values["nodes"]) if "nodes" in values else ({}, frozenset())
        self.uses.append(Use(node="", say=FAREWELL, line=line_of(root)))
        if GOODBYE not in nodes and GOODBYE in (start, *(link.to for node in nodes.values() for link in node.links())):
            nodes[GOODBYE] = HangUp(name=GOODBYE, line=line_of(root), say=(FAREWELL,))
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
        kinds = by_word()
        listed = ", ".join(kinds)
        entries = self.entries(at, "a node", f"Give it a kind: {listed}.")
        if len(entries) != 1:
            if isinstance(at, yaml.MappingNode):
                found = " and ".join(entries) or "none"
                self.fault(at, f"a node has one kind, this one has {found}.", f"Keep one of: {listed}.")
            return None
        ((word, (key, value)),) = entries.items()
        if word not in kinds:
            mend = did_you_mean(word, kinds, f"Use one of: {listed}.")
            self.fault(key, f"{word} is no kind of node.", mend)
            word = suggestion(word, kinds) or ""
        if not word:
            return None
        kind = kinds[word]
        fields = self.node_fields(kind.grammar, value)
        return kind.build(Given(self, kind.grammar, fields, name=name, line=line, at=key))

    def node_fields(self, grammar: Grammar, at: yaml.Node) -> dict[str, yaml.Node]:
        if grammar.short and not isinstance(at, yaml.MappingNode):
            return {} if is_null(at) and not grammar.fields[grammar.short].required else {grammar.short: at}
        if is_null(at) and not any(item.required for item in grammar.fields.values()):
            return {}
        return self.fields(at, grammar.fields, grammar.word)
