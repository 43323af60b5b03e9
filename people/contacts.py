"""Read a contacts file as marketers make it: any of their encodings, delimiters and spellings, row by row.

It knows nothing of the database. The file as a whole is refused (AuthorError) only when no row could be right; a row is
refused on its own, with its line and reason, and the rest goes on. No more than one row is held at a time.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, get_args

from faults import AuthorError, Fault
from people.numbers import read_phone, read_phones
from prompts.files import open_file, read_lines
from prompts.languages import Language

#: A longer line is no contact.
MAX_LINE = 64 * 1024
#: A quoted cell may hold so many line ends; a quote that is not closed by then was none.
MAX_LINES_OF_ROW = 20
MAX_NAME = 200

_DELIMITERS = ";\t,"

_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("phone", "phone number", "telephone", "tel", "mobile", "msisdn", "number"), "phone"),
    **dict.fromkeys(("телефон", "номер", "номер телефона", "тел", "мобильный", "моб", "сотовый"), "phone"),
    **dict.fromkeys(("номер телефону", "мобільний", "контактный телефон"), "phone"),
    **dict.fromkeys(("мобильный телефон", "домашний телефон", "рабочий телефон", "сотовый телефон"), "phone"),
    **dict.fromkeys(("второй телефон", "доп телефон", "дополнительный телефон", "другой телефон"), "phone"),
    **dict.fromkeys(("мобільний телефон", "домашній телефон", "робочий телефон", "додатковий телефон"), "phone"),
    **dict.fromkeys(("mobile phone", "home phone", "work phone", "second phone", "other phone", "cell phone"), "phone"),
    **dict.fromkeys(("name", "first name", "имя", "имя клиента", "фио", "клиент", "ім'я", "імя", "піб"), "name"),
    **dict.fromkeys(("language", "lang", "язык", "мова"), "language"),
}

_LANGUAGES: Mapping[str, Language] = {
    **dict.fromkeys(("ru", "rus", "ru-ru", "russian", "рус", "русский", "російська"), "ru"),
    **dict.fromkeys(("uk", "ua", "ukr", "uk-ua", "ukrainian", "укр", "украинский", "українська"), "uk"),
    **dict.fromkeys(("en", "eng", "en-us", "en-gb", "english", "англ", "английский", "англійська"), "en"),
}

RefusedReason = Literal["invalid_number", "duplicate", "unreadable"]
REFUSED_REASONS: tuple[RefusedReason, ...] = get_args(RefusedReason)


@dataclass(frozen=True, kw_only=True)
class Contact:
    """A row that can be dialled."""

    line: int
    #: E.164, in the order of the file: the first is tried first.
    phones: tuple[str, ...]
    name: str
    language: Language
    #: Further columns by their header; empty cells are left out, so that a text's fallback is spoken.
    variables: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    #: 1-based line of the file, the header is line 1.
    line: int
    reason: RefusedReason
    #: What is wrong, without the number itself.
    detail: str = ""
    #: A duplicate's numbers, E.164: those that were not in the earlier row are the person's, too.
    phones: tuple[str, ...] = ()


@dataclass(kw_only=True)
class ContactsFile:
    """A contacts file whose header is right. Iterate `rows` once."""

    path: Path
    encoding: str
    delimiter: str
    #: Names of the further columns, in their order.
    variables: tuple[str, ...]
    #: What the author should know and needs not mend; more may come while the rows are read.
    notices: list[str] = field(default_factory=list)
    _header: Sequence[str | None]
    #: Of the columns with numbers.
    _places: Sequence[int]
    _lines: Iterator[tuple[int, str | None]]
    _region: str
    _language: Language

    def rows(self) -> Iterator[Contact | RefusedRow]:
        """Every row that is not empty, in the order of the file."""
        seen: set[int] = set()
        strange: dict[str, int] = {}
        beside: dict[str, tuple[int, int]] = {}
        for line, cells in _rows(self._lines, self.delimiter):
            if cells is None:
                yield RefusedRow(
                    line=line, reason="unreadable", detail="the line is too long, or a quote is not closed"
                )
            elif any(map(str.strip, cells)):
                row = self._row(line, cells, strange, beside)
                if isinstance(row, Contact):
                    numbers = [int(phone[1:]) for phone in row.phones]
                    if not seen.isdisjoint(numbers):
                        detail = "the number is in an earlier row"
                        row = RefusedRow(line=line, reason="duplicate", detail=detail, phones=row.phones)
                    seen.update(numbers)
                yield row
        for word, count in strange.items():
            self.notices.append(f"Language {word!r} is not known ({count} rows): they are called in {self._language}.")
        for why, (first, count) in beside.items():
            what = f"Numbers beside a good one that are none: {why} ({count}, the first in line {first})."
            self.notices.append(f"{what} The people are called by the others.")

    def _row(
        self, line: int, cells: Sequence[str], strange: dict[str, int], beside: dict[str, tuple[int, int]]
    ) -> Contact | RefusedRow:
        """`strange` and `beside` gather what is told of the file as a whole: how many, and the first line."""

        def unreadable(detail: str) -> RefusedRow:
            return RefusedRow(line=line, reason="unreadable", detail=detail)

        if any("\0" in cell or "\ufffd" in cell for cell in cells):
            return unreadable(f"it is not {self.encoding} text")
        if any(map(str.strip, cells[len(self._header) :])):
            return unreadable(
                f"{len(cells)} cells under {len(self._header)} headers; is a {self.delimiter!r} not quoted?"
            )
        values = {name: " ".join(cell.split()) for name, cell in zip(self._header, cells, strict=False) if name}
        values.pop("phone", None)
        phones, wrong = self._numbers(cells)
        if not phones:
            return RefusedRow(line=line, reason="invalid_number", detail=wrong[0])
        name = values.pop("name", "")
        if len(name) > MAX_NAME:
            return unreadable(f"the name is longer than {MAX_NAME} letters")
        word = values.pop("language", "").casefold()
        language = _LANGUAGES.get(word, self._language)
        if word and word not in _LANGUAGES and (word in strange or len(strange) < 10):
            strange[word] = strange.get(word, 0) + 1
        variables = {key: value for key, value in values.items() if value}
        for why in wrong:
            first, count = beside.get(why, (line, 0))
            beside[why] = (first, count + 1)
        return Contact(line=line, phones=phones, name=name, language=language, variables=variables)

    def _numbers(self, cells: Sequence[str]) -> tuple[tuple[str, ...], Sequence[str]]:
        """The row's numbers in the order of its columns, each once; why others are none."""
        first, *further = self._places
        read = read_phones(cells[first] if first < len(cells) else "", region=self._region)
        if not further:
            return read.phones, [each.why for each in read.unreadable]
        filled = [cells[place] for place in self._places if place < len(cells) and cells[place].strip()]
        all_read = [read_phones(cell, region=self._region) for cell in filled] or [read]
        phones = dict.fromkeys(phone for each in all_read for phone in each.phones)
        return tuple(phones), [none.why for each in all_read for none in each.unreadable]


