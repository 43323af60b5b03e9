"""Words are said with the right stress: the shipped texts by their sound, all else by what is sent to the voice."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from faults import AuthorError
from prompts import stress
from prompts.engines.rhvoice import VOICES, RHVoice
from prompts.fragments import Fragment
from prompts.library import Library
from prompts.phrases import Phrases
from prompts.pronunciation import Pronunciation
from prompts.recordings import words_of
from prompts.sentences import SHIPPED, Sentences, load_sentences
from prompts.stress import load_stress, plain, words

_STRESSED = Path(__file__).parent / "stressed"
_VARIABLE = re.compile(r"\{[^}]*\}")
_WORD = re.compile("[^\\W\\d_](?:[^\\W\\d_]|['\u0301](?=\\w|\u0301)|\u0301)*")
#: Fastest; the stress is the same.
_SPEED = 2.5


def _texts(sentences: Sentences, language: str) -> Iterator[tuple[str, str]]:
    for key, sentence in sentences.by_language[language].items():
        yield key, sentence.text
        if sentence.fallback:
            yield f"{key}, fallback", sentence.fallback


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("language", ["ru", "uk"])
def test_every_shipped_text_sounds_as_it_does_with_all_its_stresses_marked(
    speech: None, language: str, half: int
) -> None:
    wanted = dict(_texts(load_sentences(_STRESSED), language))
    shipped = dict(_texts(load_sentences(SHIPPED), language))
    assert {key: plain(text) for key, text in wanted.items()} == shipped, "Change tests/unit/prompts/stressed, too."
    engine = RHVoice()

    def heard(words: Sequence[str]) -> bytes:
        return engine.synthesise(language, ", ".join(words), VOICES[language][0], _SPEED).samples.tobytes()

    pairs: dict[str, str] = {}
    for key, text in shipped.items():
        said = load_stress(language).marked(_VARIABLE.sub("", text))
        pairs |= zip(_WORD.findall(said.lower()), _WORD.findall(_VARIABLE.sub("", wanted[key]).lower()), strict=True)
    unlike = [(said, meant) for said, meant in pairs.items() if said != meant][half::2]
    # Many at once, for that is quicker; one by one where something differs.
    wrong = [
        pair
        for some in (unlike[at : at + 12] for at in range(0, len(unlike), 12))
        if heard([said for said, _ in some]) != heard([meant for _, meant in some])
        for pair in some
        if heard(pair[:1]) != heard(pair[1:])
    ]
    assert not wrong


@pytest.mark.parametrize("language", ["ru", "uk"])
@pytest.mark.pure
def test_no_shipped_text_has_a_word_in_doubt(language: str) -> None:
    texts = _texts(load_sentences(SHIPPED), language)
    assert not [
        (key, doubt) for key, text in texts for doubt in load_stress(language).doubts(_VARIABLE.sub("сто", text))
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ru", "Приходи́те, но если вы не прихо́дите, отмени́те заказ."),
        ("ru", "Купи́те и получи́те, когда опла́тите."),
        ("ru", "Доставка сто́ит триста рублей, а очередь стои́т у кассы."),
        ("ru", "Два часа́, до трёх часо́в, из этого го́рода в другие города́."),
        ("ru", "Снижение цены́, новые це́ны на о́кна и две́ри, шестью́ чи́слами."),
        ("ru", "Со среды́ по сре́ду, до реки́, через ре́ки."),
        ("ru", "Со стороны́ двора."),
        ("ru", "Дорого́й покупатель, по дорого́й цене́."),
        ("ru", "Мы перезвони́м."),
        ("uk", "До шістнадцяти́, від п'яти́ до сорока́."),
        ("uk", "Ці́ни без зниження ціни́."),
        ("uk", "З боку двору́, у дворі́."),
        ("uk", "Поверні́ть ка́ртку, якщо змі́ните ноутбу́к."),
    ],
)
@pytest.mark.pure
def test_neighbours_tell_the_stress(language: str, text: str) -> None:
    assert load_stress(language).marked(plain(text)) == text


@pytest.mark.pure
def test_the_authors_mark_wins() -> None:
    assert load_stress("ru").marked("Зво́нок в звоно́к, звонок") == "Зво́нок в звоно́к, звоно́к"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("зв+онок", "зво́нок"),
        ("+адрес и Х+ит-парад", "а́дрес и Хи́т-парад"),
        ("кофе+эклер", "кофе+эклер"),
        ("1+1, чай + акция", "1+1, чай + акция"),
        ("+7 800", "+7 800"),
    ],
)
@pytest.mark.pure
def test_a_plus_before_a_vowel_is_a_mark_but_between_two_words_is_not(typed: str, said: str) -> None:
    assert stress.written("ru", typed) == said


@pytest.mark.pure
def test_marks_change_neither_the_reading_nor_the_name_of_a_recording() -> None:
    phrases = Phrases(Sentences(), {"ru": Pronunciation("ru")})
    marked = phrases.of_text("ru", "Он ст+оит {price:money RUB} с двум+я скидками.", {"price": "300"})
    assert [part.text for part in marked] == ["Он сто́ит триста рублей с двумя́ скидками."]
    assert words_of("Зво́нок") == "звонок"


@pytest.mark.pure
def test_only_what_is_sent_to_the_voice_is_marked() -> None:
    fragment = Fragment("ru", "Спасибо за звонок!", 0)
    assert Library.voiced(fragment) == "Спасибо за звоно́к!"
    assert Library.voiced(Fragment("en", "Thank you!", 0)) == "Thank you!"


@pytest.mark.pure
def test_what_the_neighbours_leave_open_is_named() -> None:
    (doubt,) = load_stress("ru").doubts("Будьте, пожалуйста, дома.")
    assert (doubt.said, doubt.others) == ("до́ма", ("дома́",))
    (doubt,) = load_stress("ru").doubts("Новая крякозябла.")
    assert (doubt.word, doubt.others) == ("крякозябла", ())


@pytest.mark.parametrize("language", ["ru", "uk"])
@pytest.mark.pure
def test_every_line_of_the_words_is_used(language: str) -> None:
    """A lemma that the dictionary calls otherwise would never be found."""
    lemmas = words.load_words(language).lemmas
    unused = [
        each.word for found in lemmas.values() for each in found if load_stress(language).marked(each.word) == each.word
    ]
    assert not [word for word in unused if sum(letter in stress.VOWELS for letter in word) > 1 and "ё" not in word]


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("words: {звонок: b}", "звонок has no mark of stress, or two."),
        ("words: {звоно́к: h}", "h is no class of stress and no form with one."),
        ("words: {звоно́к: b}\nphrases: [два звонка]", "Nothing is marked in: два звонка"),
    ],
)
@pytest.mark.pure
def test_a_fault_of_the_files_is_told_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, what: str
) -> None:
    neighbours = "neighbours: {prepositions: {gent: [из]}}\n"
    (tmp_path / "xx.yaml").write_text(neighbours + entry, "utf-8")
    monkeypatch.setattr(words, "folder", lambda: tmp_path)
    with pytest.raises(AuthorError) as error:
        words.load_words("xx")
    assert error.value.faults[0].what == what
    assert error.value.faults[0].line in (2, 3)
    words.load_words.cache_clear()
