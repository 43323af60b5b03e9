"""What a subscriber does becomes steps of the lab's dialplan."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.lab.dialplan import rows, shoppers, sounds, steps
from ivr.lab.subscribers import parse_subscribers

SOUNDS = Path("/sounds")
WAIT = "Wait(7200)"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("11,listen,,,,,,,", ["Ringing()", "Wait(1)", "Answer()", "Gosub(answered,s,1)", WAIT, "Hangup()"]),
        ("11,busy,0,,,,,,", ["Hangup(17)"]),
        ("11,rejected,2,,,,,,", ["Ringing()", "Wait(2)", "Hangup()"]),
        ("11,unallocated,0,,,,,,", ["Hangup(1)"]),
        ("11,congestion,0,,,,,,", ["Hangup(34)"]),
        ("11,no_answer,,,,,,,", ["Ringing()", WAIT, "Hangup(19)"]),
        (
            "11,keys,0,500,,1@4.2;2@9/0.25,12,,",
            [
                "Ringing()",
                "Answer()",
                "Gosub(answered,s,1)",
                "Playback(/sounds/word-500)",
                "Gosub(key,s,1(1,4.2,100))",
                "Gosub(key,s,1(2,9,250))",
                "Gosub(until,s,1(12))",
                "Hangup()",
            ],
        ),
        (
            "11,machine,0,,3.5,,,,",
            [
                "Ringing()",
                "Answer()",
                "Gosub(answered,s,1)",
                "Playback(/sounds/greeting-3.5)",
                "Playback(/sounds/beep)",
                WAIT,
                "Hangup()",
            ],
        ),
    ],
)
def test_steps(row: str, expected: list[str]) -> None:
    header = "number,behaviour,after_s,speech_ms,greeting_s,keys,hang_up_s,start_s,dial\n"
    (subscriber,) = parse_subscribers(header + row)
    assert list(steps(subscriber, SOUNDS)) == expected


def test_rows_of_one_number_are_its_successive_calls() -> None:
    found = parse_subscribers("number,behaviour\n11,busy\n22,human\n11,listen\n")
    by_number = rows(found, SOUNDS)
    assert [row.extension for row in by_number["11"]] == ["11-1", "11-2"]
    assert [row.subscriber.behaviour for row in by_number["11"]] == ["busy", "listen"]


def test_shoppers_are_no_subscribers() -> None:
    found = parse_subscribers("number,behaviour,dial\n11,shopper,74950000000\n11,shopper,74950000000\n")
    assert rows(found, SOUNDS) == {}
    assert [row.extension for row in shoppers(found, SOUNDS)] == ["line2", "line3"]


def test_sounds_are_as_long_as_the_file_says() -> None:
    found = parse_subscribers(
        "number,behaviour,speech_ms,greeting_s\n11,human,450,\n22,machine,,2.5\n33,machine,,2.5\n"
    )
    assert {name: len(samples) for name, samples in sounds(found).items()} == {
        "word-450": 3600,
        "greeting-2.5": 20000,
        "beep": 3200,
    }