def open_contacts(path: Path, *, region: str, language: Language, variables: Collection[str] = ()) -> ContactsFile:
    """The contacts file at `path`, header checked. Raises AuthorError when it can't be read as a whole.

    `region` (ISO country) is whose national numbers it may hold; `language` is for rows that name none. A header that
    differs from one of the flow's `variables` only in case, blanks or dashes gives that one. UTF-8 and UTF-16 are told
    by their bytes; a file in an old Cyrillic code page is read with a notice, for this is what Excel saves as "CSV" on
    a Russian Windows.
    """
    try:
        with open_file(path) as file:
            encoding = _encoding(file, path)
        lines = read_lines(path, encoding, longest=MAX_LINE)
        number, header = next(lines, (1, ""))
    except OSError as error:
        raise _fault(path, f"The file can't be read: {error.strerror}.", "Give the path of a CSV file.") from error
    notices = []
    if not encoding.startswith("utf"):
        notices.append(
            f"The file is not UTF-8; its letters look like {encoding} and are read so. Check one of the names."
        )
    if header is None or "\0" in header:
        raise _fault(path, "This is no CSV file.", "In the spreadsheet, save it as CSV UTF-8.", 1)
    delimiter = None
    if said := re.fullmatch(r"sep=(.)\s*", header):  # Excel's own hint
        delimiter = said[1]
        number, header = next(lines, (2, ""))
    if header is None or not header.strip():
        raise _fault(
            path, "The first line is empty.", "Put the names of the columns there: phone, name, language.", number
        )
    # Under one column a comma or a semicolon stands between the numbers of a person.
    there = [letter for letter in _DELIMITERS if letter in header] or ["\t"]
    delimiter = delimiter or max(there, key=lambda letter: _fits(header, letter))
    found = [" ".join(cell.split()) for cell in _parsed(header, delimiter, strict=False)]
    known = {**{_plain(name): name for name in variables}, **_COLUMNS}
    names = [_name_of(cell, known) for cell in found]
    listed = ", ".join(filter(None, found))
    if "phone" not in names:
        what = f"There is no column phone (or телефон). Found: {listed[:300]}."
        if any(isinstance(read_phone(cell, region=region), str) for cell in found):
            what = "The first line is a contact already; the line with the names of the columns is missing."
        raise _fault(path, what, "Name the columns in the first line: phone, name, language.", number)
    if twice := next((name for name in names if name and name != "phone" and names.count(name) > 1), None):
        what = f"Column {twice} is there twice. Found: {listed[:300]}."
        raise _fault(path, what, "Leave one of them, or rename it.", number)
    further = tuple(name for name in names if name and name not in ("phone", "name", "language"))
    return ContactsFile(
        path=path,
        encoding=encoding,
        delimiter=delimiter,
        variables=further,
        notices=notices,
        _header=names,
        _places=[place for place, name in enumerate(names) if name == "phone"],
        _lines=lines,
        _region=region,
        _language=language,
    )


