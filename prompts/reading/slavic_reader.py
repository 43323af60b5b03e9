"""Reads one variable in Russian or Ukrainian, in the case its place in the sentence asks for."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from prompts.reading import measures, phone, values
from prompts.reading.calendar import calendar, date_words, time_words, weekday_words
from prompts.reading.cases import CASE_OF_TAG, TAGS, Case, Gender
from prompts.reading.errors import ReadingError, shown
from prompts.reading.government import case_of, governing_role
from prompts.reading.grammar import Asked, Grammar, Role
from prompts.reading.lexicon import lexicon
from prompts.reading.nouns import Phrase, locative, parses, phrase
from prompts.reading.numerals import agreement
from prompts.reading.predicates import preposition_before
from prompts.reading.sentence import JOINS, Place
from prompts.reading.slavic import (
    bare_number,
    half_number,
    number_words,
    ordinal_words,
    quantity,
    slavic,
)
from prompts.reading.slavic_address import address_words
from prompts.reading.template import Kind, Variable

#: Both languages say them so: "плюс семь", "сто на двести".
_PLUS, _BY = "плюс", "на"
#: Variables that leave their noun to the next one: "с {a:ordinal} по {b:ordinal этаж}".
_SHARING = frozenset({"{ordinal}", "{count}", "{number}"})
_RANGES = frozenset({"по", "до", "-", "–", "—", ","})
_YEARS = range(1000, 3000)
_YEAR_WORDS = {
    "год": Case.ACC, "года": Case.GEN, "году": Case.LOC, "годом": Case.INS,
    "рік": Case.ACC, "року": Case.GEN, "році": Case.LOC, "роком": Case.INS,
}  # fmt: skip
_CLAUSE_ENDS = frozenset(",;()")
_LONGEST_ORDINAL = 10**12


def _ends_in(grammar: Grammar, place: Place) -> bool:
    return governing_role(grammar, place) is Role.IN


class SlavicReader:
    """Everything said in one of the two languages."""

    def __init__(self, code: str) -> None:
        self.language = slavic(code)
        self.grammar: Grammar = lexicon(code).grammar
        self.percent = measures.units(code)["%"]
        self.months = frozenset(calendar(code).months)
        self._cases: dict[tuple[Variable, Place, str], Case] = {}

    def say(self, variable: Variable, value: str, place: Place) -> str:
        """The words for the value; raises ReadingError when it can't be read as the variable's type."""
        match variable.kind:
            case Kind.MONEY:
                return self._money(value, variable, place)
            case Kind.NUMBER:
                return self._number(value, variable, place)
            case Kind.PERCENT:
                amount = values.number(value.rstrip("% \u00a0"))
                return self._counted(amount, self.percent, variable, place)
            case Kind.COUNT:
                return self._counted(values.number(value), variable.argument, variable, place)
            case Kind.ORDINAL:
                return self._ordinal(value, variable, place)
            case Kind.DATE:
                case = self._case(variable, place)
                return date_words(self.language, values.date(value), case, variable.argument)
            case Kind.WEEKDAY:
                return weekday_words(self.language, values.date(value), self._case(variable, place))
            case Kind.TIME:
                hour = bool(place.after) and place.after[0].startswith(("годин", "час"))
                return time_words(
                    self.language,
                    values.clock(value),
                    self._case(variable, place),
                    hour_follows=hour,
                    in_range=_is_range(place),
                )
            case Kind.MEASURE:
                return self._measure(value, variable, place)
            case Kind.PHONE:
                plus, groups = phone.groups(value)
                return " ".join([*([_PLUS] if plus else []), *map(self._digits, groups)])
            case Kind.DIGITS:
                return " ".join(map(self._digits, phone.split_digits(value, int(variable.argument or 1))))
            case Kind.ADDRESS:
                case = self._case(variable, place)
                return address_words(self.language, value, case)
            case Kind.NAME:
                return values.name(value)
            case _:
                assert_never(variable.kind)

    def _case(self, variable: Variable, place: Place, noun: Phrase | None = None, lemma: str = "") -> Case:
        if variable.case is not None:
            return variable.case
        lemma = noun.lemma if noun else lemma
        key = (variable, place, lemma)
        if (case := self._cases.get(key)) is None:
            if len(self._cases) > 20_000:
                self._cases.clear()
            tail = noun.tail[0] if noun and noun.tail else ""
            living = noun.animate if noun else False
            if variable.kind is Kind.PERCENT and place.after:
                # "Довольны девяносто процентов покупателей": the share of the living acts as they do.
                best = parses(self.language.code, place.after[0])[0].tag
                living = best.case == "gent" and best.animacy == "anim"
            asked = Asked(variable.kind, lemma, living, tail)
            case = self._cases[key] = case_of(self.grammar, asked, place)
        return case

    def _counted(self, amount: Decimal, words: str, variable: Variable, place: Place) -> str:
        noun = phrase(self.language.code, words)
        return quantity(self.language, amount, noun, self._case(variable, place, noun))

    def _money(self, value: str, variable: Variable, place: Place) -> str:
        code = self.language.code
        main, small, currency, negative = measures.money(code, value, variable.argument)
        case = self._case(variable, place)
        units = measures.currencies().names[code][currency]
        said = [self.language.minus] if negative else []
        if main or not small:
            said.append(quantity(self.language, Decimal(main), phrase(code, units[0]), case))
        if small:
            said.append(quantity(self.language, Decimal(small), phrase(code, units[1]), case))
        return " ".join(said)

    def _measure(self, value: str, variable: Variable, place: Place) -> str:
        amounts, unit = measures.measure(self.language.code, value)
        noun = phrase(self.language.code, unit)
        case = self._case(variable, place, noun)
        said = []
        for amount in amounts[:-1]:
            said += [bare_number(self.language, amount, case, noun.gender), _BY]
        return " ".join([*said, quantity(self.language, amounts[-1], noun, case)])

    def _number(self, value: str, variable: Variable, place: Place) -> str:
        amount = values.number(value)
        if amount in _YEARS and amount == amount.to_integral_value() and (year := self._year_case(place)):
            return ordinal_words(self.language, int(amount), Gender.MASCULINE, variable.case or year)
        gender, lemma, animate, forced, forms = self._noun_after(place)
        if not lemma and place.before[-1:] and place.before[-1] in self.grammar.of_them:
            gender = phrase(self.language.code, place.counted).gender if place.counted else self._named_gender(place)
        if amount == amount.to_integral_value() and self._numbers_one(int(amount), lemma, forms, place):
            if self._before_month(place):
                return self._day(int(amount), variable, place)
            asked_case = forced or self._case(Variable(variable.name, Kind.ORDINAL), place, lemma=lemma)
            ordinal_case = asked_case if TAGS.get(asked_case) in forms else Case.GEN
            return ordinal_words(self.language, int(amount), gender, variable.case or ordinal_case)
        case = variable.case or forced
        if case is None:
            asked = Kind.COUNT if lemma else Kind.NUMBER
            case = self._case(Variable(variable.name, asked), place, lemma=lemma)
            if lemma and "gent" in forms and "nomn" not in forms and case in (Case.DAT, Case.INS, Case.LOC):
                case = Case.ACC
        if lemma and (half := half_number(self.language, amount, case, gender)):
            singular = agreement(int(abs(amount))) in ("one", "few")
            if singular == ("sing" in forms):
                return half
        return bare_number(self.language, amount, case, gender, animate=animate)

    def _numbers_one(self, number: int, lemma: str, forms: frozenset[str], place: Place) -> bool:
        """Whether the noun after a number is one thing that it numbers: "41 розміру", "на 5 этаже"."""
        if self._before_month(place):
            return 1 <= number <= 31
        written = place.after[0] if place.after else ""
        placed = lemma in self.grammar.places_on | self.grammar.ordinal_places_on and place.after[0] == lemma
        if placed and agreement(number) != "one" and "plur" not in forms:
            return True
        if not lemma or number < 1 or forms & {"plur", "nomn"} or not forms & {"gent", "datv", "ablt", "loct"}:
            return False
        if any(each.tag.POS != "NOUN" for each in parses(self.language.code, written)):
            return False
        match agreement(number):
            case "one":
                return "gent" in forms and self._case(Variable("", Kind.COUNT), place, lemma=lemma) in (
                    Case.NOM,
                    Case.ACC,
                )
            case "few":
                return self.language.code == "uk" or "gent" not in forms
            case _:
                return True

    def _before_month(self, place: Place) -> bool:
        """Whether the text has the month of a day's number: "до {d:number} грудня", "с {a} по {b} декабря"."""
        after = place.after
        if len(after) > 2 and after[1] in _SHARING and after[0] in JOINS | _RANGES:
            after = after[2:]
        return bool(after) and after[0] in self.months

    def _named_gender(self, place: Place) -> Gender:
        """The gender of what the text itself has counted: "две книги по цене одной"."""
        for word in place.before[-3:-2]:
            for each in parses(self.language.code, word) if word[0].isalpha() else ():
                if each.tag.POS == "NOUN" and each.normalized.tag.gender in tuple(Gender):
                    return Gender(str(each.normalized.tag.gender))
        return Gender.MASCULINE

    def _day(self, number: int, variable: Variable, place: Place) -> str:
        case = variable.case or self._case(Variable(variable.name, Kind.DATE), place)
        return ordinal_words(self.language, number, Gender.NEUTER, case)

    def _year_case(self, place: Place) -> Case | None:
        """The case of a year whose number is written before the word: "в {y:number} году"."""
        case = _YEAR_WORDS.get(place.after[0]) if place.after else None
        dative = bool(place.before) and self.grammar.fixed.get(place.before[-1]) is Case.DAT
        return Case.DAT if case is Case.LOC and dative else case

    def _noun_after(self, place: Place) -> tuple[Gender, str, bool, Case | None, frozenset[str]]:
        """Gender, dictionary form, animacy and forced case of the noun that the text has after a bare number."""
        after = place.after
        if len(after) > 2 and after[1] in _SHARING and after[0] in JOINS | _RANGES:
            after = after[2:]
        for word in after[:3]:
            if not word[0].isalpha():
                break
            nouns = [each for each in parses(self.language.code, word) if each.tag.POS == "NOUN"]
            if nouns and nouns[0].score >= 0.1:
                best = nouns[0]
                gender = best.tag.gender or best.normalized.tag.gender
                cases = {str(each.tag.case or "nomn") for each in nouns if each.normal_form == best.normal_form}
                numbers = {
                    "plur" if each.tag.number == "plur" else "sing"
                    for each in nouns
                    if each.normal_form == best.normal_form
                }
                oblique = cases & {"datv", "ablt", "loct", "loc2"}
                forced = CASE_OF_TAG[min(oblique)] if oblique and not cases - oblique and len(oblique) == 1 else None
                chosen = Gender(str(gender)) if gender in tuple(Gender) else Gender.MASCULINE
                return chosen, best.normal_form, "NOUN,anim" in str(best.tag), forced, frozenset(cases | numbers)
            if not any(each.tag.POS in ("ADJF", "PRTF") for each in parses(self.language.code, word)):
                break
        return Gender.MASCULINE, "", False, None, frozenset()

    def _ordinal(self, value: str, variable: Variable, place: Place) -> str:
        number = values.whole(value.strip().rstrip("."))
        if not 0 <= number < _LONGEST_ORDINAL:
            raise ReadingError(f"{shown(value)} has no ordinal.", "Give a number from 0 up to 10^12.")
        code = self.language.code
        if not variable.argument and self._before_month(place):
            return self._day(number, variable, place)
        if not variable.argument:
            gender, lemma, animate, forced, forms = self._noun_after(place)
            if not lemma and place.before:
                gender = self._subject_gender(place.before)
            case = variable.case or forced or self._case(variable, place, lemma=lemma)
            written = place.after[:1] and place.after[0] not in JOINS | _RANGES
            if written and case is Case.LOC and "accs" in forms and not forms & {"loct", "loc2"}:
                # "В {n:ordinal} очередь": the noun is written already.
                case = variable.case or Case.ACC
            return ordinal_words(self.language, number, gender, case, animate=animate)
        noun = phrase(code, variable.argument)
        case = self._case(variable, place, noun)
        if case is Case.DIST:
            case = Case.DAT
        if noun.lemma == "год" and number >= 1000 and _ends_in(self.grammar, place):
            case = Case.LOC
        if noun.plural_only:
            said = ordinal_words(self.language, number, "", case, animate=noun.animate)
            return f"{said} {noun.plural(case)}"
        inside = case is Case.LOC and governing_role(self.grammar, place) in (Role.IN, Role.ON)
        named = locative(code, noun) if inside else noun.singular(case)
        return f"{ordinal_words(self.language, number, noun.gender, case, animate=noun.animate)} {named}"

    def _subject_gender(self, before: tuple[str, ...]) -> Gender:
        """The gender of the subject that an ordinal is said of: "ваше место третье", "ваша очередь — третья"."""
        start = next((at + 1 for at in range(len(before) - 1, -1, -1) if before[at] in _CLAUSE_ENDS), 0)
        for at in range(start, len(before)):
            for each in parses(self.language.code, before[at]) if before[at][0].isalpha() else ():
                tag = each.tag
                if tag.case != "nomn" or tag.number == "plur" or each.score < 0.1:
                    continue
                if tag.POS == "NPRO" and not tag.gender:
                    return Gender.MASCULINE
                if tag.POS == "NOUN" and not preposition_before(self.grammar, before[start:at]):
                    return Gender(str(tag.gender)) if tag.gender in tuple(Gender) else Gender.MASCULINE
        return Gender.MASCULINE

    def _digits(self, group: str) -> str:
        """A group as a number, its leading zeros said one by one."""
        bare = group.lstrip("0")
        zeros = [self.language.numerals.zero[0]] * (len(group) - len(bare))
        return " ".join([*zeros, *([number_words(self.language, int(bare))] if bare else [])])


def _is_range(place: Place) -> bool:
    """Whether the time is one of two: "с {opens:time} до {closes:time}"."""
    return place.after[:2] == ("до", "{time}") or place.before[-2:] == ("{time}", "до")
