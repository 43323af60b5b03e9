"""Russian and Ukrainian addresses in words: abbreviations in full, numbers and letters said."""

from __future__ import annotations

import re
from functools import lru_cache

from prompts.reading.addresses import AddressWords, address_tables
from prompts.reading.cases import TABLE_ORDER, Case, Gender
from prompts.reading.errors import ReadingError, shown
from prompts.reading.nouns import marked, parses, phrase
from prompts.reading.numerals import joined
from prompts.reading.slavic import Slavic, number_words, ordinal_words, slavic

_LETTER = "A-Za-zА-Яа-яЁёІіЇїЄєҐґ"
_TOKEN = re.compile(
    rf"\d+(?:[-–][{_LETTER}]+)?|[{_LETTER}](?:/|\.(?=[{_LETTER}]\b))[{_LETTER}]\b\.?"
    rf"|[{_LETTER}]+(?:['’ʼ-][{_LETTER}]+)*\.?|[/№]"
)
_LONGEST = 300
_LONGEST_WORD = 100


def address_words(language: Slavic, value: str, case: Case) -> str:
    """The address in words, its first part in that case; raises ReadingError when nothing in it can be said."""
    letters = any(char.isalpha() for char in value)
    if len(value) > _LONGEST or not letters or max(map(len, value.split())) > _LONGEST_WORD:
        raise ReadingError(f"{shown(value)} is not an address.", "Write it as ул. Садовая, д. 5.")
    return _spoken(language.code, value, Case.DAT if case is Case.DIST else case)


@lru_cache(maxsize=4096)
def _spoken(code: str, value: str, case: Case) -> str:

    said: list[str] = []
    named = False
    for component in re.split(r"[,;()\n]+", value):
        part = _Component(slavic(code), component)
        words = part.words(Case.NOM if named else case)
        named = named or not part.is_index()
        if words:
            said.append(words)
    return ", ".join(said)


