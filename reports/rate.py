"""A share with what it is a share of, and how sure one can be of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

#: Standard normal quantile of 0.975: a two-sided 95 % interval.
_Z = 1.959963984540054


def wilson(part: int, whole: int) -> tuple[float, float]:
    """The Wilson score interval (95 %) of part/whole, both ends in 0..1.

    E. B. Wilson, JASA 22 (1927) 209-212; without continuity correction, "method 3" of R. G. Newcombe,
    Statistics in Medicine 17 (1998) 857-872. Raises ValueError unless 0 <= part <= whole and whole > 0.
    """
    if not 0 <= part <= whole or whole == 0:
        raise ValueError(f"{part} of {whole} is no share")
    share = part / whole
    square = _Z * _Z / whole
    middle = (share + square / 2) / (1 + square)
    half = _Z * sqrt(share * (1 - share) / whole + square / (4 * whole)) / (1 + square)
    # At 0 and at 1 the ends are exact; rounding must not say otherwise.
    low = 0.0 if part == 0 else max(0.0, middle - half)
    high = 1.0 if part == whole else min(1.0, middle + half)
    return low, high


@dataclass(frozen=True)
class Rate:
    """`part` of `whole`. The share and its interval are None where they mean nothing: of nobody, or more than all."""

    part: int
    whole: int

    @property
    def share(self) -> float | None:
        return self.part / self.whole if self._sound else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson(self.part, self.whole) if self._sound else None

    @property
    def _sound(self) -> bool:
        return self.whole > 0 and 0 <= self.part <= self.whole
