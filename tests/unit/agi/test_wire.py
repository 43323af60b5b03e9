"""FastAGI bytes: what Asterisk sends, what it reads, and what neither may be made to read."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.agi.wire import (
    COMMAND_MAX,
    HANGUP,
    LINE_MAX,
    BadCommand,
    BadHeaders,
    BadReply,
    Hangup,
    Reply,
    ReplyReader,
    command,
    parse_opening,
    parse_reply,
)

OPENING = b"""agi_network: yes
agi_network_script: inbound?tenant=shop
agi_request: agi://127.0.0.1:4573/inbound?tenant=shop
agi_channel: PJSIP/trunk-00000003
agi_uniqueid: 1763820000.7
agi_callerid: +79161234567
agi_calleridname: %s
agi_arg_1: +78001234567
agi_arg_2:\x20
agi_arg_3: last"""


def words(line: bytes) -> list[str]:
    """Split a command as Asterisk does: blanks part words, quotes group, a backslash takes the next letter as it is."""
    found: list[bytearray] = []
    quoted = escaped = False
    between = True
    for byte in line.removesuffix(b"\n"):
        letter = bytes([byte])
        if letter == b'"' and not escaped:
            quoted = not quoted
            if quoted and between:
                found.append(bytearray())
                between = False
        elif letter in (b" ", b"\t") and not quoted and not escaped:
            between = True
        elif letter == b"\\" and not escaped:
            escaped = True
        else:
            if between:
                found.append(bytearray())
                between = False
            found[-1] += letter
            escaped = False
    return [word.decode() for word in found]


def test_opening_names_service_caller_and_arguments() -> None:
    opening = parse_opening(OPENING % b"Ivan")
    assert (opening.script, opening.uniqueid, opening.caller) == ("inbound", "1763820000.7", "+79161234567")
    assert opening.args == ("+78001234567", "", "last")
    assert opening.header("channel") == "PJSIP/trunk-00000003"
    assert opening.header("no_such") == ""


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Иван".encode(), "Иван"),
        ("Иван".encode("cp1251"), "Èâàí"),
        (b"\xff\xfe\x00", "ÿþ\x00"),
        (b'"; DROP: x', '"; DROP: x'),
    ],
)
def test_caller_names_of_any_bytes_are_read(raw: bytes, name: str) -> None:
    assert parse_opening(OPENING % raw).header("calleridname") == name


def test_a_line_smuggled_into_the_caller_name_changes_nothing_before_it() -> None:
    assert parse_opening(OPENING % b"x\nagi_uniqueid: other").uniqueid == "1763820000.7"


def test_withheld_number_is_empty() -> None:
    assert parse_opening(b"agi_uniqueid: 1\nagi_callerid: unknown").caller == ""


@pytest.mark.parametrize("block", [b"", b"agi_channel: x", b"GET / HTTP/1.1", b"agi_uniqueid: 1\njunk"])
def test_other_openings_are_refused(block: bytes) -> None:
    with pytest.raises(BadHeaders):
        parse_opening(block)


@given(st.text(st.characters(blacklist_characters="\r\n\0", blacklist_categories=["Cs"]), max_size=200))
def test_every_argument_reaches_asterisk_as_it_is(argument: str) -> None:
    assert words(command("SET VARIABLE", "NAME", argument)) == ["SET", "VARIABLE", "NAME", argument]


@pytest.mark.parametrize("argument", ["a\nHANGUP", "a\rb", "a\0b"])
def test_an_argument_cannot_start_a_second_command(argument: str) -> None:
    with pytest.raises(BadCommand):
        command("SET VARIABLE", "NAME", argument)


def test_commands_fit_into_what_asterisk_reads_at_once() -> None:
    room = COMMAND_MAX - len(command("SET VARIABLE", "NAME", ""))
    assert len(command("SET VARIABLE", "NAME", "ж" * (room // 2))) in (COMMAND_MAX, COMMAND_MAX - 1)
    with pytest.raises(BadCommand):
        command("SET VARIABLE", "NAME", "x" * (room + 1))


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=0", Reply(200, 0)),
        (b"200 result=-1 endpos=16160", Reply(200, -1, 16160)),
        (b"200 result=49 endpos=160", Reply(200, 49, 160)),
        (b"200 result=0 endpos=-1", Reply(200, 0, -1)),
        (b"200 result=-1 (hangup) endpos=8", Reply(200, -1, 8, "hangup")),
        (b"200 result=1 (ANSWER)", Reply(200, 1, None, "ANSWER")),
        (b"200 result=1 (a (b) endpos=7 c)", Reply(200, 1, None, "a (b) endpos=7 c")),
        (b"200 result=1 ()", Reply(200, 1, None, "")),
        (b"200 result= (timeout)", Reply(200, None, None, "timeout")),
        ("200 result=1 (Мир)".encode(), Reply(200, 1, None, "Мир")),
        (b"510 Invalid or unknown command", Reply(510)),
        (b"511 Command Not Permitted on a dead channel", Reply(511)),
        (b"520 Invalid command syntax.  Proper usage not available.", Reply(520)),
    ],
)
def test_replies(line: bytes, reply: Reply) -> None:
    assert parse_reply(line) == reply


@pytest.mark.parametrize("line", [b"hello", b"20 result=0", b"2000 result=0", b"\xff\xfe"])
def test_no_reply_of_asterisk(line: bytes) -> None:
    with pytest.raises(BadReply):
        parse_reply(line)


CONVERSATION = (
    b"100 Trying...\n200 result=-1 endpos=16160\nHANGUP\n511 Command Not Permitted on a dead channel\r\n"
    b"520-Invalid command syntax.  Proper usage follows:\nUsage: STREAM FILE\n 200 result=5\nHANGUP\n"
    b"520 End of proper usage.\n200 result=1 (x)\n"
)
EXPECTED: list[Reply | Hangup] = [
    Reply(200, -1, 16160),
    HANGUP,
    Reply(511),
    Reply(520),
    Reply(200, 1, None, "x"),
]


@given(st.lists(st.integers(0, len(CONVERSATION)), max_size=12))
def test_replies_do_not_depend_on_how_the_network_cuts_them(cuts: list[int]) -> None:
    reader = ReplyReader()
    found: list[Reply | Hangup] = []
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    for begin, end in pairwise(edges):
        found += reader.feed(CONVERSATION[begin:end])
    assert found == EXPECTED


def test_a_line_without_end_is_not_collected_for_ever() -> None:
    with pytest.raises(BadReply):
        ReplyReader().feed(b"2" * (LINE_MAX + 1))