class _Component:
    """What stands between two commas."""

    def __init__(self, language: Slavic, text: str) -> None:
        self.language = language
        self.table: AddressWords = address_tables(language.code)
        self.tokens = [match.group() for match in _TOKEN.finditer(text)]
        #: Whether a piece touches the one before it: the "Б" of "12Б".
        spans = [match.span() for match in _TOKEN.finditer(text)]
        self.touches = [
            at > 0 and (spans[at][0] == spans[at - 1][1] or text[spans[at - 1][1] : spans[at][0]] in ("-", "–"))
            for at in range(len(spans))
        ]
        self.said: list[str] = []
        #: Indexes in `said` of the street's or town's own word.
        self.heads: list[int] = []

    def is_index(self) -> bool:
        """Whether it is a postal code alone."""
        return len(self.tokens) == 1 and self.tokens[0].isdigit() and len(self.tokens[0]) in (5, 6)

    def words(self, case: Case) -> str:
        at = 0
        while at < len(self.tokens):
            at += self._number(at) if self.tokens[at][0].isdigit() else self._word(at)
        if case is not Case.NOM:
            self._decline(case)
        return " ".join(self.said)

    def _word(self, at: int) -> int:
        """Say the word at that piece; gives how many tokens that took."""
        piece = self.tokens[at]
        if piece == "/":
            self.said.append(self.table.fraction)
            return 1
        if piece == "№":
            self.said.append(self.table.number_sign)
            return 1
        dotted = piece.endswith(".")
        bare = piece.rstrip(".").lower().replace("’", "'").replace("ʼ", "'")
        following = self.tokens[at + 1] if at + 1 < len(self.tokens) else ""
        numbered = following[:1].isdigit() or following == "№"
        after_number = at > 0 and self.tokens[at - 1][0].isdigit()
        short = dotted or bare not in self.table.dotted or (numbered and piece.islower())
        lettered = len(following.rstrip(".")) == 1 and following[:1].isupper()
        if short and bare in self.table.houses and (numbered or lettered):
            # A letter that a number and a number surround: "12к3", "5 с 1".
            self.said.append(self.table.houses[bare] if bare != "с" else self.table.houses["стр"])
            return 1
        if bare in ("с", "к") and numbered and after_number and self.language.code == "ru":
            self.said.append("корпус" if bare == "к" else "строение")
            return 1
        if len(bare) == 1 and after_number and not dotted and (self.touches[at] or piece.isupper() or not following):
            # "30А скидка": without a pause the letter is heard as a word of what follows.
            self.said.append(self._letter(bare) + ("," if following else ""))
            return 1
        if dotted and (name := self.table.initials.get((bare, following.lower()))):
            self.said.append(name)
            return 1
        if piece == "м." and following[:1].isupper() and self._starts_metro(at):
            self.said.append("метро")
            return 1
        if dotted and bare in self.table.described and (gender := self._described(following)):
            self.said.append(self._adjective(self.table.described[bare], gender))
            return 1
        if len(bare) == 1 and dotted and piece[0].isupper() and at > 0 and not numbered:
            self.said.append(self._letter(bare))
            return 1
        if bare in self.table.islands:
            self.said += self.table.islands[bare][bool(self.said)].split()
            return 1
        for table in (self.table.streets, self.table.settlements):
            if short and bare in table and not (bare == "д" and numbered):
                self.heads.append(len(self.said))
                self.said.append(table[bare])
                return 1
        if bare == "д" and dotted and self.language.code == "ru":
            self.heads.append(len(self.said))
            self.said.append("деревня")
            return 1
        if bare in self.table.others and (short or piece.isupper()):
            self.said.append(self.table.others[bare])
            return 1
        if short and bare in self.table.houses:
            self.said.append(self.table.houses[bare])
            return 1
        if len(bare) == 1 and (dotted or piece.isupper()):
            self.said.append(self._letter(bare))
            return 1
        self.said.append(piece.rstrip("."))
        return 1

    def _starts_metro(self, at: int) -> bool:
        """ "м. Сенная площадь", "ст. м. Невский проспект"; not "ул. м. Горького"."""
        if self.language.code == "uk":
            return self.said[-1:] == ["станція"]
        return at == 0 or (at == 1 and self.said == ["станция"])

    def _letter(self, letter: str) -> str:
        return self.language.letters.get(letter, letter)

    def _described(self, following: str) -> Gender | None:
        """The gender of the adjective that "Б." stands before, or None when it is an initial."""
        word = following.lower()
        if not following[:1].isupper():
            return None
        if word.endswith(("ая", "яя")) or (self.language.code == "uk" and word.endswith("ька")):
            return Gender.FEMININE
        if self.language.code == "uk" and word.endswith("а") and self._is_adjective(word):
            return Gender.FEMININE
        if word.endswith(("ий", "ый", "ой")) and self._is_adjective(word):
            return Gender.MASCULINE
        return None

    def _is_adjective(self, word: str) -> bool:
        return any(each.tag.POS == "ADJF" for each in parses(self.language.code, word))

    def _adjective(self, masculine: str, gender: Gender) -> str:
        nouns = {"ru": ("дом", "улица"), "uk": ("дім", "вулиця")}[self.language.code]
        noun = nouns[gender is Gender.FEMININE]
        return phrase(self.language.code, f"{masculine} {noun}").adjectives[0][gender][0]

    def _number(self, at: int) -> int:
        digits, _, ending = re.sub("–", "-", self.tokens[at]).partition("-")
        following = self.tokens[at + 1].lower().rstrip(".") if at + 1 < len(self.tokens) else ""
        value = int(digits) if len(digits) <= 12 else -1
        if value < 0:
            self.said += [number_words(self.language, int(digit)) for digit in digits]
            return 1
        if ending:
            return self._suffixed(value, digits, ending.lower(), at)
        if self.is_index():
            self._index(digits)
            return 1
        if following in self.table.months:
            self.said += ordinal_words(self.language, value, Gender.NEUTER, Case.GEN).split()
        elif following == self.table.of_year and value > 1000:
            self.said += ordinal_words(self.language, value, Gender.MASCULINE, Case.GEN).split()
        elif following in self.table.streets and not self.touches[at + 1] and self._comes_last(at + 1):
            gender = phrase(self.language.code, self.table.streets[following]).gender
            self.said += ordinal_words(self.language, value, gender, Case.NOM).split()
        elif following.endswith(("ых", "их")) and len(following) > 4:
            self.said.append(number_words(self.language, value, Case.GEN))
        else:
            self.said.append(number_words(self.language, value))
        return 1

    def _comes_last(self, at: int) -> bool:
        """Whether the word there names what the number before it counts: "8 линия", not "5 ул. Садовая"."""
        return at == len(self.tokens) - 1 or not self.tokens[at + 1][0].isdigit()

    def _suffixed(self, value: int, digits: str, ending: str, at: int) -> int:
        """ "1-я", "50-летия", "12-Б"."""
        if ending.startswith(self.table.anniversary):
            self.said.append(joined(self.language.numerals, value) + ending)
            return 1
        written = self.tokens[at].partition("-")[2] or self.tokens[at].partition("–")[2]
        if at > 0 and f"{ending} gen" in self.table.endings and self._before_feminine_genitive(at):
            ending += " gen"
        if (form := self.table.endings.get(ending)) and written.islower():
            gender, case = form
            self.said += ordinal_words(self.language, value, gender, case).split()
            return 1
        self.said.append(number_words(self.language, value))
        self.said += [self._letter(letter) for letter in ending]
        return 1

    def _before_feminine_genitive(self, at: int) -> bool:
        """Whether "7-й" is followed by "Армии": the street is named after it."""
        if self.tokens[at - 1].rstrip(".").lower() not in self.table.streets or at + 1 == len(self.tokens):
            return False
        word = self.tokens[at + 1].lower()
        return any(
            each.tag.case == "gent" and each.tag.gender == "femn" and each.tag.POS in ("NOUN", "ADJF")
            for each in parses(self.language.code, word)
        )

    def _index(self, digits: str) -> None:
        # Region and office: 2 + 3 digits in Ukraine, 3 + 3 in Russia.
        for group in (digits[:-3], digits[-3:]):
            bare = group.lstrip("0")
            self.said += [self.language.numerals.zero[0]] * (len(group) - len(bare))
            if bare:
                self.said.append(number_words(self.language, int(bare)))

    def _decline(self, case: Case) -> None:
        """Put the street's word, or the adjective that is the street's whole name, into that case."""
        code = self.language.code
        if self.said and self.said[0] in ("метро", "станция", "станція"):
            # The name stays as it is: "у станции метро Сенная площадь".
            if self.said[0] != "метро":
                self.said[0] = phrase(code, self.said[0]).singular(case)
            return
        if not self.heads:
            first = self.said[0] if self.said else ""
            if first.lower() in self.table.others.values():
                named = phrase(code, first)
                self.said[0] = named.singular(case)
            elif len(self.said) == 1 and (gender := self._named_gender(first)):
                self.said[0] = self._declined(first, gender, case)
            return
        head = self.heads[0]
        noun = phrase(code, self.said[head])
        for at, word in enumerate(self.said):
            if at != head and word[:1].isalpha() and self._agrees(word, noun.gender):
                self.said[at] = self._declined(word, noun.gender, case)
        if self.said[head] in self.table.settlements.values() and head + 1 < len(self.said):
            self.said[head + 1] = self._town(self.said[head + 1], case)
        self.said[head] = noun.singular(case)

    def _town(self, name: str, case: Case) -> str:
        if name.lower().endswith(("ово", "ево", "ино", "ыно")):
            return name
        for each in parses(self.language.code, name.lower()):
            if marked(each, "Geox") and str(each.tag.case or "nomn") == "nomn" and each.tag.number != "plur":
                return _titled(name, phrase(self.language.code, name).singular(case))
        return name

    def _named_gender(self, word: str) -> Gender | None:
        lowered = word.lower()
        if lowered.endswith(("ий", "ый", "ой")) and self._is_adjective(lowered):
            return Gender.MASCULINE
        feminine = "ая" if self.language.code == "ru" else "а"
        return Gender.FEMININE if lowered.endswith(feminine) and self._is_adjective(lowered) else None

    def _agrees(self, word: str, gender: Gender) -> bool:
        read = parses(self.language.code, word.lower())
        if self.language.code == "uk" and any("Surn" in str(each.tag) and each.tag.case == "gent" for each in read):
            # "Вулиця Антонова" is named after a man; "вулиця Садова" is an adjective.
            return False
        for each in read:
            tag = each.tag
            if tag.POS in ("ADJF", "PRTF") and str(tag.case or "nomn") == "nomn" and tag.gender == gender:
                return not word.lower().endswith(
                    ("ова", "ева", "ёва", "ина") if self.language.code == "ru" else ("єва", "іна")
                )
        return False

    def _declined(self, word: str, gender: Gender, case: Case) -> str:
        nouns = {"ru": ("дом", "улица", "шоссе"), "uk": ("дім", "вулиця", "шосе")}[self.language.code]
        noun = nouns[(Gender.MASCULINE, Gender.FEMININE, Gender.NEUTER).index(gender)]
        forms = phrase(self.language.code, f"{word.lower()} {noun}").adjectives[0]

        at = TABLE_ORDER.index(Case.NOM if case is Case.ACC and gender is not Gender.FEMININE else case)
        return _titled(word, forms[gender][at])


def _titled(model: str, word: str) -> str:
    """The word with the model's capital letters."""
    if "-" in model:
        return "-".join(_titled(*pair) for pair in zip(model.split("-"), word.split("-"), strict=False))
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
