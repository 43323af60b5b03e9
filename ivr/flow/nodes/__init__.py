"""The kinds of node, one file each. A new kind is a file of its own and a line here; the engine asks for no more."""

from __future__ import annotations

from ivr.flow.node import Node
from ivr.flow.nodes.branch import Branch
from ivr.flow.nodes.gather import Gather
from ivr.flow.nodes.goto import Goto
from ivr.flow.nodes.hang_up import HangUp
from ivr.flow.nodes.language import LanguageChoice
from ivr.flow.nodes.menu import Menu
from ivr.flow.nodes.opt_out import OptOut
from ivr.flow.nodes.play import Play
from ivr.flow.nodes.request import Request
from ivr.flow.nodes.transfer import Transfer

#: In the order in which an author is told of them.
KINDS: tuple[type[Node], ...] = (
    Play,
    Menu,
    Gather,
    LanguageChoice,
    Goto,
    Branch,
    Transfer,
    Request,
    OptOut,
    HangUp,
)


def by_word() -> dict[str, type[Node]]:
    """The kinds by the words that a file writes for them."""
    return {kind.grammar.word: kind for kind in KINDS}
