"""Whatever a caller does, in the shipped flows and in flows made at random: no crash, no endless call, and a state that
survives JSON between any two events."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ivr.flow.machine import ACCEPTED, MAX_HOPS, MAX_WAITS, Machine, WrongEvent
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
    Silence,
    Speak,
    Spoken,
    Step,
    TransferEnded,
    TransferTo,
)
from tests.unit.flow.flows import shipped_flows

SHIPPED = shipped_flows()
NAMES = ("a", "b", "c", "d")
KEYS = ("1", "2", "12", "9", "*", "#", "99")

names = st.sampled_from(NAMES)
says = st.lists(st.sampled_from([Say(text="one"), Say(text="two")]), max_size=2).map(tuple)
policies = st.builds(Policy, repeat=st.integers(0, 2), say=says, then=names)
choices = st.builds(Choice, to=names, follow_up=st.booleans(), set=st.just({"seen": "yes"}))


def nodes(name: str) -> st.SearchStrategy[Node]:
    """Any node of this name, also such as the check would refuse."""
    own: dict[str, Any] = {"name": st.just(name), "line": st.just(1)}
    asking = {**own, "say": says, "no_input": policies, "invalid": policies, "barge_in": st.booleans()}
    return st.one_of(
        st.builds(Play, **own, say=says, then=names),
        st.builds(Menu, **asking, keys=st.dictionaries(st.sampled_from(KEYS), choices, min_size=1, max_size=3)),
        st.builds(
            Gather,
            **asking,
            into=st.just("card"),
            then=names,
            min_digits=st.integers(1, 2),
            max_digits=st.integers(2, 3),
            terminator=st.sampled_from(["#", "*", None]),
        ),
        st.builds(LanguageChoice, **own, say=says, keys=st.just({"1": "ru", "2": "en"}), then=names),
        st.builds(Goto, **own, to=names),
        st.builds(Branch, **own, on=st.just("seen"), cases=st.just({"yes": "a"}), otherwise=names),
        st.builds(Transfer, **own, to=st.just("operator"), say=says, failed=names),
        st.builds(Request, **own, kind=st.just("call_back"), say=says, then=names),
        st.builds(OptOut, **own, say=says, then=names),
        st.builds(HangUp, **own, say=says),
    )


flows = st.fixed_dictionaries({name: nodes(name) for name in NAMES}).map(
    lambda made: Flow(name="any", kind="promo", start="a", nodes=made, languages=("ru", "en"), main_message="one")
)


def heard(step: Step, ended: Ended) -> tuple[Heard, ...]:
    assert isinstance(step, Speak)
    return tuple(Heard(text=say.text, heard_ms=1, length_ms=1, ended=ended) for say in step.say)


def fitting(step: Step, data: st.DataObject) -> Event:
    """Something that can happen while the call waits in `step`."""
    if data.draw(st.integers(0, 30)) == 0:
        return HungUp(heard=heard(step, Ended.HANG_UP) if isinstance(step, Speak) else ())
    match step:
        case Speak(stop_keys=keys) if keys and data.draw(st.booleans()):
            return Spoken(heard=heard(step, Ended.KEY), key=data.draw(st.sampled_from(keys)))
        case Speak():
            return Spoken(heard=heard(step, Ended.PLAYED))
        case Listen():
            return KeyPressed(key=data.draw(st.sampled_from(KEYPAD))) if data.draw(st.booleans()) else Silence()
        case TransferTo():
            return TransferEnded(answered=data.draw(st.booleans()))
        case _:
            raise AssertionError(step)


def walk(flow: Flow, data: st.DataObject) -> None:
    machine, state = Machine(flow), State()
    event: Event = Begun(language="uk", variables={"name": "Анна"})
    for _ in range(MAX_WAITS + 3):
        before = state
        state, steps = machine.advance(State.from_json(state.to_json()), event)
        assert machine.advance(before, event) == (state, steps)
        assert all(isinstance(step, Note) for step in steps[:-1])
        assert len(steps) <= MAX_HOPS + 10
        last = steps[-1]
        if isinstance(last, End):
            assert state.waiting is Waiting.NOTHING
            assert (last.reason == "hang_up") == isinstance(event, HungUp)
            return
        assert isinstance(last, Speak | Listen | TransferTo)
        assert state.waiting in ACCEPTED
        event = fitting(last, data)
    pytest.fail("the call never ended")


@given(flow=flows, data=st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_call_through_any_flow(flow: Flow, data: st.DataObject) -> None:
    walk(flow, data)


@pytest.mark.parametrize("name", sorted(SHIPPED))
@given(data=st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_call_through_a_shipped_flow(name: str, data: st.DataObject) -> None:
    walk(SHIPPED[name], data)


events: st.SearchStrategy[Event] = st.one_of(
    st.just(Begun(language="ru")),
    st.builds(Spoken, heard=st.just(()), key=st.sampled_from([None, "1", "#", "12", "", "A"])),
    st.builds(KeyPressed, key=st.sampled_from(["1", "9", "0", "", "12", "я"])),
    st.just(Silence()),
    st.builds(TransferEnded, answered=st.booleans()),
)


@pytest.mark.parametrize("name", sorted(SHIPPED))
@given(sequence=st.lists(events, max_size=30))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_an_event_fits_or_is_refused(name: str, sequence: list[Event]) -> None:
    machine = Machine(SHIPPED[name])
    state, _ = machine.advance(State(), Begun(language="ru"))
    for event in sequence:
        if isinstance(event, ACCEPTED[state.waiting]):
            try:
                state, _ = machine.advance(state, event)
            except WrongEvent:
                assert isinstance(event, Spoken | KeyPressed)
                assert event.key is not None
        else:
            with pytest.raises(WrongEvent):
                machine.advance(state, event)
