"""FastAGI as bytes: the header block, one command, the replies. Pure: no sockets, no clock.

Facts are from Asterisk's res_agi.c (22) and from runs against 22.10.1:

- The peer opens with lines `agi_name: value`, ended by an empty line; caller names come as the network sent them.
- A command is one line of at most 2047 bytes. Words are split at blanks; double quotes group, a backslash escapes.
- A reply is `200 result=…`, `510 …`, `511 …`, or `520-…` lines closed by a `520 …` line; `100 …` announces one.
- `HANGUP` is a line of its own, between replies, never a reply. It is sent before the next command is read.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Asterisk reads a command with fgets() into 2048 bytes: one is the terminator.
COMMAND_MAX = 2047
#: A header block larger than this is no Asterisk's: its own have about 700 bytes.
HEADERS_MAX = 16384
#: A reply line longer than this is no Asterisk's.
LINE_MAX = 8192

_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"'})
_BREAKS_THE_LINE = re.compile("[\x00\r\n]")
_HEADER = re.compile(rb"agi_[^:\n]*:[^\n]*")
#: A header block and nothing else; one look costs less than one for each line.
_HEADERS = re.compile(rb"(?:agi_[^:\n]*:[^\n]*(?:\n|\Z))+\Z")
#: Of some 20 headers, those that a call needs.
_NEEDED = re.compile(rb"^agi_(network_script|uniqueid|callerid|arg_\d+):([^\n]*)", re.MULTILINE)


class BadHeaders(ValueError):
    """The peer's opening is not that of an Asterisk."""


class BadCommand(ValueError):
    """The command can't be sent as one AGI line."""


class BadReply(ValueError):
    """The peer answers what no Asterisk would."""


class Opening(NamedTuple):
    """What Asterisk tells of the channel when it connects."""

    #: `agi_network_script` without its `?query`: which service is asked for (`inbound`, `outbound`).
    script: str
    #: Arguments of the dialplan's AGI(), in order.
    args: tuple[str, ...]
    uniqueid: str
    #: The caller's number as the network gave it; "" when withheld.
    caller: str
    #: Every header as it came.
    block: bytes
    #: `key=` of agi_network_script's query: what only this site's dialplan knows; "" when there is none.
    key: str = ""
    #: `answered=1` of the query: the dialplan has answered the call already.
    answered: bool = False

    def header(self, name: str) -> str:
        """The header `agi_<name>`; "" when there is none."""
        found = re.search(rb"^agi_%b:([^\n]*)" % re.escape(name.encode()), self.block, re.MULTILINE)
        return decode(found[1].strip()) if found else ""


