from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from reports.charts import NARROW, WIDE, Size, bar, columns, curve
from reports.rate import Rate

SVG_NUMBERS = ("x", "y", "x1", "x2", "y1", "y2", "width", "height")


def inside(svg: str, size: Size) -> None:
    """Every drawn point lies inside the picture."""
    for element in ElementTree.fromstring(svg).iter():  # noqa: S314 - our own markup
        for name in SVG_NUMBERS:
            assert 0 <= float(element.get(name, "0")) <= size.width, (name, element.attrib)
        for point in element.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= size.width
            assert 0 <= y <= size.height


@given(st.lists(st.integers(0, 50), min_size=2, max_size=120), st.sampled_from([WIDE, NARROW]))
def test_a_curve_stays_in_its_picture(parts: list[int], size: Size) -> None:
    svg = curve([Rate(part, 50) for part in parts], size, title="t", percent="{:.0%}".format)
    inside(svg, size)
    line = next(e for e in ElementTree.fromstring(svg).iter("polyline"))  # noqa: S314
    assert len(line.attrib["points"].split()) == len(parts)


@given(st.lists(st.integers(0, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=24))
def test_columns_stay_in_their_picture(values: list[tuple[int, int]]) -> None:
    svg = columns([(str(hour), whole, part) for hour, (whole, part) in enumerate(values)], WIDE, title="t", count=str)
    assert bool(svg) == bool(values)
    if svg:
        inside(svg, WIDE)
        assert svg.count("<rect") == 2 * len(values)


def test_nothing_to_draw_is_nothing_drawn() -> None:
    assert curve([Rate(0, 0), Rate(0, 0)], WIDE, title="t", percent=str) == ""
    assert curve([], WIDE, title="t", percent=str) == ""
    assert columns([], WIDE, title="t", count=str) == ""


def test_texts_are_escaped() -> None:
    svg = curve([Rate(1, 1), Rate(1, 1)], WIDE, title='"><script>', percent=lambda _: "<b>")
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert "<i>" not in columns([("<i>", 1, 1)], WIDE, title="t", count=str)


def test_a_bar_is_as_long_as_its_share() -> None:
    assert 'class="fill" width="47.5"' in bar(0.475)
    assert 'width="100" height="8"/></svg>' in bar(7.0)
    assert 'class="pale" width="0"' in bar(None, strong=False)
