"""The two small flows that the golden calls walk through."""

from __future__ import annotations

from ivr.flow.model import (
    Choice,
    Flow,
    HangUp,
    LanguageChoice,
    Menu,
    OptOut,
    Play,
    Policy,
    Request,
    Say,
    Transfer,
)
from ivr.versions.loaded import LoadedVersion, Versions
from prompts.voice import Voice


def say(*texts: str) -> tuple[Say, ...]:
    return tuple(Say(text=text) for text in texts)


HOTLINE = Flow(
    name="hotline",
    kind="hotline",
    start="language",
    languages=("ru", "uk"),
    nodes={
        "language": LanguageChoice(
            name="language", line=1, say=say("hotline.language"), keys={"1": "ru", "2": "uk"}, then="main"
        ),
        "main": Menu(
            name="main",
            line=2,
            say=say("hotline.main"),
            keys={"1": Choice(to="shops"), "12": Choice(to="bye"), "0": Choice(to="operator")},
            no_input=Policy(repeat=1, say=say("common.no_input"), then="bye"),
            invalid=Policy(repeat=1, say=say("common.wrong_key"), then="bye"),
        ),
        "shops": Play(
            name="shops",
            line=3,
            say=(Say(text="hotline.shop", values={"address": {"ru": "ул. Мира, д. 5", "uk": "вул. Миру, 5"}}),),
            then="bye",
        ),
        "operator": Transfer(name="operator", line=4, to="operator", say=say("common.connecting"), failed="busy"),
        "busy": Request(name="busy", line=5, kind="call_back", say=say("common.call_back_noted"), then="bye"),
        "bye": HangUp(name="bye", line=6, say=say("common.goodbye")),
    },
)

PROMO = Flow(
    name="promo",
    kind="promo",
    start="greeting",
    languages=("ru", "uk"),
    main_message="promo.offer",
    nodes={
        "greeting": Play(name="greeting", line=1, say=say("promo.greeting"), then="offer"),
        "offer": Menu(
            name="offer",
            line=2,
            say=say("promo.offer", "promo.keys"),
            keys={"1": Choice(to="bye", follow_up=True), "9": Choice(to="never")},
            no_input=Policy(repeat=0, then="bye"),
            invalid=Policy(repeat=0, then="bye"),
        ),
        "never": OptOut(name="never", line=3, say=say("promo.opted_out"), then="bye"),
        "bye": HangUp(name="bye", line=4),
    },
)

FLOWS = {"hotline": HOTLINE, "promo": PROMO}
#: The greeting is three clips: words, the name, words.
LENGTHS_MS = {"promo.greeting": (500, 300, 700), "promo.offer": (4000,)}


def versions_in(voice: Voice) -> Versions:
    """The flows as an engine has them that speaks with `voice`: none of them was published."""
    return Versions(LoadedVersion.of(None, FLOWS, voice))
