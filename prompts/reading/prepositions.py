"""The Russian prepositions that change before some words: в/во, с/со, о/об/обо, к/ко."""

from __future__ import annotations

import re

_LAST = re.compile(r"(?<![\w-])(во|в|со|с|обо|об|о|ко|к)(\s+)\Z", re.IGNORECASE)
_VOWELS = frozenset("аеёиоуыэюя")
_BARE = {"во": "в", "со": "с", "ко": "к", "об": "о", "обо": "о"}


def fitted(literal: str, following: str) -> str:
    """The literal with its last word, if it is such a preposition, in the form that the next word asks for."""
    found = _LAST.search(literal)
    word = following.lower().lstrip("«\"'(„ ")
    if found is None or not word or not "а" <= word[0].replace("ё", "е") <= "я":
        return literal
    written = found.group(1)
    bare = _BARE.get(written.lower(), written.lower())
    wanted = _form(bare, word)
    if wanted == written.lower():
        return literal
    if written[0].isupper():
        wanted = wanted.upper() if written.isupper() and len(written) > 1 else wanted.capitalize()
    return literal[: found.start(1)] + wanted + found.group(2)


def _form(bare: str, word: str) -> str:
    clustered = len(word) > 1 and word[0] not in _VOWELS and word[1] not in _VOWELS
    match bare:
        case "в":
            long = (word[0] in "вф" and clustered) or word.startswith(("льв", "льн", "мн", "многих"))
            return "во" if long else "в"
        case "с":
            cluster = word[0] in "сзшж" and clustered and not word.startswith(("сь", "шь"))
            return "со" if cluster or word.startswith(("вт", "вс", "вч", "льв", "мно", "щ", "мст", "рж")) else "с"
        case "к":
            long = word.startswith(("втор", "всем", "всяк", "дню", "льв", "мне", "мно", "всей", "всег"))
            return "ко" if long else "к"
        case _:
            if word.startswith(("всем", "всех", "всей", "мне")) or word == "что":
                return "обо"
            return "об" if word[0] in "аиоуэ" else "о"
