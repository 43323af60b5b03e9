"""Contacts files as they come: good rows are taken, bad ones are named, nothing stops the rest."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import AuthorError
from people.contacts import MAX_LINE, Contact, ContactsFile, RefusedRow, open_contacts

PLAIN = "phone,name,language,price\n89161234567,Иван,ru,100\n89161234568,Олена,uk,200\n"


def opened(path: Path, data: bytes | str) -> ContactsFile:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return open_contacts(path, region="RU", language="ru")


def summary(file: ContactsFile) -> list[tuple[int, str, str]]:
    """Each row as (line, phone or reason, name or detail)."""
    return [
        (row.line, " ".join(row.phones), row.name) if isinstance(row, Contact) else (row.line, row.reason, row.detail)
        for row in file.rows()
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.csv"


def test_a_plain_file(path: Path) -> None:
    file = opened(path, PLAIN)
    assert (file.encoding, file.delimiter, file.variables, file.notices) == ("utf-8", ",", ("price",), [])
    assert list(file.rows()) == [
        Contact(line=2, phones=("+79161234567",), name="Иван", language="ru", variables={"price": "100"}),
        Contact(line=3, phones=("+79161234568",), name="Олена", language="uk", variables={"price": "200"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_delimiters_line_ends_and_unicode(path: Path, delimiter: str, ending: str, encoding: str) -> None:
    text = PLAIN.replace(",", delimiter).replace("\n", ending)
    data = b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding)
    file = opened(path, data)
    assert (file.delimiter, file.notices) == (delimiter, [])
    assert summary(file) == [(2, "+79161234567", "Иван"), (3, "+79161234568", "Олена")]


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8-u"])
def test_an_old_code_page_is_read_and_said(path: Path, encoding: str) -> None:
    text = "телефон;имя;магазин\n89161234567;Пётр Щукин;«Электроника» на Мира\n89161234568;АННА;ЦУМ\n"
    file = opened(path, text.replace("«", '"').replace("»", '"').encode(encoding))
    assert file.encoding == encoding
    assert len(file.notices) == 1
    assert f"look like {encoding}" in file.notices[0]
    assert summary(file) == [(2, "+79161234567", "Пётр Щукин"), (3, "+79161234568", "АННА")]


def test_one_broken_row_in_a_utf8_file(path: Path) -> None:
    file = opened(path, PLAIN.encode() + "89161234569,Пётр,ru,1\n".encode("cp1251") + "89161234560,Анна\n".encode())
    assert file.notices == []
    assert summary(file)[2:] == [(4, "unreadable", "it is not utf-8 text"), (5, "+79161234560", "Анна")]


def test_letters_of_no_known_code_page(path: Path) -> None:
    with pytest.raises(AuthorError, match=r"neither UTF-8 nor a Cyrillic.*Save it as CSV UTF-8"):
        opened(path, b"phone,name\n" + b"\xb0\xb1\xb5" * 9 + b"\n")


@pytest.mark.parametrize(
    "header", ["phone,name", "Телефон,Имя", "НОМЕР ТЕЛЕФОНА,ФИО", " Phone_Number , First-Name ", "номер телефону,Ім’я"]
)
def test_headers_by_other_names(path: Path, header: str) -> None:
    assert summary(opened(path, f"{header}\n89161234567,Иван\n")) == [(2, "+79161234567", "Иван")]


def test_the_hint_that_excel_writes(path: Path) -> None:
    file = opened(path, "sep=|\r\nphone|name\r\n89161234567|Иван\r\n")
    assert summary(file) == [(3, "+79161234567", "Иван")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name;city\nИван;Псков\n", r":1: There is no column phone .*Found: name, city\. Name the columns"),
        ("89161234567,Иван\n", r":1: The first line is a contact already"),
        ("phone,имя,Name\n1,2,3\n", r":1: Column name is there twice. Found: phone, имя, Name"),
        ("", r"The first line is empty"),
        ("\n\nphone\n", r":1: The first line is empty"),
        ("PK\x03\x04\x00\x00", r":1: This is no CSV file.*save it as CSV UTF-8"),
        ("x" * (MAX_LINE + 5), r":1: This is no CSV file"),
    ],
)
def test_files_that_are_refused_as_a_whole(path: Path, text: str, message: str) -> None:
    with pytest.raises(AuthorError, match=message):
        opened(path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AuthorError, match="No such file"):
        open_contacts(tmp_path / "none.csv", region="RU", language="ru")


def test_bad_rows_are_named_and_the_rest_goes_on(path: Path) -> None:
    text = (
        "phone,name,price\n"
        "89161234567,Иван,1\n"
        "123,Пётр,2\n"
        "\n"
        "+7 (916) 123-45-67,Иван второй,3\n"
        ",Никто,4\n"
        "89161234568,Анна,5,6\n"
        '89161234569,"Смирнов, Олег",7\n'
        '89161234570,ООО "Ромашка",8\n'
        "89161234571,Ва\0ня,9\n"
        "89161234572\n"
        " , , \n"
    )
    assert summary(opened(path, text)) == [
        (2, "+79161234567", "Иван"),
        (3, "invalid_number", "too short"),
        (5, "duplicate", "the number is in an earlier row"),
        (6, "invalid_number", "empty"),
        (7, "unreadable", "4 cells under 3 headers; is a ',' not quoted?"),
        (8, "+79161234569", "Смирнов, Олег"),
        (9, "+79161234570", 'ООО "Ромашка"'),
        (10, "unreadable", "it is not utf-8 text"),
        (11, "+79161234572", ""),
    ]


def test_line_ends_in_quotes_and_quotes_never_closed(path: Path) -> None:
    text = (
        "phone,name\n"
        '89161234567,"Иван\nПетрович"\n'
        '89161234568,"Анна\n'  # never closed
        "89161234569,Олег\n"
        '89161234570,"Ольга"\n'
        '89161234571,"Лев\n' + "".join(f"8916123{n:04},И\n" for n in range(30))
    )
    rows = summary(opened(path, text))
    assert rows[0] == (2, "+79161234567", "Иван Петрович")
    assert [row[:2] for row in rows[1:5]] == [
        (4, "unreadable"),
        (5, "+79161234569"),
        (6, "+79161234570"),
        (7, "unreadable"),
    ]
    assert len(rows) == 35
    assert rows[-1][:2] == (37, "+79161230029")


def test_a_line_of_ten_megabytes(path: Path) -> None:
    file = opened(path, "phone,name\n89161234567,Иван\n" + "x" * 10_000_000 + "\n89161234568,Анна\n")
    assert [row[:2] for row in summary(file)] == [(2, "+79161234567"), (3, "unreadable"), (4, "+79161234568")]


def test_languages(path: Path) -> None:
    file = opened(
        path, "phone,язык\n89161234567,UA\n89161234568,Русский\n89161234569,\n89161234570,fr\n89161234571,fr\n"
    )
    assert [row.language for row in file.rows() if isinstance(row, Contact)] == ["uk", "ru", "ru", "ru", "ru"]
    assert file.notices == ["Language 'fr' is not known (2 rows): they are called in ru."]


def test_empty_cells_give_no_variable(path: Path) -> None:
    file = opened(path, "phone,price,until\n89161234567,,2026-12-01\n")
    assert [row.variables for row in file.rows() if isinstance(row, Contact)] == [{"until": "2026-12-01"}]


def test_rows_are_not_held(path: Path) -> None:
    with path.open("w") as out:
        out.write("phone,name,a\n")
        out.writelines(f"8916{n:07},Иван,{'x' * 200}\n" for n in range(20_000))
    file = open_contacts(path, region="RU", language="ru")

    def count(rows: Iterator[Contact | RefusedRow]) -> int:
        return sum(1 for _ in rows)

    tracemalloc.start()
    try:
        assert count(file.rows()) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


def test_several_numbers_of_a_cell_and_of_columns(path: Path) -> None:
    text = (
        "Мобильный телефон;имя;Телефон 2;доп. телефон\n"
        '"89161234567, 89161234568";Иван;;84951234567\n'
        "89161234569;Анна;89161234569;нет\n"
        ";Олег;89161234560;\n"
        ";Никто;;\n"
        '"123\n8 916 123 45 61";Пётр;45;\n'
    )
    file = opened(path, text)
    assert file.variables == ()
    assert summary(file) == [
        (2, "+79161234567 +79161234568 +74951234567", "Иван"),
        (3, "+79161234569", "Анна"),
        (4, "+79161234560", "Олег"),
        (5, "invalid_number", "empty"),
        (6, "+79161234561", "Пётр"),
    ]
    assert file.notices == [
        "Numbers beside a good one that are none: not a phone number (1, the first in line 3). The people are called by"
        " the others.",
        "Numbers beside a good one that are none: too short (2, the first in line 6). The people are called by the"
        " others.",
    ]


def test_rows_that_share_a_number_are_told(path: Path) -> None:
    file = opened(path, "phone\n89161234567; 89161234568\n89161234568; 89161234569\n89161234569\n")
    first, *others = file.rows()
    assert isinstance(first, Contact)
    assert [(row.reason, row.phones) for row in others if isinstance(row, RefusedRow)] == [
        ("duplicate", ("+79161234568", "+79161234569")),
        ("duplicate", ("+79161234569",)),
    ]
