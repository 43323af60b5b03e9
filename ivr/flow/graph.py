"""Which node leads where, and what each says. Pure; works on flows with faults too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ivr.flow.model import Flow
from ivr.flow.node import Link, Node
from ivr.flow.say import FAREWELL, Say


def texts(flow: Flow) -> tuple[Say, ...]:
    """Every text that the flow may say, each once, the machine's own goodbye included."""
    unique: dict[tuple[str, str], Say] = {}
    for node in flow.nodes.values():
        for say in node.says():
            unique.setdefault((say.text, repr(say.values)), say)
    unique.setdefault((FAREWELL.text, repr(FAREWELL.values)), FAREWELL)
    return tuple(unique.values())


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
        for link in flow.nodes[name].links():
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
