"""What is written with foreign letters or signs -> what the language's own voice can say. Pure, but for the loading.

First the dictionary of the language (prompts/dictionary/, then the site's); what it does not know is spelled or
transliterated, for a voice of one language garbles or skips the letters of another. Russian letters in Ukrainian, and
Ukrainian ones in Russian, become their nearest neighbours. What is left then, no voice can say: `unsayable`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import yaml

from faults import AuthorError, Fault
from prompts.sentences import LANGUAGES
from prompts.yaml_files import line_of, read_yaml

#: The dictionaries that come with the engine.
SHIPPED = Path(__file__).parent / "dictionary"
#: The shipped ones are under 4 kB.
MAX_BYTES = 512 * 1024

_LATIN = re.compile(r"(?:[A-Za-zÀ-ÖØ-öø-ɏḀ-ỿ][\u0300-\u036f]*)+")
_CYRILLIC = re.compile(r"[Ѐ-ӿ]+(?:['’ʼ][Ѐ-ӿ]+)*")
_LETTERS = {
    language: dict(zip("abcdefghijklmnopqrstuvwxyz", names.split(), strict=True))
    for language, names in {
        "ru": "эй би си ди и эф джи эйч ай джей кей эл эм эн оу пи кью ар эс ти ю ви дабл-ю экс уай зет",
        "uk": "ей бі сі ді і еф джі ейч ай джей кей ел ем ен оу пі к'ю ар ес ті ю ві дабл-ю екс уай зет",
    }.items()
}
# The longest first, where several begin alike.
_SOUNDS = {
    "ru": "shch щ|sch ш|tch ч|sh ш|ch ч|zh ж|kh х|th т|ph ф|ck к|qu кв|oo у|ee и|ou у|ya я|yu ю|yo ё|ts ц|wh в|"
    "a а|b б|c к|d д|e е|f ф|g г|h х|i и|j дж|k к|l л|m м|n н|o о|p п|q к|r р|s с|t т|u у|v в|w в|x кс|y и|z з",
    "uk": "shch щ|sch ш|tch ч|sh ш|ch ч|zh ж|kh х|th т|ph ф|ck к|qu кв|oo у|ee і|ou у|ya я|yu ю|yi ї|ye є|ts ц|wh в|"
    "a а|b б|c к|d д|e е|f ф|g ґ|h г|i і|j дж|k к|l л|m м|n н|o о|p п|q к|r р|s с|t т|u у|v в|w в|x кс|y і|z з",
    "en": "а a|б b|в v|г g|ґ g|д d|е e|є ye|ё yo|ж zh|з z|и i|і i|ї yi|й y|к k|л l|м m|н n|о o|п p|р r|с s|т t|у u|"
    "ф f|х kh|ц ts|ч ch|ш sh|щ shch|ъ |ы y|ь |э e|ю yu|я ya|' |’ |ʼ ",
}
_SOUND = {
    language: {written: spoken for written, _, spoken in (pair.partition(" ") for pair in table.split("|"))}
    for language, table in _SOUNDS.items()
}
#: Latin letters that are no plain letter with a mark.
_LIGATURES = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "ə": "e", "Ə": "E"}
)
#: Letters of the other Cyrillic language, and marks with several forms, as a voice knows them; the first rule first.
_NEIGHBOURS = {
    language: tuple((re.compile(written, re.IGNORECASE), spoken) for written, spoken in rules)
    for language, rules in {
        "uk": (
            # RHVoice 1.8 does not know U+02BC, the apostrophe of Ukrainian spelling.
            (r"(?<=[^\W\d_])[ʼ’`´](?=[^\W\d_])", "'"),
            (r"(?<=[жчшщ])ё", "о"),
            (r"(?<=[бвгґдзйклмнпрстфхц])ё", "ьо"),
            ("ё", "йо"),
            ("ы", "и"),
            ("э", "е"),
            ("ъ", "'"),
        ),
        "ru": (
            (r"(?<=[бвгджзклмнпрстфхцчшщ])['ʼ’`´](?=[яюєїеё])", "ъ"),
            (r"(?<=ъ)ї", "и"),
            ("ї", "йи"),
            ("і", "и"),
            ("є", "е"),
            ("ґ", "г"),
            ("ў", "у"),
        ),
        "en": (),
    }.items()
}
_ALPHABETS = {
    "ru": frozenset("абвгдеёжзийклмнопрстуфхцчшщъыьэюя"),
    "uk": frozenset("абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"),
    "en": frozenset("abcdefghijklmnopqrstuvwxyz"),
}


@dataclass(frozen=True)
class Pronunciation:
    language: str
    #: As written, in lower case -> as spoken.
    words: Mapping[str, str] = field(default_factory=dict)

    def spoken(self, text: str) -> str:
        """`text` with all foreign words as this language's voice can say them."""
        text = unicodedata.normalize("NFC", text)
        if self.words:
            text = self._known.sub(self._as_known, text)
        text = _LATIN.sub(lambda found: _plain(found[0]), text)
        foreign = _CYRILLIC if self.language == "en" else _LATIN
        text = foreign.sub(lambda found: self._by_letters(found[0]), text)
        for written, spoken in _NEIGHBOURS[self.language]:
            text = written.sub(partial(_in_case, spoken), text)
        return " ".join(text.split())

    def unsayable(self, text: str) -> str:
        """The letters of `text` that this language's voice has no sound for, however they are written."""
        said = dict.fromkeys(each for each in self.spoken(text).lower() if each.isalpha())
        return "".join(each for each in said if each not in _ALPHABETS[self.language])

    def unknown(self, text: str) -> list[str]:
        """Foreign words that the dictionary does not have, so that they are read letter by letter or as they sound."""
        foreign = _CYRILLIC if self.language == "en" else _LATIN
        return foreign.findall(self._known.sub(" ", text) if self.words else text)

    def _as_known(self, found: re.Match[str]) -> str:
        said = self.words[found[0].lower()]
        # Signs and models are written close to numbers: "5%", "OLED55".
        return f" {said} " if self._closed(found) else said

    @staticmethod
    def _closed(found: re.Match[str]) -> bool:
        around = found.string[found.start() - 1 : found.start()] + found.string[found.end() : found.end() + 1]
        return not found[0][0].isalnum() or any(character.isdigit() for character in around)

    @cached_property
    def _known(self) -> re.Pattern[str]:
        written = sorted(self.words, key=len, reverse=True)
        return re.compile(
            "|".join(
                rf"(?<![^\W\d_]){re.escape(word)}(?![^\W\d_])" if word[0].isalnum() else re.escape(word)
                for word in written
            ),
            re.IGNORECASE,
        )

    def _by_letters(self, word: str) -> str:
        plain = word.lower()
        if self.language != "en" and ((word.isupper() and len(word) <= 4) or not re.search("[aeiouy]", plain)):
            return " ".join(_LETTERS[self.language].get(letter, "") for letter in plain)
        sounds, said, at = _SOUND[self.language], "", 0
        while at < len(plain):
            for length in (4, 3, 2, 1):
                if plain[at : at + length] in sounds:
                    said += sounds[plain[at : at + length]]
                    break
            else:
                length = 1
            at += length
        return said.capitalize() if word[0].isupper() else said


