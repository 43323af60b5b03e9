"""A flow as a drawing: one self-contained SVG of cards, left to right, each key's line leading to its card. Pure.

A card stands once, at the end of the shortest way to it; every other way to it is named on the card that it leaves and
is a link within the drawing. So a hotline with "back" and "main menu" on every level stays readable.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from ivr.flow.graph import Way, outline
from ivr.flow.model import Flow
from ivr.flow.node import Node
from ivr.flow.show import spoken
from prompts.sentences import Sentences

# All in pixels.
_CARD = 270
_BETWEEN_COLUMNS = 70
_BETWEEN_CARDS = 22
_MARGIN = 28
_HEAD = 34
_LINE = 17
_ROW = 24
_TITLE = 56
#: Letters of a line of 12 px that are sure to fit into a card.
_LETTERS = 32
_LINES = 3

_STYLE = """
svg { background: #f6f7f9; font-family: system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
.card { fill: #fff; stroke: #d5dae1; }
.title { font-size: 20px; font-weight: 600; fill: #1d2733; }
.about { font-size: 13px; fill: #5a6472; }
.name { font-size: 13px; font-weight: 600; fill: #fff; }
.kind { font-size: 11px; fill: #fff; opacity: .85; }
.said { font-size: 12px; fill: #38424f; }
.cap { fill: #eef1f5; stroke: #cfd6de; }
.key { font-size: 11px; font-weight: 600; fill: #38424f; }
.to { font-size: 12px; fill: #5a6472; }
a .to { fill: #2f6fb3; }
.line { fill: none; stroke: #9aa5b3; stroke-width: 1.6; }
.asked { stroke: #c77d1e; stroke-width: 2.2; }
.star { font-size: 12px; fill: #c77d1e; }
@media (prefers-color-scheme: dark) {
  svg { background: #161b22; } .card { fill: #1f2630; stroke: #39434f; } .title { fill: #e6ebf1; }
  .about, .to { fill: #a4afbc; } .said { fill: #cdd5de; } .cap { fill: #2b3440; stroke: #465260; }
  .key { fill: #e6ebf1; }
  a .to { fill: #7db3ec; } .line { stroke: #66717f; } .asked { stroke: #e0a04a; }
}
@media print { svg { background: none; } }
"""


@dataclass(kw_only=True)
class _Card:
    node: Node
    said: list[str]
    ways: tuple[Way, ...]
    column: int
    y: float = 0

    @property
    def x(self) -> int:
        return _MARGIN + self.column * (_CARD + _BETWEEN_COLUMNS)

    @property
    def ways_at(self) -> float:
        """Top of the first way's row."""
        return self.y + _HEAD + (len(self.said) * _LINE + 12 if self.said else 6)

    @property
    def height(self) -> float:
        return self.ways_at - self.y + len(self.ways) * _ROW + (6 if self.ways else 0)


def flow_svg(flow: Flow, sentences: Sentences) -> str:
    """The drawing as a document of its own."""
    cards, bottom = _laid_out(flow, sentences)
    width = max(card.x for card in cards.values()) + _CARD + _MARGIN
    height = round(bottom + _MARGIN)
    about = f"{flow.kind} · {', '.join(flow.languages)}"
    if flow.main_message:
        about += f" · main message: {flow.main_message}"
    about += " · ★ follow-up question"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        f"<title>{escape(flow.name)}</title>",
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="{_MARGIN}" y="{_MARGIN + 8}">{escape(flow.name)}</text>',
        f'<text class="about" x="{_MARGIN}" y="{_MARGIN + 28}">{escape(about)}</text>',
    ]
    for card in cards.values():
        parts += _lines(card, cards)
    for card in cards.values():
        parts += _drawn(card, flow.main_message)
    return "\n".join([*parts, "</svg>", ""])


def _laid_out(flow: Flow, sentences: Sentences) -> tuple[dict[str, _Card], float]:
    """Each reachable node's card in its place, and the lowest edge of all."""
    tree = outline(flow)
    cards: dict[str, _Card] = {}
    columns = {flow.start: 0}
    for name, ways in tree.items():
        columns |= {way.to: columns[name] + 1 for way in ways if way.opens}
        node = flow.nodes[name]
        said = textwrap.wrap(spoken(node, flow, sentences), _LETTERS, max_lines=_LINES, placeholder="…")
        cards[name] = _Card(node=node, said=said, ways=ways, column=columns[name])

    def place(name: str, top: float) -> float:
        """Put the card and what it opens below `top`; its lower edge with the gap after it."""
        card = cards[name]
        opened = [cards[way.to] for way in card.ways if way.opens and way.to in cards]
        below = top
        for child in opened:
            below = place(child.node.name, below)
        if opened:
            middle = (opened[0].y + opened[-1].y + opened[-1].height) / 2
            card.y = max(top, middle - card.height / 2)
        else:
            card.y = top
        return max(below, card.y + card.height + _BETWEEN_CARDS)

    bottom = place(flow.start, _MARGIN + _TITLE)
    return cards, bottom - _BETWEEN_CARDS


def _lines(card: _Card, cards: dict[str, _Card]) -> Iterator[str]:
    """Curves from the rows of a card to the cards that it opens."""
    for i, way in enumerate(card.ways):
        if not way.opens or way.to not in cards:
            continue
        target = cards[way.to]
        x1, y1 = card.x + _CARD, card.ways_at + i * _ROW + _ROW / 2
        x2, y2 = target.x, target.y + _HEAD / 2
        bend = (x2 - x1) * 0.5
        style = "line asked" if way.follow_up else "line"
        curve = f"M{x1},{y1:g} C{x1 + bend:g},{y1:g} {x2 - bend:g},{y2:g} {x2},{y2:g}"
        yield f'<path class="{style}" d="{curve}"/>'


def _drawn(card: _Card, main_message: str | None) -> Iterator[str]:
    node, x, y = card.node, card.x, card.y
    kind = node.in_words()
    main = any(say.text == main_message for say in node.say)
    yield f'<g id="{escape(node.name, quote=True)}">'
    yield f'<rect class="card" x="{x}" y="{y:g}" width="{_CARD}" height="{card.height:g}" rx="9"/>'
    yield (
        f'<path fill="{node.colour}" d="M{x},{y + _HEAD:g} v{9 - _HEAD} a9,9 0 0 1 9,-9 h{_CARD - 18} a9,9 0 0 1 9,9 '
        f'v{_HEAD - 9} z"/>'
    )
    yield f'<text class="name" x="{x + 12}" y="{y + 22:g}">{escape(_cut(node.name, 20))}</text>'
    about = f"main message · {kind}" if main else kind
    yield f'<text class="kind" x="{x + _CARD - 12}" y="{y + 22:g}" text-anchor="end">{escape(_cut(about, 24))}</text>'
    for i, line in enumerate(card.said):
        yield f'<text class="said" x="{x + 12}" y="{y + _HEAD + 18 + i * _LINE:g}">{escape(line)}</text>'
    for i, way in enumerate(card.ways):
        yield from _row(way, x, card.ways_at + i * _ROW)
    yield "</g>"


def _row(way: Way, x: int, y: float) -> Iterator[str]:
    label = _cut(way.label, 22)
    cap = 14 + 6.6 * len(label)
    yield f'<rect class="cap" x="{x + 10}" y="{y + 3:g}" width="{cap:g}" height="18" rx="5"/>'
    yield f'<text class="key" x="{x + 10 + cap / 2:g}" y="{y + 16:g}" text-anchor="middle">{escape(label)}</text>'
    letters = max(4, int((_CARD - 40 - cap) / 6.6))
    to = f'<text class="to" x="{x + 18 + cap:g}" y="{y + 16:g}">{escape(_cut(way.to, letters))}</text>'
    yield to if way.opens else f'<a href="#{escape(way.to, quote=True)}">{to}</a>'
    if way.follow_up:
        yield f'<text class="star" x="{x + _CARD - 20}" y="{y + 16:g}">★</text>'


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"
