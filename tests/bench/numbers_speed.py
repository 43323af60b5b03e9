"""Whether plain numbers are read as the library reads them, and how much quicker: `python -m tests.bench.numbers_speed
[NUMBERS]`, 20,000 by default.
"""

from __future__ import annotations

import sys
import time
from random import Random

from people import numbers
from tests.plain_numbers import draw


def main(many: int = 20_000, seed: int = 1) -> None:
    chance = Random(seed)  # noqa: S311 - examples, not secrets
    plain, quick_s, slow_s = 0, 0.0, 0.0
    for _ in range(many):
        region, text = draw(chance)
        began = time.perf_counter()
        read = numbers.read_phone(text, region=region)
        between = time.perf_counter()
        slow = numbers._read_phone(" ".join(text.split()), region)
        ended = time.perf_counter()
        assert read == slow, (region, text, read, slow)
        if numbers._OWN[region][1].fullmatch(text):
            plain += 1
            quick_s += between - began
            slow_s += ended - between
    print(f"{many:,} numbers are read alike; {plain:,} of them are plain: {quick_s / plain * 1e6:.2f} µs, the library")
    print(f"{slow_s / plain * 1e6:.1f} µs: {slow_s / quick_s:.0f} times as quick")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
