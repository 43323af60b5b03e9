"""Any text with any values is read, or refused with what is wrong and how to mend it, within a moment."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prompts.reading import LANGUAGE_CODES, Kind, ReadingError, TemplateError, UnforeseenError, read
from prompts.reading.wordfiles import load
from tests.budget import overtime

PUNCTUATION = [*".,:;!?…—–-()«»\"'/%№+*_&", *("\n", "\n\n", " — ", ". ", ", ", "? ", "{{", "}}", "{{}}")]
PUNCTUATION += ["\u200f", "\u202e", "\0", "\u0301"]
JOINS = {
    "ru": [f" {word} " for word in ("и", "или", "либо", "а", "но", "не", "чем", "вместо", "по", "до", "от", "с")],
    "uk": [f" {word} " for word in ("і", "та", "й", "або", "чи", "а", "але", "не", "ніж", "замість", "по", "до", "з")],
    "en": [f" {word} " for word in ("and", "or", "to", "by", "a", "the", "instead of", "not", "but")],
}
NAMES = ("a", "b", "c")
VALUES = [
    *("0", "1", "2", "3", "5", "11", "21", "100", "1000", "1001", "1.5", "0,5", "2.25", "-1", "1 201,50", "1000000"),
    *("999999999999999", "1000000000000", "0.000001", "²", "①", "½", "٣", "1e5", "1201 ₽", "$5", "5 кг", "120x60 см"),
    *('27"', "5%", "2026-12-01", "29.02.2024", "31.02.2026", "0001-01-01", "9999-12-31", "24:00", "9:05 PM", "21:30"),
    *("+7 812 345-67-89", "112", "0800 500 505", "ул. Садовая, д. 5", "вул. Шевченка, буд. 5-Б", "12 Main St."),
    *(
        "1-я линия, 3",
        "м.",
        "№",
        "-",
        "",
        "Анна",
        "О'Коннор",
        "ИВАНОВ И. И.",
        "\ud800",
        "\0",
        "\u200f5",
        "{x}",
        "x" * 400,
    ),
]


def words(language: str) -> list[str]:
    """Every word of the word files that may stand in a text."""
    files = ("words",) if language == "en" else ("verbs", "nouns", "adjectives", "words", "prepositions", "stems")
    found = [word for name in files for word in load(f"{language}/{name}.yaml")]
    return [word for word in found if "{" not in word]


WORDS = {language: words(language) for language in LANGUAGE_CODES}
NOUNS = {
    language: [word for word in WORDS[language] if re.fullmatch(r"[^\W\d_]+", word)] for language in LANGUAGE_CODES
}


@st.composite
def variables(draw: st.DrawFn, language: str) -> str:
    kind = draw(st.sampled_from(tuple(Kind)))
    argument = ""
    if kind is Kind.COUNT or (kind is Kind.ORDINAL and draw(st.booleans())):
        argument = " ".join(draw(st.lists(st.sampled_from(NOUNS[language]), min_size=1, max_size=3)))
    elif kind is Kind.DATE:
        argument = draw(st.sampled_from(["", "day", "year"]))
    elif kind is Kind.MONEY:
        argument = draw(st.sampled_from(["", "EUR", "UAH"]))
    case = draw(st.sampled_from(["", "", "", " case=gen", " case=loc"]))
    return f"{{{draw(st.sampled_from(NAMES))}:{kind} {argument}{case}}}"


@st.composite
def texts(draw: st.DrawFn, language: str) -> str:
    variable = variables(language)
    piece = st.one_of(
        variable,
        st.tuples(variable, st.sampled_from(JOINS[language]), variable).map("".join),
        st.sampled_from(WORDS[language]),
        st.sampled_from(JOINS[language]),
        st.sampled_from([". ", "! ", "\n"]),
        st.sampled_from(PUNCTUATION),
    )
    between = st.sampled_from(["", " ", " ", " "])
    return "".join(each + draw(between) for each in draw(st.lists(piece, min_size=1, max_size=10)))


def is_read_or_refused(language: str, text: str, values: dict[str, str]) -> None:
    try:
        said = read(language, text, values)
    except UnforeseenError as error:
        raise AssertionError(f"{language} {text!r} {values!r}") from error
    except (ReadingError, TemplateError) as error:
        assert error.faults[0].what
        assert error.faults[0].mend
        return
    said.encode()


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_a_text_of_known_words(language: str, data: st.DataObject) -> None:
    text = data.draw(texts(language))
    values = {name: data.draw(st.sampled_from(VALUES)) for name in NAMES}
    is_read_or_refused(language, text, values)


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@settings(max_examples=500, deadline=None)
@given(text=st.text(max_size=60), value=st.text(max_size=30), kind=st.sampled_from(tuple(Kind)))
@example(text="\ud800", value="5", kind=Kind.NUMBER)
@example(text="{{{{", value="5", kind=Kind.NUMBER)
@example(text="}{", value="5", kind=Kind.NUMBER)
@example(text="{a:count \ud800}", value="5", kind=Kind.NUMBER)
def test_a_text_of_any_signs(language: str, text: str, value: str, kind: Kind) -> None:
    is_read_or_refused(language, text, {"a": value})
    noun = " стол" if kind is Kind.COUNT else ""
    is_read_or_refused(language, f"{text} {{a:{kind}{noun}}} {text}", {"a": value})


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Телевизоры по {a:money} и {b:money}. {c:percent} скидка."),
        ("uk", "Телевізори по {a:money} та {b:money}! {c:percent} знижка."),
        ("ru", "Ждём {a:weekday} и {b:weekday}\n{c:time}"),
        ("ru", "{a:count час} {b:count минута}. {c:count секунда}"),
    ],
)
def test_a_sentence_that_begins_with_a_variable_follows_two_joined_ones(language: str, text: str) -> None:
    values = {"a": "10", "b": "20", "c": "5"}
    if "weekday" in text:
        values = {"a": "2026-12-01", "b": "2026-12-02", "c": "10:00"}
    *_, last = read(language, text, values).replace("\n", ". ").replace("!", ".").rstrip(".").split(". ")
    alone = re.split(r"[.!\n] ?", text.rstrip("."))[-1]
    assert last == read(language, alone, values)


LONG = ["x" * 100_000, "9" * 100_000, str(10**400), "1 " * 50_000, "1x" * 50_000 + "5 см", "-" * 100_000, "а-" * 50_000]
LONG += [
    "не" * 50_000,
    " " * 100_000 + "5",
    "'" * 100_000,
    "1." * 50_000,
    "(" * 100_000,
    "ул. " * 30_000,
    "\ud800" * 1000,
]


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@pytest.mark.parametrize("value", LONG, ids=lambda value: ascii(value[:6]))
def test_a_huge_value_takes_a_moment(language: str, value: str) -> None:
    read(language, "{x:number}", {"x": "1"})
    started = time.process_time()
    for kind in Kind:
        noun = " стол" if kind is Kind.COUNT else ""
        is_read_or_refused(language, f"по {{a:{kind}{noun}}} и", {"a": value})
    assert overtime(1, time.process_time() - started) == ""


@pytest.mark.parametrize("language", LANGUAGE_CODES)
@pytest.mark.parametrize(
    "text",
    [
        *(
            "{" * 19_000,
            "{{" * 9_000,
            "}" * 19_000,
            "{a:money " * 2_000,
            "{a:" + "x " * 9_000 + "}",
            "{a:money}" * 2_000,
        ),
        *("{a:count " + "не" * 5_000 + "стол}", "не" * 9_000 + " {a:money}", "а-" * 9_000 + "а {a:count стол}"),
        *("{a:money} и " * 1_500, "{a:count час} " * 1_300, "(" * 19_000 + "{a:money}", "\n" * 19_000 + "{a:money}"),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_huge_text_takes_a_moment(language: str, text: str) -> None:
    read(language, "{x:number} {x:count стол}", {"x": "1"})
    started = time.process_time()
    is_read_or_refused(language, text, {"a": "5"})
    assert overtime(1, time.process_time() - started) == ""


@pytest.mark.parametrize("value", ["не" * 140 + "вая ул.", "ул. " + "не" * 140 + "вая"])
def test_a_word_that_is_no_word_is_no_address(value: str) -> None:
    for language in ("ru", "uk"):
        with pytest.raises(ReadingError, match="is not an address"):
            read(language, "на {a:address}", {"a": value})
