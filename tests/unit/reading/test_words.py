"""The word files: a lemma has one entry, what they must not have is refused, and a line there is all that it takes."""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prompts.reading import LANGUAGE_CODES, english_lexicon, lexicon, read, wordfiles
from prompts.reading.addresses import address_tables
from prompts.reading.calendar import calendar
from prompts.reading.measures import currencies, units
from prompts.reading.slavic import slavic
from prompts.reading.wordfiles import WordsError

ROOT = Path(__file__).resolve().parents[3]
WORDS = wordfiles.folder()
SLAVIC = ("ru", "uk")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The word files where a test may change them."""
    there = tmp_path / "words"
    shutil.copytree(WORDS, there)
    # The shipped tables stay as they are: only what a test loads itself comes from the copy.
    monkeypatch.setattr(wordfiles, "folder", lambda: there)
    fresh = wordfiles.load.__wrapped__
    for module in (lexicon, english_lexicon):
        monkeypatch.setattr(module, "load", fresh)
    return there


def add(file: Path, line: str) -> int:
    """Put the line at the end; gives its number."""
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}{line}\n", encoding="utf-8")
    return text.count("\n") + 1


@pytest.mark.parametrize(
    ("name", "line", "told"),
    [
        ("ru/verbs.yaml", "играть: {asks: gen}", "играть stands here and in line"),
        ("ru/nouns.yaml", "играть: {asks: gen}", "играть stands here and in verbs.yaml, line"),
        ("ru/nouns.yaml", "счет: {is: origin}", "счет stands here and in nouns.yaml, line"),
        ("uk/words.yaml", "грати: {is: aside}\nграти: {is: aside}", "грати stands here and in line"),
        ("ru/verbs.yaml", "жаждать: {ask: gen}", "жаждать: there is no field ask"),
        ("uk/verbs.yaml", "жадати2: {gender: masc}", "there is no field gender"),
        ("ru/verbs.yaml", "жаждать: {asks: gent}", "жаждать: there is no case gent"),
        ("ru/verbs.yaml", "жаждать: {на: any thing}", "жаждать: there is no case any thing"),
        ("ru/verbs.yaml", "жаждать: {is: givin}", "жаждать: there is no trait givin"),
        ("ru/verbs.yaml", "жаждать: {is: [giving, unit]}", "жаждать: there is no trait unit"),
        ("ru/verbs.yaml", "жаждать: {means: [луидор]}", "жаждать: there is no noun луидор"),
        ("ru/verbs.yaml", "жаждать: gen", "жаждать says nothing"),
        ("ru/verbs.yaml", "жаждать:", "жаждать says nothing"),
        ("ru/verbs.yaml", "жаждать: {asks: [gen, dat]}", "asks has no text"),
        ("ru/verbs.yaml", "жаждать: {is: {giving: yes}}", "is is no list"),
        ("ru/nouns.yaml", "луидор: {gender: masc, one: луидор, many: луидоры}", "one has 1 forms, not 6"),
        ("ru/nouns.yaml", "луидор: {one: а б в г д е, many: а б в г д е}", "gender has no text"),
        ("ru/nouns.yaml", "луидор: {weekday: 8}", "луидор is no day of the week"),
        ("uk/prepositions.yaml", "крiзь: {role: through}", "there is no role through"),
        ("uk/stems.yaml", "жада: moving", "stems do not say moving"),
        ("ru/verbs.yaml", "[жаждать]: {asks: gen}", "A key is no word"),
        ("ru/verbs.yaml", "жаждать: [[gen]]", "A list has more than words"),
        ("ru/verbs.yaml", "жаждать: {asks: gen", "This is no YAML"),
        ("en/words.yaml", "offer: {is: head}", "offer stands here and in line"),
        ("en/words.yaml", "ducat: {plurals: ducats}", "There is no field plurals"),
        ("en/words.yaml", "ducat: {is: heads}", "ducat: there is no trait heads"),
    ],
)
def test_a_fault_is_told_with_its_line(copy: Path, name: str, line: str, told: str) -> None:
    number = add(copy / name, line) + line.count("\n")
    build: Callable[[], object] = (
        english_lexicon.english.__wrapped__ if name.startswith("en") else lambda: lexicon.lexicon.__wrapped__(name[:2])
    )
    with pytest.raises(WordsError) as raised:
        build()
    fault = raised.value.faults[0]
    assert told in fault.what
    assert fault.where == copy / name
    assert fault.line == number or "no YAML" in told
    assert fault.mend


def test_a_sign_of_two_units_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = add(copy / "ru/units.yaml", "пуд: [кг]")
    monkeypatch.setattr("prompts.reading.measures.load", wordfiles.load.__wrapped__)
    with pytest.raises(WordsError, match="кг is short for килограмм too") as raised:
        units.__wrapped__("ru")
    assert raised.value.faults[0].line == number


def test_an_abbreviation_of_two_streets_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = copy / "uk/addresses.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("шлях: []", "шлях: [вул]"), encoding="utf-8")
    monkeypatch.setattr("prompts.reading.addresses.load", wordfiles.load.__wrapped__)
    with pytest.raises(WordsError, match="вул is short for вулиця too"):
        address_tables.__wrapped__("uk")


@pytest.mark.parametrize("language", SLAVIC)
def test_the_shipped_files_have_no_fault(language: str) -> None:
    assert lexicon.lexicon(language).grammar.verbs
    assert slavic(language).numerals.simple
    assert calendar(language).months
    assert address_tables(language).streets
    assert {len(each) for each in (lexicon.lexicon(language).weekdays, currencies().names)} <= {3, 7}
    assert all(units(each) for each in LANGUAGE_CODES)


@pytest.mark.parametrize(
    ("language", "line", "text", "before", "after"),
    [
        ("ru", "жаждать: {asks: gen}", "Жаждем {n:count встреча}.", "Жаждем две встречи.", "Жаждем двух встреч."),
        ("uk", "опікуватися: {asks: ins}", "Опікуємося {n:count родина}.", "Опікуємося дві родини.",
         "Опікуємося двома родинами."),
    ],
)  # fmt: skip
def test_one_line_teaches_a_verb(tmp_path: Path, language: str, line: str, text: str, before: str, after: str) -> None:
    assert read(language, text, {"n": "2"}) == before
    shutil.copytree(WORDS.parent, tmp_path / "prompts" / "reading", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(WORDS.parents[1] / "__init__.py", tmp_path / "prompts")
    shutil.copy(ROOT / "faults.py", tmp_path)
    add(tmp_path / "prompts" / "reading" / "words" / language / "verbs.yaml", line)
    asked = f"from prompts.reading import read; print(read({language!r}, {text!r}, {{'n': '2'}}))"
    # -P and the folder in front: the copy, not what is installed.
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {asked}"
    said = subprocess.run([sys.executable, "-P", "-X", "utf8", "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == after


def head(file: Path) -> str:
    """The comment that the file begins with."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return "\n".join(lines[: next(at for at, line in enumerate(lines) if not line.startswith("#"))])


