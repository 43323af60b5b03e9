"""Words -> the same words with the stress marked where a voice would get it wrong. Pure but for its own word files.

`ru.yaml` and `uk.yaml` are what is known of each lemma, one line each (the README is for linguists).
"""

from prompts.stress.marking import Doubt, Stress, load_stress
from prompts.stress.signs import MARK, VOWELS, plain, written

__all__ = ["MARK", "VOWELS", "Doubt", "Stress", "load_stress", "plain", "written"]
