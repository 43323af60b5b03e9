"""Compare the columns of a contacts file with what a flow says. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ivr.flow.graph import texts
from ivr.flow.model import Flow, Language
from prompts.reading import variables
from prompts.sentences import Sentences


def missing_columns(
    flow: Flow, sentences: Sentences, columns: Collection[str], language: Language
) -> Iterator[tuple[str, str, str | None]]:
    """Each variable of the flow that no column gives, the text that needs it, and what is said instead in `language`.

    None instead of a sentence: the text is left out.
    """
    there = {*columns, "name", "phone", "language"}
    seen = set()
    for say in texts(flow):
        sentence = sentences.get(language, say.text)
        if sentence is None:
            continue
        for variable in variables(sentence.text):
            name = variable.name
            lacking = name in flow.variables and name not in there and name not in say.values
            if lacking and (name, say.text) not in seen:
                seen.add((name, say.text))
                yield name, say.text, sentence.fallback
