"""`ivr prompt read`: the words that the synthesiser would be given."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from faults import AuthorError, Fault, UserError
from prompts.reading import LANGUAGE_CODES
from prompts.reading import read as read_text

#: A longer line is answered with an error and not parsed.
LONGEST_LINE = 1_000_000


def read(
    text: Annotated[str | None, typer.Argument(help='A sentence, such as "Всего {price:money}."')] = None,
    lang: Annotated[str, typer.Option("--lang", "-l", help="ru, uk or en.")] = "ru",
    var: Annotated[list[str] | None, typer.Option("--var", "-v", help="name=value; as many as needed.")] = None,
    jsonl: Annotated[
        str | None,
        typer.Option(help='A file of {"lang", "text", "vars"} lines, - for standard input; "read" is added to each.'),
    ] = None,
) -> None:
    """Print a sentence with its variables in words, as the synthesiser gets it."""
    if jsonl is not None:
        if text is not None:
            raise AuthorError(Fault(what="Both a text and --jsonl are given.", mend="Give one of them."))
        _answer_file(jsonl)
        return
    if text is None:
        raise AuthorError(Fault(what="There is no text.", mend="Give a sentence in quotes, or --jsonl FILE."))
    _write(read_text(lang, text, dict(pair(each) for each in var or ())) + "\n")


def pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals:
        raise AuthorError(Fault(what=f'"{given}" is not a variable.', mend="Write --var name=value.", where="--var"))
    return name.strip(), value


def _answer_file(name: str) -> None:
    if name == "-":
        _answer_lines(sys.stdin.buffer)
        return
    try:
        with Path(name).open("rb") as lines:
            _answer_lines(lines)
    except OSError as error:
        raise AuthorError(
            Fault(what=f"The file can't be read: {error.strerror or error}.", mend="Check its name.", where=Path(name))
        ) from error


def _answer_lines(lines: BinaryIO) -> None:
    try:
        for number, line in _lines(lines):
            _write(answer(line, number) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has had enough; Python must not complain when it flushes at exit.
        sys.stdout = io.TextIOWrapper(io.BytesIO())


def _lines(lines: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines with their 1-based numbers, blank ones left out; an overlong one comes cut and is not kept in memory."""
    number = 0
    while line := lines.readline(LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
            rest = lines.readline(LONGEST_LINE + 1)
        if line.strip():
            yield number, line


def answer(line: bytes, number: int) -> str:
    """The line with "read" added, or with "error"; a line that is no JSON object becomes {"line", "error"}."""
    if len(line.rstrip(b"\r\n")) > LONGEST_LINE:
        return _json({"line": number, "error": f"The line is longer than {LONGEST_LINE} bytes. Split it."})
    try:
        asked: Any = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return _json({"line": number, "error": "The line is not UTF-8. Save the file as UTF-8."})
    except (ValueError, RecursionError) as error:
        return _json({"line": number, "error": f"The line is not JSON: {error}. Mend it."})
    if not isinstance(asked, dict):
        return _json({"line": number, "error": 'The line is not an object. Write {"lang", "text", "vars"}.'})
    asked.pop("error", None)
    try:
        asked["read"] = _reading(asked)
    except UserError as error:
        asked.pop("read", None)
        asked["error"] = str(error)
    return _json(asked)


def _reading(asked: dict[str, Any]) -> str:
    language, text = asked.get("lang"), asked.get("text")
    given = asked.get("vars", {})
    if not isinstance(language, str) or language not in LANGUAGE_CODES:
        raise _wrong("lang", f"Write one of {', '.join(LANGUAGE_CODES)}.")
    if not isinstance(text, str):
        raise _wrong("text", "Write the sentence as a text.")
    if not isinstance(given, dict):
        raise _wrong("vars", "Write the values as an object.")
    return read_text(language, text, {name: _value(name, value) for name, value in given.items()})


def _value(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return str(value)
        except ValueError:
            raise _wrong(name, "Give a shorter number.") from None
    if value is None:
        return ""
    raise _wrong(name, "Give the value as a text or a number.")


def _wrong(name: str, mend: str) -> AuthorError:
    return AuthorError(Fault(what=f'"{name}" is missing or of the wrong type.', mend=mend, where=name))


def _json(data: dict[str, Any]) -> str:
    try:
        said = json.dumps(data, ensure_ascii=False)
        said.encode()
    except (ValueError, RecursionError):
        # Half a surrogate pair is legal in JSON's escapes and nowhere else.
        try:
            return json.dumps(data)
        except (ValueError, RecursionError) as error:
            return json.dumps({"error": f"The line can't be written back: {error}."})
    return said


def _write(text: str) -> None:
    """To standard output as UTF-8, whatever the terminal's locale."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode("utf-8", "backslashreplace"))
    buffer.flush()
