"""What of a contacts file callers can't be told."""

from __future__ import annotations

import pytest

from ivr.flow.load import load_flows
from ivr.flow.model import Flow
from ivr.resources import resource_dir
from outbound.columns import UnreadableValues
from people.contacts import Contact
from prompts.sentences import SHIPPED, Sentences, load_sentences


@pytest.fixture(scope="module")
def sentences() -> Sentences:
    return load_sentences(SHIPPED)


@pytest.fixture(scope="module")
def promo(sentences: Sentences) -> Flow:
    return load_flows(resource_dir("dialplans"), sentences)["promo"]


def notes(promo: Flow, sentences: Sentences, *people: dict[str, str]) -> list[tuple[int, str]]:
    values = UnreadableValues(promo, sentences)
    for line, person in enumerate(people, 2):
        name = person.pop("name", "")
        values.look(Contact(line=line, phones=("+79161234567",), name=name, language="en", variables=person))
    return list(values.notes())


def test_what_can_be_said_is_not_noted(promo: Flow, sentences: Sentences) -> None:
    good = {"name": "Anna", "price": "1 201,50", "discount": "15", "until": "01.12.2026", "screen": '27"', "sku": "?!"}
    assert notes(promo, sentences, good, {"price": ""}, {}) == []


def test_the_first_of_each_is_shown_and_the_others_are_counted(promo: Flow, sentences: Sentences) -> None:
    first, second = notes(promo, sentences, {"price": "5"}, {"price": "free"}, {"price": "gift", "until": "2026-13-45"})
    assert first == (
        3,
        'price: "free" is not an amount. Write it as 1201.50 or 1 201,50. '
        "As it is, 2 people hear: Any of our shops will tell you the exact price.",
    )
    assert second[0] == 4
    assert second[1].startswith('until: "2026-13-45" is not a date.')
