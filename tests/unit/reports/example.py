"""A campaign with something of everything, the same on every machine: what the golden pages are made from."""

from __future__ import annotations

from random import Random

from tests.unit.reports.rows import NOON, Rows

_OUTCOMES = {"human": 52, "no_answer": 22, "busy": 9, "machine": 8, "rejected": 4, "invalid_number": 3, "unknown": 2}


def example(people: int = 400, *, state: str = "finished") -> Rows:
    """`people` leads over two days, with retries, keys, opt-outs and a few rows that were refused."""
    chance = Random(7)  # noqa: S311 - the same example every time
    rows = Rows()
    rows.campaign("sony-tv-15", state=state)
    for reason, count in (("invalid_number", 9), ("duplicate", 14), ("unreadable", 2)):
        for _ in range(count):
            rows.refused(reason)
    for _ in range(6):
        rows.lead(excluded="do_not_call")
    for _ in range(people):
        lead = rows.lead()
        at = (
            NOON + chance.choice((-3, -2, -1, 0, 0, 1, 2, 3, 4, 5, 6, 7)) * 3_600_000 + chance.randrange(2) * 86_400_000
        )
        for _ in range(3):
            outcome = chance.choices(list(_OUTCOMES), list(_OUTCOMES.values()))[0]
            attempt = rows.attempt(lead, outcome, at=at)
            if outcome == "human":
                _talk(rows, attempt, chance)
            if outcome not in ("busy", "no_answer"):
                break
            at += 1_800_000
    return rows


def _talk(rows: Rows, attempt: str, chance: Random) -> None:
    call = rows.call(attempt)
    way = chance.random()
    if way < 0.05:
        return
    if way < 0.35:
        rows.heard(call, min(19_400, int(chance.expovariate(1 / 6_000))))
        return
    if way < 0.45:
        at = chance.randrange(2_000, 19_000)
        rows.heard(call, at, "key")
        key = chance.choice(("1", "9"))
    else:
        at = 21_000 + chance.randrange(4_000)
        rows.heard(call, 20_000, "played")
        key = chance.choices(("", "1", "2", "3", "0", "9", "7"), (40, 30, 8, 9, 5, 7, 3))[0]
    if key == "":
        rows.note(call, "no_input", at=at)
    elif key == "7":
        rows.note(call, "invalid", "7", at=at)
    else:
        rows.note(call, "key", key, node="offer_menu", at=at, follow_up=key in "13")
    if key == "9":
        rows.note(call, "opt_out", node="never_again", at=at)
    if key == "0":
        rows.note(call, "transfer", "operator", node="operator", at=at)
    if key == "3":
        rows.note(call, "request", "send_address", node="send_address", at=at)
    if key == "1" and chance.random() < 0.4:
        rows.note(call, "key", "3", node="addresses", at=at + 14_000, follow_up=True, depth=1)
        rows.note(call, "request", "send_address", node="send_address", at=at + 15_000)