def _fault(path: Path, what: str, mend: str, line: int | None = None) -> AuthorError:
    return AuthorError(Fault(what=what, where=path, line=line, mend=mend))


def _plain(header: str) -> str:
    return re.sub(r"[\s_.:-]+", " ", header).strip().casefold().replace("ё", "е").replace("’", "'").replace("`", "'")


def _name_of(header: str, known: Mapping[str, str]) -> str | None:
    """What a column is known by; "телефон 2" is one more with numbers. None: it has no name."""
    plain = _plain(header)
    name = known.get(plain)
    if name is None and (counted := re.fullmatch(r"(.*?)\s?[№#]?\s?[1-9]", plain)):
        name = "phone" if known.get(counted[1]) == "phone" else None
    return name or header or None


def _fits(header: str, delimiter: str) -> tuple[bool, int]:
    """How well `delimiter` cuts the header into names: the greater, the better."""
    names = [_name_of(cell, _COLUMNS) for cell in _parsed(header, delimiter, strict=False)]
    return "phone" in names, header.count(delimiter)


# ---------------------------------------------------------------- encodings

_OLD_CODE_PAGES = ("cp1251", "cp866", "koi8-u")
_LETTERS = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ")
#: How likely a wrong reading is to hit each: a code page read as another has capitals after small letters, and signs.
_SMALL_THEN_CAPITAL = re.compile("[а-яёіїєґ][А-ЯЁІЇЄҐ]")


def _encoding(file: BinaryIO, path: Path) -> str:
    start = file.read(4)
    for mark, name in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if start.startswith(mark):
            return name
    file.seek(0)
    plain = right = wrong = 0
    sample = bytearray()
    while chunk := file.readline(MAX_LINE):
        if chunk.isascii():
            plain += 1
            continue
        try:
            chunk.decode("utf-8")
            right += 1
        except UnicodeDecodeError:
            wrong += 1
            if len(sample) < MAX_LINE:
                sample += chunk
    if wrong <= right:
        return "utf-8"
    scores = {name: _likeness(sample.decode(name, "replace")) for name in _OLD_CODE_PAGES}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] <= 0:
        if wrong < plain + right:
            # A few bad lines are no reason to refuse the others.
            return "utf-8"
        raise _fault(path, "The file's letters are neither UTF-8 nor a Cyrillic code page.", "Save it as CSV UTF-8.")
    return best


def _likeness(text: str) -> int:
    """How much `text` looks like Russian or Ukrainian; above 0: it does."""
    foreign = [letter for letter in text if ord(letter) > 127]
    letters = sum(letter.casefold() in _LETTERS for letter in foreign)
    others = sum(letter.casefold() not in _LETTERS and letter not in "«»№–—…\u00a0’“”" for letter in foreign)
    return letters - 3 * others - 3 * len(_SMALL_THEN_CAPITAL.findall(text))


# ---------------------------------------------------------------- lines and rows


def _cells(text: str, delimiter: str) -> list[str]:
    return next(csv.reader([text], delimiter=delimiter), [])


def _parsed(text: str, delimiter: str, *, strict: bool) -> list[str]:
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=strict), [])


def _rows(lines: Iterator[tuple[int, str | None]], delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Rows with the number of their first line; None for one that is none.

    A quote that is never closed would swallow the rest of the file: only its own line is given up.
    """
    back: list[tuple[int, str | None]] = []
    while (first := back.pop() if back else next(lines, None)) is not None:
        number, text = first
        if text is None or '"' not in text:
            yield number, None if text is None else text.rstrip("\n").split(delimiter)
            continue
        taken: list[tuple[int, str | None]] = []
        cells = None
        while cells is None:
            try:
                cells = _parsed(text, delimiter, strict=True)
            except csv.Error as error:
                if "unexpected end of data" not in str(error):
                    # A stray quote is a letter like any other, but not one that joins lines.
                    cells = _parsed(text, delimiter, strict=False) if not taken else None
                    break
                more = back.pop() if back else next(lines, None)
                if more is not None:
                    taken.append(more)
                if more is None or more[1] is None or len(taken) > MAX_LINES_OF_ROW or len(text) > MAX_LINE:
                    break
                text += more[1]
        if cells is None:
            back.extend(reversed(taken))
        yield number, cells