@pytest.mark.parametrize("language", SLAVIC)
@pytest.mark.parametrize("name", lexicon.FIELDS)
def test_the_head_of_a_file_teaches_all_that_may_stand_in_it(language: str, name: str) -> None:
    taught = head(WORDS / language / f"{name}.yaml")
    traits = {trait for trait, stands_in in lexicon.TRAITS.items() if name in stands_in}
    told = {line.removeprefix("#").split()[0].rstrip(",") for line in taught.splitlines() if len(line.split()) > 1}
    assert traits <= told
    assert all(field in taught for field in lexicon.FIELDS[name])


@pytest.mark.parametrize("language", SLAVIC)
def test_the_head_of_the_stems_teaches_them(language: str) -> None:
    assert all(f"#   {stem} " in head(WORDS / language / "stems.yaml") for stem in lexicon.STEMS)


def test_the_head_of_the_english_words_teaches_them() -> None:
    taught = head(WORDS / "en" / "words.yaml")
    assert all(f"#   {name} " in taught for name in (*english_lexicon.FIELDS, *english_lexicon.TRAITS))


@pytest.mark.parametrize("file", sorted(WORDS.rglob("*.yaml")), ids=lambda file: str(file.relative_to(WORDS)))
def test_every_file_is_shipped_and_has_a_head(file: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    globs = [each.strip() for each in setup["options.package_data"]["*"].split(",")]
    package = WORDS.parent
    assert any(file in package.glob(pattern) for pattern in globs)
    assert head(file)
