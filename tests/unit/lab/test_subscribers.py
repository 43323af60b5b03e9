"""The subscribers file: what is read, and every fault at once with its line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from faults import AuthorError
from ivr.lab import subscribers as subscribers_file
from ivr.lab.subscribers import COLUMNS, Behaviour, KeyPress, load_subscribers, parse_subscribers

HEADER = "number,behaviour,after_s,speech_ms,greeting_s,keys,hang_up_s,start_s,dial\n"


def test_the_file_is_explained_as_a_whole_and_its_example_is_right() -> None:
    text = inspect.getdoc(subscribers_file) or ""
    explained = {line.split()[0] for line in text.splitlines() if line.startswith("    ")}
    assert explained >= {*COLUMNS, *Behaviour}
    example = "\n".join(line.strip() for line in text[text.index("    number,") :].splitlines())
    assert len(parse_subscribers(example)) == 4


def test_every_column_is_read() -> None:
    text = (
        HEADER
        + "+79160000001,keys,0.5,400,,1@4.2;#@9/0.3,12.5,,\n"
        + "79160000002,machine,2,,6.5,,30,,\n"
        + "79160000003,shopper,,,,1@2,9,1.5,74950000000\n"
    )
    keys, machine, shopper = parse_subscribers(text)
    assert (keys.number, keys.line, keys.behaviour) == ("79160000001", 2, Behaviour.KEYS)
    assert keys.keys == (KeyPress(key="1", at_s=4.2), KeyPress(key="#", at_s=9.0, hold_s=0.3))
    assert (keys.after_s, keys.speech_ms, keys.hang_up_s) == (0.5, 400, 12.5)
    assert (machine.greeting_s, machine.after_s, machine.hang_up_s) == (6.5, 2.0, 30.0)
    assert (shopper.start_s, shopper.dial, shopper.number) == (1.5, "74950000000", "79160000003")


def test_columns_may_be_left_out_and_come_in_any_order() -> None:
    (human,) = parse_subscribers("behaviour,number\nhuman,79160000001\n")
    assert (human.after_s, human.speech_ms, human.hang_up_s, human.keys) == (1.0, 600, None, ())


def test_a_number_that_never_answers_rings_for_ever() -> None:
    patient, network = parse_subscribers("number,behaviour,after_s\n11,no_answer,\n12,no_answer,20\n")
    assert (patient.after_s, network.after_s) == (None, 20.0)


def test_a_key_that_is_still_held_ends_when_the_next_one_begins() -> None:
    (held,) = parse_subscribers("number,behaviour,keys\n11,keys,1@2/0.5;2@2.3\n")
    assert [press.key for press in held.keys] == ["1", "2"]
    assert held.keys[0].hold_s == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("12x,listen,,,,,,,", "number '12x' is no number"),
        (",listen,,,,,,,", "number '' is no number"),
        ("11,sing,,,,,,,", "no behaviour 'sing'"),
        ("11,hang_up,,,,,,,", "hang_up needs hang_up_s"),
        ("11,keys,,,,,,,", "keys needs keys"),
        ("11,shopper,,,,,,,", "shopper needs dial"),
        ("11,busy,,,,,5,,", "busy has no hang_up_s"),
        ("11,listen,soon,,,,,,", "after_s 'soon' is no time"),
        ("11,listen,-1,,,,,,", "after_s '-1' is no time"),
        ("11,listen,nan,,,,,,", "after_s 'nan' is no time"),
        ("11,keys,,,,A@1,,,", "'A@1' is no key press"),
        ("11,keys,,,,1 at 4,,,", "'1 at 4' is no key press"),
        ("11,keys,,,,1@5,4,,", "comes after the hang-up"),
        ("11,keys,,,,1@2;2@2.1,,,", "too close"),
        ("11,keys,,,,2@3;1@2,,,", "too close"),
        ("11,keys,,,,1@2/0.01,,,", "held for 0.01 s"),
        ("11,keys,,900,,1@0.5,,,", "before the speech is over (0.9 s)"),
        ("11,machine,,,8,,5,,", "before the speech is over (8.4 s)"),
        ("11,listen,,,,,,,,surplus", "more fields than columns"),
    ],
)
def test_a_fault_names_its_line(row: str, what: str) -> None:
    with pytest.raises(AuthorError) as caught:
        parse_subscribers(HEADER + "79160000001,listen,,,,,,,\n" + row + "\n", "lab.csv")
    (fault,) = caught.value.faults
    assert (fault.where, fault.line) == ("lab.csv", 3)
    assert what in fault.what
    assert fault.mend


def test_all_faults_come_at_once() -> None:
    with pytest.raises(AuthorError) as caught:
        parse_subscribers("number,behaviour,keys\nx,keys,1@1;?@2\n11,sing,\n")
    assert [fault.line for fault in caught.value.faults] == [2, 2, 3]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("number,behavior\n11,busy\n", "There is no column 'behavior'"),
        ("behaviour\nbusy\n", "The column number is missing"),
        ("", "The column number is missing"),
        ("number,behaviour\n", "no subscribers"),
        ('number,behaviour\n"11,busy\n', "no CSV"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(text: str, what: str) -> None:
    with pytest.raises(AuthorError, match=what):
        parse_subscribers(text)


def test_a_file_is_read_with_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "lab.csv"
    path.write_bytes("\ufeffnumber,behaviour\r\n11,busy\r\n".encode())
    assert [subscriber.behaviour for subscriber in load_subscribers(path)] == [Behaviour.BUSY]


def test_a_file_that_is_missing_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match="missing"):
        load_subscribers(tmp_path / "none.csv")
    (tmp_path / "cp1251.csv").write_bytes("number,behaviour\n11,занято\n".encode("cp1251"))
    with pytest.raises(AuthorError, match="UTF-8"):
        load_subscribers(tmp_path / "cp1251.csv")
