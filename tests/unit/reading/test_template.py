"""The template: what is a variable, what is a fault, and what the flow checker learns."""

from __future__ import annotations

import pytest

from prompts.reading import Kind, TemplateError, Variable, parse, read, variables
from prompts.reading.cases import Case
from prompts.reading.template import Literal


def test_literals_and_variables_alternate() -> None:
    assert parse("Всего {price:money USD}.") == (
        Literal("Всего "),
        Variable("price", Kind.MONEY, "USD"),
        Literal("."),
    )


def test_lists_variables_with_types() -> None:
    found = variables("{n:count новый магазин} до {d:date year} и {n:number}")
    assert [(each.name, each.kind, each.argument) for each in found] == [
        ("n", "count", "новый магазин"),
        ("d", "date", "year"),
        ("n", "number", ""),
    ]


def test_case_is_the_authors_choice() -> None:
    assert variables("{p:money case=gen}")[0].case is Case.GEN
    assert variables("{n:count магазин case=ins}")[0].argument == "магазин"


def test_doubled_braces_are_braces() -> None:
    assert read("ru", "{{x}} {n:number}", {"n": "1"}) == "{x} один"


def test_no_variables_at_all() -> None:
    assert read("en", "Hello.", {}) == "Hello."
    assert read("en", "", {}) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{price}", "no type"),
        ("{price:}", "no type"),
        ("{price:cash}", "no type"),
        ("{:money}", "not a variable's name"),
        ("{a b:money}", "not a variable's name"),
        ("{1:money}", "not a variable's name"),
        ("Всего {price:money", "not closed"),
        ("Всего {price:{money}}", "not closed"),
        ("Всего price:money}", "closes nothing"),
        ("{p:money XXX}", "not a known currency"),
        ("{n:count}", "no noun"),
        ("{n:count 5 магазин}", "not a noun phrase"),
        ("{d:date month}", "date takes no"),
        ("{d:digits 0}", "not a size of groups"),
        ("{d:digits two}", "not a size of groups"),
        ("{t:time short}", "time takes no"),
        ("{p:money case=genitive}", "no case"),
        ("{p:money case=dist}", "no case"),
        ("{p:money size=2}", "no option"),
        ("x" * 30_000, "characters"),
    ],
)
def test_faults_are_told(text: str, told: str) -> None:
    with pytest.raises(TemplateError) as raised:
        variables(text)
    assert told in str(raised.value).replace("There is no type", "no type")
    assert all(fault.mend for fault in raised.value.faults)


def test_unknown_language() -> None:
    with pytest.raises(TemplateError, match="no language"):
        read("de", "Hallo", {})
