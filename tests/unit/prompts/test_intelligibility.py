"""How the intelligibility benchmark compares what was said with what was heard."""

from __future__ import annotations

import pytest

from tests.bench.intelligibility import recovered, recovered_sounds, words


@pytest.mark.parametrize(
    ("language", "said", "heard", "right", "by_sound"),
    [
        ("uk", "п'ятнадцять відсотків", "15%", 2, 2),
        ("uk", "На жаль, дев'ять", "Нажаль, девʼять", 1, 3),
        ("uk", "передзвонимо", "перед звонимо", 0, 1),
        ("uk", "натисніть один", "на тисній один", 1, 1),
        ("ru", "двадцать девять тысяч девятьсот девяносто рублей", "29 990 рублей", 6, 6),
        ("ru", "ещё раз — семь", "еще раз всем", 2, 2),
        ("en", "until December first, ten a m", "until December 1st, 10am", 4, 6),
        ("en", "press one", "rest won", 0, 0),
    ],
)
def test_words_recovered(language: str, said: str, heard: str, right: int, by_sound: int) -> None:
    both = words(language, said), words(language, heard)
    assert (recovered(*both), recovered_sounds(*both)) == (right, by_sound)
