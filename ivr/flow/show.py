"""A flow as a tree of text, for the terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ivr.flow.graph import Way, outline
from ivr.flow.model import Flow
from ivr.flow.node import Node
from ivr.flow.say import Say
from prompts.languages import Language
from prompts.sentences import Sentences

_VARIABLE = re.compile(r"\{(\w+):[^}]*\}")
_EXCERPT = 60


def flow_text(flow: Flow, sentences: Sentences) -> str:
    """The tree of the flow: each node once, under the shortest way to it; `^` marks a node shown elsewhere."""
    head = f"{flow.name}: {flow.kind} in {', '.join(flow.languages)}"
    if flow.main_message:
        head += f"; main message {flow.main_message}"
    legend = "* follow-up question   ^ shown elsewhere in the tree"
    tree = outline(flow)
    start = flow.nodes.get(flow.start)
    if start is None:
        return head
    rows = [_title(start, flow, sentences), *_branches(flow, sentences, tree, flow.start)]
    return "\n".join([head, "", *rows, "", legend])


def _branches(flow: Flow, sentences: Sentences, tree: dict[str, tuple[Way, ...]], name: str) -> Iterator[str]:
    ways = tree.get(name, ())
    for way in ways:
        last = way is ways[-1]
        label = f"{way.label}{' *' if way.follow_up else ''}"
        node = flow.nodes.get(way.to)
        title = _title(node, flow, sentences) if node is not None and way.opens else f"^ {way.to}"
        yield f"{'└─' if last else '├─'} {label}: {title}"
        if way.opens:
            for row in _branches(flow, sentences, tree, way.to):
                yield f"{'   ' if last else '│  '}{row}"


def _title(node: Node, flow: Flow, sentences: Sentences) -> str:
    words = _excerpt(node, flow, sentences)
    return f"{node.name} [{node.in_words()}]" + (f" {words}" if words else "")


def spoken(node: Node, flow: Flow, sentences: Sentences) -> str:
    """What the node says, in the flow's first language: constants as the flow has them, variables as <name>."""
    return " ".join(_shown(say, flow.languages[0], sentences) for say in node.say)


def _shown(say: Say, language: Language, sentences: Sentences) -> str:
    constants = say.values_in(language, {})
    sentence = sentences.get(language, say.text)
    if sentence is None:
        return say.text
    return _VARIABLE.sub(lambda found: constants.get(found[1], f"<{found[1]}>"), sentence.text)


def _excerpt(node: Node, flow: Flow, sentences: Sentences) -> str:
    text = spoken(node, flow, sentences)
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1].rsplit(" ", 1)[0].rstrip(",.;:—- ") + "…"
