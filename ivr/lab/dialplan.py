"""What a subscriber does, as steps of the lab's dialplan. Reads no file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ivr.lab.sound import Samples, beep, greeting, word
from ivr.lab.subscribers import BEEP_S, Behaviour, Subscriber

#: Q.850 causes that PJSIP turns into SIP 486, 480, 404 and 503. Without a cause it says 603; cause 21 would be 403.
_CAUSES: Mapping[Behaviour, str] = {
    Behaviour.BUSY: "17",
    Behaviour.NO_ANSWER: "19",
    Behaviour.REJECTED: "",
    Behaviour.UNALLOCATED: "1",
    Behaviour.CONGESTION: "34",
}
#: Longer than any caller waits.
_FOR_EVER_S = 7200


@dataclass(frozen=True, kw_only=True)
class Row:
    """A subscriber's extension: the name it is reached by, and its steps."""

    extension: str
    subscriber: Subscriber
    steps: tuple[str, ...]


def rows(subscribers: Iterable[Subscriber], sounds: Path) -> dict[str, Sequence[Row]]:
    """Number -> its extensions, one for each of its successive calls. Shoppers are left out."""
    by_number: dict[str, list[Row]] = defaultdict(list)
    for subscriber in subscribers:
        if subscriber.behaviour is not Behaviour.SHOPPER:
            nth = by_number[subscriber.number]
            extension = f"{subscriber.number}-{len(nth) + 1}"
            nth.append(Row(extension=extension, subscriber=subscriber, steps=steps(subscriber, sounds)))
    return dict(by_number)


def shoppers(subscribers: Iterable[Subscriber], sounds: Path) -> list[Row]:
    """The shoppers' extensions: what each does once the hotline has answered."""
    return [
        Row(extension=f"line{subscriber.line}", subscriber=subscriber, steps=steps(subscriber, sounds))
        for subscriber in subscribers
        if subscriber.behaviour is Behaviour.SHOPPER
    ]


def steps(subscriber: Subscriber, sounds: Path) -> tuple[str, ...]:
    """Dialplan applications in order, the last one a hang-up."""
    if subscriber.behaviour is Behaviour.SHOPPER:
        return (*_answered(subscriber, sounds), "Hangup()")
    if subscriber.behaviour in _CAUSES:
        return (*_ringing(subscriber), f"Hangup({_CAUSES[subscriber.behaviour]})")
    return (*_ringing(subscriber), "Answer()", *_answered(subscriber, sounds), "Hangup()")


def _ringing(subscriber: Subscriber) -> tuple[str, ...]:
    wait_s = _FOR_EVER_S if subscriber.after_s is None else subscriber.after_s
    # A number that does not exist, or a full network, rings nowhere.
    rings = subscriber.behaviour not in (Behaviour.UNALLOCATED, Behaviour.CONGESTION, Behaviour.BUSY)
    return (*(("Ringing()",) if rings else ()), *((f"Wait({wait_s:g})",) if wait_s else ()))


def _answered(subscriber: Subscriber, sounds: Path) -> tuple[str, ...]:
    steps = ["Gosub(answered,s,1)"]
    steps += [f"Playback({sounds / name})" for name in _sounds(subscriber)]
    steps += [f"Gosub(key,s,1({press.key},{press.at_s:g},{press.hold_s * 1000:.0f}))" for press in subscriber.keys]
    if subscriber.hang_up_s is None:
        steps.append(f"Wait({_FOR_EVER_S})")
    else:
        steps.append(f"Gosub(until,s,1({subscriber.hang_up_s:g}))")
    return tuple(steps)


def _sounds(subscriber: Subscriber) -> Mapping[str, Callable[[], Samples]]:
    """What the subscriber says: file name without extension -> what makes it."""
    if subscriber.behaviour is Behaviour.MACHINE:
        name = f"greeting-{subscriber.greeting_s:g}"
        return {name: partial(greeting, subscriber.greeting_s), "beep": partial(beep, int(BEEP_S * 1000))}
    if subscriber.speech_ms:
        return {f"word-{subscriber.speech_ms}": partial(word, subscriber.speech_ms)}
    return {}


def sounds(subscribers: Iterable[Subscriber]) -> dict[str, Samples]:
    """Every sound that the subscribers make: file name without extension -> samples."""
    makers = {name: make for subscriber in subscribers for name, make in _sounds(subscriber).items()}
    return {name: make() for name, make in makers.items()}