def decode(raw: bytes) -> str:
    """The text of `raw`: UTF-8, or else every byte as its own letter (Latin-1), so that no caller name is refused."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_opening(block: bytes) -> Opening:
    """The opening in `block`, the header lines without the closing empty line.

    A name that comes twice keeps its first value, so that a line break smuggled into a caller name can't replace
    what Asterisk wrote before it. Raises BadHeaders when it is no AGI header block.
    """
    if not _HEADERS.match(block):
        for line in block.split(b"\n"):
            if line.strip() and not _HEADER.match(line):
                raise BadHeaders(f"not an AGI header: {line[:40]!r}")
    needed: dict[bytes, bytes] = dict(reversed(_NEEDED.findall(block)))
    uniqueid = needed.get(b"uniqueid")
    if uniqueid is None:
        raise BadHeaders("agi_uniqueid is missing")
    args: list[str] = []
    while (arg := needed.get(b"arg_%d" % (len(args) + 1))) is not None:
        args.append(decode(arg.strip()))
    caller = decode(needed.get(b"callerid", b"").strip())
    script, _, query = needed.get(b"network_script", b"").strip().partition(b"?")
    words = query.split(b"&")
    return Opening(
        script=decode(script),
        args=tuple(args),
        uniqueid=decode(uniqueid.strip()),
        caller="" if caller == "unknown" else caller,
        key=next((decode(word[4:]) for word in words if word.startswith(b"key=")), ""),
        answered=b"answered=1" in words,
        block=block,
    )


def quote(argument: str) -> str:
    """`argument` as one word of an AGI command. Raises BadCommand for a line break or NUL: it would end the command."""
    if found := _BREAKS_THE_LINE.search(argument):
        raise BadCommand(f"an AGI argument can't hold {found.group()!r}")
    return f'"{argument.translate(_ESCAPES)}"'


def command(verb: str, *arguments: str | int) -> bytes:
    """One command line. `verb` is trusted (`STREAM FILE`); every text argument is quoted.

    Raises BadCommand when it can't be said in one line of COMMAND_MAX bytes.
    """
    words = [verb, *(str(word) if isinstance(word, int) else quote(word) for word in arguments)]
    line = f"{' '.join(words)}\n".encode()
    if len(line) > COMMAND_MAX:
        raise BadCommand(f"{verb}: {len(line)} bytes are more than an AGI command may have ({COMMAND_MAX})")
    return line


class Reply(NamedTuple):
    """What Asterisk answered to one command."""

    #: 200; 510 unknown command; 511 not permitted on a dead channel; 520 wrong usage; 0: the peer went away instead.
    code: int
    #: `result=`: a number for most commands; -1 is a failure or a hang-up; None when there is no number.
    result: int | None = None
    #: `endpos=`: samples; None when the command has none.
    endpos: int | None = None
    #: What stands in brackets: a variable's value, `timeout`, `hangup`; None when nothing does.
    value: str | None = None


class Hangup:
    """The `HANGUP` line: the caller is gone."""


HANGUP: Final = Hangup()
#: The answer to whatever was asked when the link ended.
GONE: Final = Reply(0)

#: A number with more digits is no Asterisk's: it counts in 64 bits at most.
_DIGITS_MAX = 18
_RESULT = re.compile(rb"200 result=(-?\d{1,18})(?: endpos=(-?\d{1,18}))?(?:\r?\n)?\Z")


def parse_reply(line: bytes) -> Reply:
    """The reply in `line`, without its line end. Raises BadReply when it is none."""
    if found := _RESULT.match(line):
        return _result(found)
    code, _, rest = line.partition(b" ")
    if len(code) != 3 or not code.isdigit():
        raise BadReply(f"not an AGI reply: {line[:40]!r}")
    # A value may hold blanks, brackets and "endpos=": it ends at the last bracket of the line.
    before, opened, inside = rest.partition(b"(")
    value, closed, after = inside.rpartition(b")")
    words = before + b" " + after if opened and closed else rest
    return Reply(
        int(code),
        _number(words, b"result="),
        _number(words, b"endpos="),
        decode(value) if opened and closed else None,
    )


def _result(found: re.Match[bytes]) -> Reply:
    result, endpos = found.groups()
    return Reply(200, int(result), None if endpos is None else int(endpos))


def _number(words: bytes, name: bytes) -> int | None:
    for word in words.split():
        if word.startswith(name):
            digits = word[len(name) :]
            if len(digits) > _DIGITS_MAX + 1:
                raise BadReply(f"a number of {len(digits)} digits")
            return int(digits) if digits.removeprefix(b"-").isdigit() else None
    return None


class ReplyReader:
    """Bytes in, replies and HANGUP out, however the network cut them."""

    __slots__ = ("_in_usage", "_rest")

    def __init__(self, rest: bytes = b"") -> None:
        self._rest = rest
        self._in_usage = False

    def feed(self, data: bytes) -> list[Reply | Hangup]:
        """What is complete with `data`. Raises BadReply for a line that no Asterisk sends; the reader is then spent."""
        if not self._rest and not self._in_usage and data.endswith(b"\n") and (found := _RESULT.match(data)):
            # Nearly always: one whole reply.
            return [_result(found)]
        if self._rest:
            data = self._rest + data
        *lines, self._rest = data.split(b"\n")
        if len(self._rest) > LINE_MAX:
            raise BadReply(f"a reply line of more than {LINE_MAX} bytes")
        replies: list[Reply | Hangup] = []
        for line in lines:
            if line.endswith(b"\r"):
                line = line[:-1]
            if self._in_usage:
                if line.startswith(b"520 "):
                    self._in_usage = False
                    replies.append(Reply(520))
            elif line == b"HANGUP":
                replies.append(HANGUP)
            elif line.startswith(b"520-"):
                self._in_usage = True
            elif line and not line.startswith(b"100 "):
                replies.append(parse_reply(line))
        return replies
