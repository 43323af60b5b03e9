"""Which node leads where, and what each says. Pure; works on flows with faults too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from ivr.flow.model import (
    Branch,
    Flow,
    Gather,
    Goto,
    HangUp,
    LanguageChoice,
    Menu,
    Node,
    OptOut,
    Play,
    Request,
    Say,
    Transfer,
)


@dataclass(frozen=True, kw_only=True)
class Link:
    #: What takes the caller there: "1", "no input", "then" ...
    label: str
    to: str
    #: The caller pressed a key for it.
    pressed: bool = False
    #: The key is a follow-up question.
    follow_up: bool = False
    #: This is where the call goes on when the caller presses nothing.
    silent: bool = False


def links(node: Node) -> tuple[Link, ...]:
    """Every way on from a node, in the order of the file."""
    match node:
        case Menu():
            keys = (
                Link(label=key, to=choice.to, pressed=True, follow_up=choice.follow_up)
                for key, choice in node.keys.items()
            )
            return (*keys, *_policies(node))
        case Gather():
            return (Link(label=node.into, to=node.then, pressed=True), *_policies(node))
        case Play() | Request() | OptOut() | LanguageChoice():
            return (Link(label="then", to=node.then, silent=True),)
        case Goto():
            return (Link(label="then", to=node.to, silent=True),)
        case Branch():
            cases = (
                Link(label=f"{node.on} = {value or 'nothing'}", to=to, silent=True) for value, to in node.cases.items()
            )
            return (*cases, Link(label="otherwise", to=node.otherwise, silent=True))
        case Transfer():
            return (Link(label="no answer", to=node.failed, silent=True),)
        case HangUp():
            return ()
        case _:
            assert_never(node)


def _policies(node: Menu | Gather) -> tuple[Link, Link]:
    return (
        Link(label="silence", to=node.no_input.then, silent=True),
        Link(label="wrong key", to=node.invalid.then),
    )


def says(node: Node) -> tuple[Say, ...]:
    """Every text that the node may say."""
    match node:
        case Menu() | Gather():
            return (*node.say, *(node.again or ()), *node.no_input.say, *node.invalid.say)
        case Play() | LanguageChoice() | Transfer() | Request() | OptOut() | HangUp():
            return node.say
        case Goto() | Branch():
            return ()
        case _:
            assert_never(node)


def texts(flow: Flow) -> tuple[Say, ...]:
    """Every text that the flow may say, each once, the machine's own goodbye included."""
    unique: dict[tuple[str, str], Say] = {}
    for node in flow.nodes.values():
        for say in says(node):
            unique.setdefault((say.text, repr(say.values)), say)
    goodbye = Say(text="common.goodbye")
    unique.setdefault((goodbye.text, repr(goodbye.values)), goodbye)
    return tuple(unique.values())


def waits(node: Node) -> bool:
    """Whether a call ever stands still in this node; one that does not is passed within an instant."""
    match node:
        case Goto() | Branch():
            return False
        case Play() | Request() | OptOut():
            return bool(node.say)
        case _:
            return True


def reached(nodes: Mapping[str, Node], start: Iterable[str], along: Callable[[str], Iterable[str]]) -> set[str]:
    """The nodes that can be reached from `start`, these included, `along` giving each node's next ones."""
    found: set[str] = set()
    open_ends = [name for name in start if name in nodes]
    while open_ends:
        name = open_ends.pop()
        if name not in found:
            found.add(name)
            open_ends += [to for to in along(name) if to in nodes]
    return found


def rings(nodes: Mapping[str, Node], along: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """The groups of nodes in which each leads back to itself, each group once, in the order of the file."""
    after = {name: reached(nodes, along(name), along) for name in nodes}
    seen: set[str] = set()
    for name in nodes:
        if name in seen or name not in after[name]:
            continue
        ring = tuple(other for other in nodes if other in after[name] and name in after[other])
        seen.update(ring)
        yield ring


@dataclass(frozen=True, kw_only=True)
class Way:
    """Links of one node that lead to the same node."""

    #: "1", "8, 9", "silence, wrong key" ...
    label: str
    to: str
    follow_up: bool
    #: The node is shown here, under this way; everywhere else it is only named.
    opens: bool


def outline(flow: Flow) -> dict[str, tuple[Way, ...]]:
    """The flow as a tree: the ways on from each node that can be reached, nearest to the start first.

    Each node is opened by the first way that leads to it, the shortest from the start.
    """
    opened = {flow.start}
    tree: dict[str, tuple[Way, ...]] = {}
    row = [flow.start]
    while row:
        name = row.pop(0)
        if name not in flow.nodes:
            continue
        together: dict[str, list[Link]] = {}
        for link in links(flow.nodes[name]):
            together.setdefault(link.to, []).append(link)
        ways = []
        for to, same in together.items():
            label = ", ".join(link.label for link in same)
            follow_up = any(link.follow_up for link in same)
            ways.append(Way(label=label, to=to, follow_up=follow_up, opens=to not in opened))
            if to not in opened:
                opened.add(to)
                row.append(to)
        tree[name] = tuple(ways)
    return tree
