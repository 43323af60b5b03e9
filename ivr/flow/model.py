"""What a call flow is, with its nodes and texts under one roof. Data only; it checks nothing and reads no file.

The nodes are those that somebody outside of ivr/flow names; a new kind need not be here (see ivr.flow.nodes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ivr.flow.keys import KEYPAD
from ivr.flow.node import Node
from ivr.flow.nodes.branch import Branch
from ivr.flow.nodes.gather import Gather
from ivr.flow.nodes.goto import Goto
from ivr.flow.nodes.hang_up import HangUp
from ivr.flow.nodes.language import LanguageChoice
from ivr.flow.nodes.menu import Choice, Menu
from ivr.flow.nodes.opt_out import OptOut
from ivr.flow.nodes.play import Play
from ivr.flow.nodes.request import Request
from ivr.flow.nodes.transfer import Transfer
from ivr.flow.policy import Policy
from ivr.flow.say import Say
from prompts.languages import Language

__all__ = [
    "KEYPAD",
    "Branch",
    "Choice",
    "Flow",
    "Gather",
    "Goto",
    "HangUp",
    "Language",
    "LanguageChoice",
    "Menu",
    "Node",
    "OptOut",
    "Play",
    "Policy",
    "Request",
    "Say",
    "Transfer",
]


@dataclass(frozen=True, kw_only=True)
class Flow:
    name: str
    kind: Literal["hotline", "promo"]
    start: str
    nodes: Mapping[str, Node]
    languages: tuple[Language, ...]
    #: promo: text key of the message that the campaign is about; "listened to the end" means this one.
    main_message: str | None = None
    #: Variables that a call brings (name -> example value, used by checks and the terminal walk).
    variables: Mapping[str, str] = field(default_factory=dict)
