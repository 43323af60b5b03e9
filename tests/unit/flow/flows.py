"""The shipped flows and texts, as the tests of this folder use them."""

from __future__ import annotations

from pathlib import Path

from ivr.flow.load import load_flows
from ivr.flow.model import Flow
from prompts.sentences import SHIPPED, Sentences, load_sentences

DIALPLANS = Path(__file__).resolve().parents[3] / "dialplans"


def shipped_sentences() -> Sentences:
    return load_sentences(SHIPPED)


def shipped_flows() -> dict[str, Flow]:
    return load_flows(DIALPLANS, shipped_sentences(), {"operator"})
