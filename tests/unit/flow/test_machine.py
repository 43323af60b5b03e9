"""The machine, one rule a test. Every event goes through JSON first, so that each state is known to survive it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from ivr.flow.machine import MAX_HOPS, MAX_WAITS, Machine, WrongEvent
from ivr.flow.model import (
    KEYPAD,
    Branch,
    Choice,
    Flow,
    Gather,
    Goto,
    HangUp,
    LanguageChoice,
    Menu,
    Node,
    OptOut,
    Play,
    Policy,
    Request,
    Say,
    Transfer,
)
from ivr.flow.state import State, Waiting
from ivr.flow.steps import (
    Begun,
    End,
    Ended,
    Event,
    Heard,
    HungUp,
    KeyPressed,
    Listen,
    Note,
    NoteKind,
    Silence,
    Speak,
    Spoken,
    Step,
    TransferEnded,
    TransferTo,
)

BYE = HangUp(name="bye", line=9)
GIVE_UP = Policy(repeat=1, say=(Say(text="sorry"),), then="bye")


class Call:
    """One call through a flow of `nodes`, the first of which it begins in."""

    def __init__(self, *nodes: Node, main: str | None = None, variables: Mapping[str, str] | None = None) -> None:
        flow = Flow(
            name="test",
            kind="promo",
            start=nodes[0].name,
            nodes={node.name: node for node in (*nodes, BYE)},
            languages=("ru", "en"),
            main_message=main,
        )
        self.machine = Machine(flow)
        self.state = State()
        self.steps: tuple[Step, ...] = ()
        self.begun = Begun(language="en", variables=variables or {})

    def __call__(self, *events: Event) -> tuple[Step, ...]:
        """The steps that follow the last of `events`."""
        for event in events:
            self.state, self.steps = self.machine.advance(State.from_json(self.state.to_json()), event)
        return self.steps

    def begin(self) -> tuple[Step, ...]:
        return self(self.begun)

    @property
    def notes(self) -> list[tuple[NoteKind, str]]:
        return [(step.kind, step.value) for step in self.steps if isinstance(step, Note)]

    @property
    def said(self) -> tuple[str, ...]:
        step = self.steps[-1]
        return tuple(say.text for say in step.say) if isinstance(step, Speak) else ()


def menu(keys: Mapping[str, str | Choice], **options: object) -> Menu:
    choices = {key: Choice(to=to) if isinstance(to, str) else to for key, to in keys.items()}
    given: dict[str, object] = {
        "name": "menu",
        "line": 1,
        "say": (Say(text="ask"),),
        "no_input": GIVE_UP,
        "invalid": GIVE_UP,
    }
    return Menu(**{**given, "keys": choices, **options})  # type: ignore[arg-type]


def gather(**options: object) -> Gather:
    given: dict[str, object] = {
        "name": "gather",
        "line": 1,
        "say": (Say(text="ask"),),
        "into": "card",
        "then": "next",
        "no_input": GIVE_UP,
        "invalid": GIVE_UP,
        "min_digits": 2,
        "max_digits": 4,
    }
    return Gather(**{**given, **options})  # type: ignore[arg-type]


def play(name: str, text: str, then: str) -> Play:
    return Play(name=name, line=1, say=(Say(text=text),), then=then)


def played(*texts: str) -> Spoken:
    return Spoken(heard=tuple(Heard(text=text, heard_ms=900, length_ms=900, ended=Ended.PLAYED) for text in texts))


def stopped(text: str, key: str) -> Spoken:
    return Spoken(heard=(Heard(text=text, heard_ms=20, length_ms=900, ended=Ended.KEY),), key=key)


def test_play_speaks_in_the_callers_language_and_goes_on() -> None:
    call = Call(play("hello", "hi", "bye"), variables={"name": "Anna"})
    (step,) = call.begin()
    assert step == Speak(node="hello", language="en", say=(Say(text="hi"),), stop_keys="", variables={"name": "Anna"})
    assert call(played("hi"))[-1] == End(node="bye")
    assert call.notes == [(NoteKind.HEARD, "hi")]


def test_a_language_that_the_flow_does_not_speak_becomes_its_first() -> None:
    call = Call(play("hello", "hi", "bye"))
    call(Begun(language="uk"))
    assert call.state.language == "ru"


def test_menu_listens_after_speech_and_takes_a_key() -> None:
    call = Call(menu({"1": "bye"}, first_key_s=7.0))
    assert isinstance(call.begin()[0], Speak)
    assert call(played("ask"))[-1] == Listen(node="menu", seconds=7.0)
    assert call(KeyPressed(key="1"))[-1] == End(node="bye")
    assert call.notes == [(NoteKind.KEY, "1")]


def test_a_key_during_speech_counts_at_once() -> None:
    call = Call(menu({"1": "bye"}))
    (speak,) = call.begin()
    assert isinstance(speak, Speak)
    assert speak.stop_keys == KEYPAD
    call(stopped("ask", "1"))
    assert call.notes == [(NoteKind.HEARD, "ask"), (NoteKind.KEY, "1")]
    assert call.steps[-1] == End(node="bye")


def test_speech_without_barge_in_takes_no_keys() -> None:
    call = Call(menu({"1": "bye"}, barge_in=False))
    (speak,) = call.begin()
    assert isinstance(speak, Speak)
    assert speak.stop_keys == ""
    with pytest.raises(WrongEvent):
        call(stopped("ask", "1"))


def test_a_wrong_key_during_speech_is_invalid() -> None:
    call = Call(menu({"1": "bye"}))
    call.begin()
    call(stopped("ask", "5"))
    assert call.notes == [(NoteKind.HEARD, "ask"), (NoteKind.INVALID, "5")]
    assert call.said == ("sorry", "ask")


def test_follow_up_depth_and_variables_of_a_choice() -> None:
    top = menu({"1": Choice(to="again", follow_up=True, set={"city": "moscow"})})
    call = Call(top, menu({"2": "bye"}, name="again"))
    call.begin()
    call(played("ask"), KeyPressed(key="1"))
    assert call.steps[0] == Note(kind=NoteKind.KEY, node="menu", value="1", follow_up=True, depth=0)
    speak = call.steps[-1]
    assert isinstance(speak, Speak)
    assert speak.variables == {"city": "moscow"}
    call(played("ask"), KeyPressed(key="2"))
    assert call.steps[0] == Note(kind=NoteKind.KEY, node="again", value="2", depth=1)


def test_silence_asks_again_then_gives_up() -> None:
    call = Call(menu({"1": "bye"}, again=(Say(text="short"),)))
    call.begin()
    call(played("ask"), Silence())
    assert call.notes == [(NoteKind.NO_INPUT, "")]
    assert call.said == ("sorry", "short")
    call(played("sorry", "short"), Silence())
    assert call.steps[-1] == End(node="bye")


def test_silence_and_wrong_keys_are_counted_apart() -> None:
    call = Call(menu({"1": "bye"}))
    call.begin()
    call(played("ask"), Silence())
    call(played("sorry", "ask"), KeyPressed(key="7"))
    assert call.said == ("sorry", "ask")
    call(played("sorry", "ask"), KeyPressed(key="7"))
    assert call.steps[-1] == End(node="bye")


def test_counts_begin_anew_in_the_next_node() -> None:
    call = Call(menu({"1": "menu"}))
    call.begin()
    call(played("ask"), Silence(), played("sorry", "ask"), KeyPressed(key="1"), played("ask"), Silence())
    assert call.said == ("sorry", "ask")


def test_nothing_to_say_listens_again_at_once() -> None:
    call = Call(menu({"1": "bye"}, again=(), no_input=Policy(repeat=1, then="bye")))
    call.begin()
    assert call(played("ask"), Silence())[-1] == Listen(node="menu", seconds=5.0)


def test_a_key_of_two_digits() -> None:
    call = Call(menu({"1": "bye", "12": "far"}, between_keys_s=2.5), play("far", "far", "bye"))
    call.begin()
    assert call(stopped("ask", "1"))[-1] == Listen(node="menu", seconds=2.5)
    call(KeyPressed(key="2"))
    assert call.said == ("far",)


def test_silence_completes_a_key_that_begins_another() -> None:
    call = Call(menu({"1": "bye", "12": "far"}), play("far", "far", "bye"))
    call.begin()
    call(stopped("ask", "1"), Silence())
    assert call.notes == [(NoteKind.KEY, "1")]
    assert call.steps[-1] == End(node="bye")


def test_half_a_key_and_silence_is_invalid() -> None:
    call = Call(menu({"12": "bye"}))
    call.begin()
    call(stopped("ask", "1"), Silence())
    assert call.notes == [(NoteKind.INVALID, "1")]


def test_gather_ends_at_the_terminator() -> None:
    call = Call(gather(), play("next", "card", "bye"))
    call.begin()
    call(stopped("ask", "4"), KeyPressed(key="2"), KeyPressed(key="#"))
    assert call.notes == [(NoteKind.KEY, "42#")]
    assert call.state.variables == {"card": "42"}
    assert call.said == ("card",)


def test_gather_ends_at_its_length_and_at_silence() -> None:
    full, silent = (Call(gather(), play("next", "card", "bye")) for _ in range(2))
    full.begin()
    full(played("ask"), *(KeyPressed(key=key) for key in "4242"))
    assert full.state.variables == {"card": "4242"}
    silent.begin()
    silent(played("ask"), KeyPressed(key="4"), KeyPressed(key="2"), Silence())
    assert silent.state.variables == {"card": "42"}


def test_gather_too_short_is_invalid_and_begins_anew() -> None:
    call = Call(gather(), play("next", "card", "bye"))
    call.begin()
    call(played("ask"), KeyPressed(key="4"), KeyPressed(key="#"))
    assert call.notes == [(NoteKind.INVALID, "4#")]
    assert call.state.typed == ""
    assert call.said == ("sorry", "ask")


def test_language_is_asked_in_every_language_and_kept() -> None:
    choice = LanguageChoice(name="tongue", line=1, say=(Say(text="tongue"),), keys={"1": "ru", "3": "en"}, then="hello")
    call = Call(choice, play("hello", "hi", "bye"))
    (first,) = call.begin()
    assert isinstance(first, Speak)
    assert first.language == "ru"
    second = call(played("tongue"))[-1]
    assert isinstance(second, Speak)
    assert second.language == "en"
    assert call(played("tongue"))[-1] == Listen(node="tongue", seconds=5.0)
    spoken = call(KeyPressed(key="1"))[-1]
    assert call.notes == [(NoteKind.LANGUAGE, "ru")]
    assert isinstance(spoken, Speak)
    assert spoken.language == "ru"


@pytest.mark.parametrize(
    ("event", "note"), [(Silence(), (NoteKind.NO_INPUT, "")), (KeyPressed(key="8"), (NoteKind.INVALID, "8"))]
)
def test_without_a_choice_the_language_stays(event: Event, note: tuple[NoteKind, str]) -> None:
    choice = LanguageChoice(name="tongue", line=1, say=(Say(text="tongue"),), keys={"1": "ru"}, then="bye")
    call = Call(choice)
    call.begin()
    call(played("tongue"), event)
    assert call.notes == [note]
    assert call.state.language == "en"


@pytest.mark.parametrize(
    ("variables", "said"), [({"vip": "yes"}, "gold"), ({"vip": "no"}, "usual"), ({}, "usual"), ({"vip": ""}, "usual")]
)
def test_branch_on_a_variable(variables: dict[str, str], said: str) -> None:
    branch = Branch(name="branch", line=1, on="vip", cases={"yes": "gold"}, otherwise="usual")
    call = Call(branch, play("gold", "gold", "bye"), play("usual", "usual", "bye"), variables=variables)
    call.begin()
    assert call.said == (said,)


def test_branch_on_a_missing_variable_and_on_the_language() -> None:
    missing = Branch(name="missing", line=1, on="vip", cases={"": "tongue"}, otherwise="bye")
    tongue = Branch(name="tongue", line=1, on="language", cases={"en": "english"}, otherwise="bye")
    call = Call(missing, tongue, play("english", "english", "bye"))
    call.begin()
    assert call.said == ("english",)


def test_transfer_answered_ends_the_call() -> None:
    call = Call(Transfer(name="person", line=1, to="operator", say=(Say(text="wait"),), failed="bye"))
    call.begin()
    assert call(played("wait"))[-1] == TransferTo(node="person", destination="operator")
    assert (NoteKind.TRANSFER, "operator") in call.notes
    assert call(TransferEnded(answered=True)) == (End(node="person"),)


def test_transfer_not_answered_goes_on() -> None:
    call = Call(Transfer(name="person", line=1, to="operator", failed="busy"), play("busy", "busy", "bye"))
    assert isinstance(call.begin()[-1], TransferTo)
    call(TransferEnded(answered=False))
    assert call.said == ("busy",)


def test_request_is_recorded_before_it_is_confirmed() -> None:
    call = Call(
        Request(name="send", line=1, kind="send_address", say=(Say(text="sent"),), then="bye"), variables={"a": "b"}
    )
    note, speak = call.begin()
    assert note == Note(kind=NoteKind.REQUEST, node="send", value="send_address", variables={"a": "b"})
    assert isinstance(speak, Speak)


def test_opt_out_stands_even_when_the_caller_hangs_up_on_its_confirmation() -> None:
    call = Call(OptOut(name="never", line=1, say=(Say(text="done"),), then="bye"))
    call.begin()
    assert call.notes == [(NoteKind.OPT_OUT, "")]
    assert call(HungUp())[-1] == End(node="never", reason="hang_up")


def test_the_main_message_is_marked_each_time_it_is_heard() -> None:
    call = Call(menu({"2": "menu"}), main="ask")
    call.begin()
    call(stopped("ask", "2"))
    assert [step.main for step in call.steps if isinstance(step, Note) and step.kind is NoteKind.HEARD] == [True]
    half = Heard(text="ask", heard_ms=450, length_ms=900, ended=Ended.HANG_UP)
    steps = call(HungUp(heard=(half,)))
    assert steps == (
        Note(kind=NoteKind.HEARD, node="menu", value="ask", heard=half, main=True),
        End(node="menu", reason="hang_up"),
    )


def test_keys_that_lead_nowhere_are_kept() -> None:
    call = Call(play("hello", "hi", "gather"), gather())
    call.begin()
    call(Spoken(heard=(Heard(text="hi", heard_ms=900, length_ms=900, ended=Ended.PLAYED, ignored="19"),)))
    assert call.notes == [(NoteKind.IGNORED, "19"), (NoteKind.HEARD, "hi")]
    call(stopped("ask", "4"), HungUp())
    assert call.notes == [(NoteKind.IGNORED, "4")]


def test_hanging_up_is_possible_at_any_time_but_the_end() -> None:
    call = Call(menu({"1": "bye"}))
    assert call(HungUp())[-1] == End(node="", reason="hang_up")
    with pytest.raises(WrongEvent):
        call(HungUp())


@pytest.mark.parametrize(
    ("waiting", "event"),
    [
        (Waiting.CALL, Silence()),
        (Waiting.CALL, played("ask")),
        (Waiting.SPEECH, Silence()),
        (Waiting.SPEECH, KeyPressed(key="1")),
        (Waiting.SPEECH, Begun(language="ru")),
        (Waiting.SPEECH, Spoken(heard=(), key="12")),
        (Waiting.SPEECH, Spoken(heard=(), key="")),
        (Waiting.KEY, played("ask")),
        (Waiting.KEY, TransferEnded(answered=True)),
        (Waiting.KEY, KeyPressed(key="A")),
        (Waiting.KEY, KeyPressed(key="")),
    ],
)
def test_a_wrong_event_is_refused_and_changes_nothing(waiting: Waiting, event: Event) -> None:
    call = Call(menu({"1": "bye"}))
    if waiting is not Waiting.CALL:
        call.begin()
    if waiting is Waiting.KEY:
        call(played("ask"))
    before = call.state
    assert before.waiting is waiting
    with pytest.raises(WrongEvent):
        call(event)
    assert call.state == before


def test_a_loop_without_an_end_says_goodbye() -> None:
    call = Call(Goto(name="a", line=1, to="b"), Goto(name="b", line=2, to="a"))
    call.begin()
    assert call.said == ("common.goodbye",)
    assert call(played("common.goodbye"))[-1].__class__ is End
    assert call.steps[-1] == End(node=call.state.node, reason="steps")
    assert MAX_HOPS < MAX_WAITS


def test_a_caller_who_never_stops_is_told_goodbye() -> None:
    call = Call(play("a", "text", "a"))
    call.begin()
    for _ in range(MAX_WAITS - 1):
        call(played("text"))
        assert call.said == ("text",)
    call(played("text"))
    assert call.said == ("common.goodbye",)
    assert call(played("common.goodbye"))[-1] == End(node="a", reason="steps")


def test_a_state_of_another_flow_is_refused() -> None:
    state = State(waiting=Waiting.KEY, node="elsewhere")
    with pytest.raises(WrongEvent, match="elsewhere"):
        Call(menu({"1": "bye"})).machine.advance(state, Silence())


@pytest.mark.parametrize("text", ["[]", "{}", '{"waiting": "key"}', "no json"])
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        State.from_json(text)


def test_a_constant_of_the_flow_wins_over_a_variable_of_the_call() -> None:
    say = Say(text="shop", values={"address": {"ru": "ул. Мира"}})
    assert say.values_in("ru", {"address": "x", "name": "Анна"}) == {"address": "ул. Мира", "name": "Анна"}
    assert say.values_in("en", {"address": "x"}) == {"address": "x"}
