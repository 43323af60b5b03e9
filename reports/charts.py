"""Charts as inline SVG. Pure: numbers and ready-made labels in, markup out. Colours are classes of page.css.

A chart repeats what a table beside it says, so each is one image to a screen reader, named by its `title`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from reports.rate import Rate

_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300)


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of a drawing, in its own units, which are about a pixel at the width that it is meant for."""

    width: int
    height: int
    #: At most so many labels along the bottom.
    labels: int
    #: Room for the labels at the left.
    left: int


WIDE = Size(width=960, height=320, labels=20, left=60)
NARROW = Size(width=340, height=220, labels=6, left=46)

#: Room at the other sides.
_TOP, _RIGHT, _BOTTOM = 10, 14, 26


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _points(points: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _image(size: Size, title: str, kind: str, parts: Iterable[Markup]) -> Markup:
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        kind, size.width, size.height, title, Markup("").join(parts)
    )


def _text(x: float, y: float, anchor: str, text: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_number(x), _number(y), anchor, text)


def _gridline(size: Size, y: float, label: str, *, base: bool) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>{}').format(
        "base" if base else "grid",
        size.left,
        size.width - _RIGHT,
        _number(y),
        _number(y),
        _text(size.left - 6, y + 4, "end", label),
    )


def bar(share: float | None, *, strong: bool = True) -> Markup:
    """A horizontal bar that fills its box from the left by `share`; only the track for None."""
    width = _number(100 * min(1.0, max(0.0, share or 0.0)))
    fill = Markup('<rect class="{}" width="{}" height="8"/>').format("fill" if strong else "pale", width)
    return Markup(
        '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/>{}</svg>'
    ).format(fill)


def curve(rates: Sequence[Rate], size: Size, *, title: str, percent: Callable[[float], str]) -> Markup:
    """The share at each second, with its interval as a band. Empty when there is nothing to take a share of."""
    shares = [rate.share for rate in rates if rate.share is not None]
    bands = [rate.interval for rate in rates if rate.interval is not None]
    if len(shares) < 2:
        return Markup("")
    width, height = size.width - size.left - _RIGHT, size.height - _TOP - _BOTTOM

    def x(second: int) -> float:
        return size.left + width * second / (len(shares) - 1)

    def y(share: float) -> float:
        return _TOP + height * (1 - share)

    upper = [(x(t), y(high)) for t, (_, high) in enumerate(bands)]
    lower = [(x(t), y(low)) for t, (low, _) in enumerate(bands)]
    line = [(x(t), y(share)) for t, share in enumerate(shares)]
    area = [*line, (x(len(shares) - 1), y(0)), (x(0), y(0))]
    last = len(shares) - 1
    step = next((step for step in _STEPS if last / step <= size.labels), _STEPS[-1])
    parts = [_gridline(size, y(level), percent(level), base=level == 0) for level in (0, 0.25, 0.5, 0.75, 1)]
    parts += [_text(x(t), size.height - 8, "middle", str(t)) for t in range(0, last + 1, step)]
    parts.append(Markup('<polygon class="area" points="{}"/>').format(_points(area)))
    parts.append(Markup('<polygon class="band" points="{}"/>').format(_points([*upper, *reversed(lower)])))
    parts.append(Markup('<polyline class="line" points="{}"/>').format(_points(line)))
    return _image(size, title, "curve", parts)


def _ceiling(value: int) -> int:
    """The next round number that halves to a whole one: 2, 4, 10, 20, 40, 100 …"""
    power = 1
    while True:
        for factor in (2, 4, 6, 10):
            if factor * power >= value:
                return factor * power
        power *= 10


def columns(values: Sequence[tuple[str, int, int]], size: Size, *, title: str, count: Callable[[int], str]) -> Markup:
    """A column per (label, whole, part): the whole pale, the part of it dark. Empty for no values."""
    if not values:
        return Markup("")
    top = _ceiling(max(whole for _, whole, _ in values))
    width, height = size.width - size.left - _RIGHT, size.height - _TOP - _BOTTOM
    slot = width / max(len(values), 6)
    every = next(step for step in (1, 2, 3, 4, 6, 12, 24) if len(values) / step <= 2 * size.labels or step == 24)

    def column(place: int, kind: str, value: int) -> Markup:
        tall = height * value / top
        return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>').format(
            kind,
            _number(size.left + slot * (place + 0.14)),
            _number(_TOP + height - tall),
            _number(slot * 0.72),
            _number(tall),
        )

    parts = [
        _gridline(size, _TOP + height * (1 - level / top), count(level), base=level == 0)
        for level in (0, top // 2, top)
    ]
    for place, (label, whole, part) in enumerate(values):
        parts += [column(place, "pale", whole), column(place, "fill", part)]
        if place % every == 0:
            parts.append(_text(size.left + slot * (place + 0.5), size.height - 8, "middle", escape(label)))
    return _image(size, title, "columns", parts)
