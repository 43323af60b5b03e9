"""The lab's record, from the text of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import PeerError
from ivr.lab.truth import SentKey, load_truth, parse_truth, record_folder

CALLS = """\
10.1,2,79160000001,keys,1795360718.908216,1795360719.909229,1795360728.079696,ANSWERED,16,dialplan/builtin,408,
10.2,3,79160000002,busy,1795360728.081963,0.000000,1795360729.083870,BUSY,17,dialplan/builtin,,
10.3,4,79160000003,no_answer,1795360729.088338,0.000000,1795360759.591993,NO ANSWER,127,PJSIP/site-3,,
10.4,5,79160000004,machine,1795360730.000000,1795360731.000000,1795360735.000000,ANSWERED,0,PJSIP/site-4,150,
10.5,3,79160000002,busy,1795360760.000000,1795360761.000000,1795360763.000000,ANSWERED,0,PJSIP/site-5,100,
10.6,,79999999999,unknown,1795360761.000000,0.000000,1795360761.100000,NO ANSWER,1,dialplan/builtin,,
11.1,9,79160000009,shopper,1795360720.500000,1795360720.700000,1795360725.700000,ANSWERED,16,dialplan/builtin,200,
11.2,10,79160000010,shopper,1795360721.000000,0.000000,1795360721.200000,BUSY,,,,
"""
KEYS = "10.1,1,1795360721.425,100\n10.1,#,1795360722.4262999,300\n"
BEGUN = "10.1\n10.2\n10.3\n10.4\n10.5\n10.6\n10.7\n"


def test_calls_are_grouped_by_number() -> None:
    truth = parse_truth(begun=BEGUN, calls=CALLS, keys=KEYS)
    assert set(truth.subscribers) == {"79160000001", "79160000002", "79160000003", "79160000004", "79999999999"}
    assert set(truth.shoppers) == {"79160000009", "79160000010"}
    assert truth.in_progress == 1


def test_keys_are_timed_from_the_answer() -> None:
    pressed = parse_truth(begun=BEGUN, calls=CALLS, keys=KEYS).subscribers["79160000001"]
    assert pressed.keys == (SentKey(key="1", at_ms=1516, held_ms=100), SentKey(key="#", at_ms=2517, held_ms=300))
    assert (pressed.heard_ms, pressed.calls[0].ended_by, pressed.calls[0].talked_ms) == (8160, "subscriber", 8171)


def test_outcomes_are_what_the_network_saw() -> None:
    truth = parse_truth(begun=BEGUN, calls=CALLS, keys=KEYS)
    assert {number: one.outcome for number, one in truth.subscribers.items()} == {
        "79160000001": "human",
        "79160000002": "human",
        "79160000003": "no_answer",
        "79160000004": "machine",
        "79999999999": "invalid_number",
    }
    assert {number: one.outcome for number, one in truth.shoppers.items()} == {
        "79160000009": "human",
        "79160000010": "busy",
    }


def test_a_number_called_twice_has_both_calls() -> None:
    twice = parse_truth(begun=BEGUN, calls=CALLS, keys=KEYS).subscribers["79160000002"]
    assert [call.outcome for call in twice.calls] == ["busy", "human"]
    assert (twice.answered, twice.heard_ms) == (1, 2000)


@pytest.mark.parametrize(
    ("cause", "source", "outcome"),
    [
        ("16", "dialplan/builtin", "rejected"),
        ("21", "dialplan/builtin", "rejected"),
        ("34", "dialplan/builtin", "congestion"),
        ("19", "dialplan/builtin", "no_answer"),
        ("127", "PJSIP/site-1", "no_answer"),
    ],
)
def test_outcome_of_a_call_that_was_not_answered(cause: str, source: str, outcome: str) -> None:
    line = f"1.1,2,11,rejected,100.000000,0.000000,101.000000,NO ANSWER,{cause},{source},,\n"
    (call,) = parse_truth(begun="", calls=line, keys="").calls
    assert call.outcome == outcome


def test_a_line_that_is_being_written_is_not_read_yet() -> None:
    truth = parse_truth(begun=BEGUN[:-3], calls=CALLS[:-20], keys=KEYS[:-4])
    assert [call.id for call in truth.calls] == ["10.1", "11.1", "10.2", "10.3", "10.4", "10.5", "10.6"]
    assert len(truth.subscribers["79160000001"].keys) == 1


def test_a_lab_that_never_ran_has_recorded_nothing(tmp_path: Path) -> None:
    truth = load_truth(tmp_path)
    assert (truth.calls, truth.in_progress) == ((), 0)


def test_a_record_that_is_no_record(tmp_path: Path) -> None:
    record_folder(tmp_path).mkdir(parents=True)
    (record_folder(tmp_path) / "calls.csv").write_text("not,a,call\n")
    with pytest.raises(PeerError, match="can't be read"):
        load_truth(tmp_path)