def _plain(latin: str) -> str:
    """Latin letters without their marks."""
    parts = unicodedata.normalize("NFD", latin.translate(_LIGATURES))
    return "".join(each for each in parts if not unicodedata.combining(each))


def _in_case(spoken: str, found: re.Match[str]) -> str:
    return spoken.capitalize() if found[0].isupper() else spoken


def load_pronunciation(language: str, *folders: Path) -> Pronunciation:
    """The dictionary of `language` from {language}.yaml of each folder; a later one adds and replaces.

    Raises AuthorError when a file is no map of words to words.
    """
    if language not in LANGUAGES:
        raise ValueError(language)
    words: dict[str, str] = {}
    for path in (folder / f"{language}.yaml" for folder in folders):
        if not path.exists():
            continue
        mend = "Write one word a line: Sony: Сони"
        root, faults = read_yaml(path, what="dictionary", at_most=MAX_BYTES, mend=mend)
        if faults:
            raise AuthorError(faults)
        words |= _words(path, root)
    return Pronunciation(language, words)


def _words(path: Path, root: yaml.Node | None) -> dict[str, str]:
    mend = "Write one word a line, and put it in quotes when it is a number or yes, no, on, off."

    def no_word(at: yaml.Node) -> AuthorError:
        return AuthorError(Fault(what="This is no map of words to words.", where=path, line=line_of(at), mend=mend))

    words: dict[str, str] = {}
    if root is None or _is(root, "null"):
        return words
    if not isinstance(root, yaml.MappingNode):
        raise no_word(root)
    for written, said in root.value:
        if not _is(written, "str") or not _is(said, "str") or not written.value.strip():
            raise no_word(written)
        words[written.value.lower()] = said.value
    return words


def _is(node: yaml.Node, kind: str) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == f"tag:yaml.org,2002:{kind}"
