"""Numbers as people and files write them, drawn at random: plain ones, nearly plain ones, and none."""

from __future__ import annotations

from random import Random

_BEFORE = {"RU": ("+7", "7", "8", "", "+8"), "KZ": ("+7", "7", "8", "", "+8"), "UA": ("+380", "380", "0", "", "+38")}
_AREAS = {"RU": (3, "34958"), "KZ": (3, "7601"), "UA": (2, "3459067")}
REGIONS = tuple(_BEFORE)


def draw(chance: Random) -> tuple[str, str]:
    """A region, and what stands in a cell."""
    region = chance.choice(REGIONS)
    length, starts = _AREAS[region]
    area = chance.choice(starts) + _digits(chance, length - 1)
    rest = _digits(chance, chance.choices((7, 6, 8), (20, 1, 1))[0])
    before = chance.choices(_BEFORE[region], (4, 4, 4, 2, 1))[0]
    if chance.random() < 0.5:
        return region, before + area + rest
    blank = chance.choice((" ", "-", ""))
    around = chance.choice(("({})", "{}", "{}", "({}", "{})"))
    parts = (before, around.format(area), rest[:3], rest[3:5], rest[5:])
    text = parts[0] + chance.choice((" ", "-", "")) + chance.choice((" ", blank)).join(parts[1:3])
    return region, text + blank + blank.join(parts[3:])


def _digits(chance: Random, many: int) -> str:
    return "".join(chance.choices("0123456789", k=many))
