"""How many words of retail sentences a voice stresses otherwise than the files say, with our marks and without.

    python -m tests.bench.stress

{ru,uk}_first.txt were written before the words of prompts/stress, {ru,uk}_second.txt after the first words and before
the last ones; every word that has a stress worth hearing is marked. A word is wrong when it doesn't sound as marked.
Each different word counts once, by itself, as it stands in its sentence. Takes some minutes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from prompts.engines.rhvoice import VOICES, RHVoice
from prompts.stress import MARK, load_stress, plain

_HERE = Path(__file__).parent
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|{MARK}|'(?=\w))*")


def wrong(language: str, sentences: list[str], *, marked: bool) -> tuple[list[str], int]:
    """The different words that sound otherwise than they are marked, and how many different ones there are."""
    engine = RHVoice()

    def heard(word: str) -> bytes:
        return engine.synthesise(language, word, VOICES[language][0], 2.5).samples.tobytes()

    pairs: dict[tuple[str, str], None] = {}
    for meant in sentences:
        said = load_stress(language).marked(plain(meant)) if marked else plain(meant)
        pairs |= dict.fromkeys(zip(_WORD.findall(said.lower()), _WORD.findall(meant.lower()), strict=True))
    return [meant for said, meant in pairs if said != meant and heard(said) != heard(meant)], len(pairs)


def main() -> None:
    for language in ("ru", "uk"):
        for name in ("first", "second"):
            sentences = (_HERE / f"{language}_{name}.txt").read_text("utf-8").splitlines()
            for marked in (False, True):
                words, of = wrong(language, sentences, marked=marked)
                how = "marked" if marked else "plain"
                share = f"{len(words)}/{of} = {100 * len(words) / of:.1f} %"
                sys.stdout.write(f"{language} {name:6} {how:6} {share}  {' '.join(words[:40])}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
