"""The lab on a real Asterisk: what its subscribers do, and that its record says what a foreign caller has seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from faults import MachineError
from ivr.asterisk.program import Program
from ivr.asterisk.running import adopt, errors_in
from ivr.lab.lab import Lab
from ivr.lab.subscribers import parse_subscribers
from ivr.lab.truth import LabCall
from ivr.site import free_ports
from tests.edges.waiting import PATIENCE_S
from tests.live.rtp_peer import PACKET_MS
from tests.live.shared_asterisk import kill
from tests.live.sip_peer import Call, Plan, SipPeer

#: How late a busy machine may make an instant; what two sides say of one instant must agree far better.
_BUSY_MS = 200
#: Audio that is under way at the hang-up is sent and not heard.
_UNDER_WAY_MS = 100

StartLab = Callable[[str], Awaitable[Lab]]


@pytest.fixture
async def peer() -> AsyncIterator[SipPeer]:
    """Plays the site: calls subscribers, and answers shoppers."""
    async with SipPeer() as one:
        yield one


@pytest.fixture
async def start_lab(tmp_path: Path, asterisk_root: Program, peer: SipPeer) -> AsyncIterator[StartLab]:
    started: list[Lab] = []

    async def start(subscribers: str) -> Lab:
        lab = make_lab(tmp_path / "lab", subscribers, asterisk_root, ("127.0.0.1", peer.port))
        await lab.start()
        started.append(lab)
        return lab

    yield start
    for lab in started:
        if running := adopt(lab.home, asterisk_root):
            await kill(running)
        await lab.stop()
        assert errors_in(lab.home.messages) == []


def make_lab(
    folder: Path,
    subscribers: str,
    program: Program,
    site_sip: tuple[str, int],
    credentials: tuple[str, str] | None = None,
) -> Lab:
    ports = {name: int(str(port)) for name, port in free_ports().items()}
    return Lab(
        folder,
        parse_subscribers(subscribers),
        site_sip=site_sip,
        sip_port=ports["asterisk.sip_port"],
        rtp=(ports["asterisk.rtp_start"], ports["asterisk.rtp_end"]),
        credentials=credentials,
        program=program,
    )


async def _call(peer: SipPeer, lab: Lab, number: str, plan: Plan | None = None) -> Call:
    """A call to a subscriber, once it is over."""
    call = peer.dial((lab.host, lab.sip_port), number, caller="74950000000", plan=plan)
    await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
    return call


async def _record(lab: Lab, call: Call) -> LabCall:
    """The lab's record of the only call to a number."""
    truth = await lab.calls_ended(5)
    (found,) = truth.subscribers[call.number.removeprefix("+")].calls
    return found


@pytest.mark.parametrize(
    ("behaviour", "status", "outcome"),
    [
        ("busy", 486, "busy"),
        ("rejected", 603, "rejected"),
        ("unallocated", 404, "invalid_number"),
        ("congestion", 503, "congestion"),
        ("no_answer", 480, "no_answer"),
    ],
)
async def test_a_refusal(start_lab: StartLab, peer: SipPeer, behaviour: str, status: int, outcome: str) -> None:
    lab = await start_lab(f"number,behaviour,after_s\n79160000001,{behaviour},0.2\n")
    call = await _call(peer, lab, "79160000001")
    record = await _record(lab, call)
    assert call.status == status
    assert (record.outcome, record.behaviour, record.line) == (outcome, behaviour, 2)
    assert (record.answered_at_ms, record.heard_ms, record.ended_by) == (None, 0, "subscriber")
    assert record.ended_at_ms - record.started_at_ms == pytest.approx(200, abs=_BUSY_MS)


async def test_an_unknown_number_is_unallocated_and_recorded(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour\n79160000001,busy\n")
    call = await _call(peer, lab, "+79169999999")
    record = await _record(lab, call)
    assert call.status == 404
    assert (record.behaviour, record.line, record.outcome) == ("unknown", None, "invalid_number")


async def test_a_phone_that_nobody_answers_rings_until_the_caller_gives_up(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour\n79160000001,no_answer\n")
    call = peer.dial((lab.host, lab.sip_port), "79160000001", caller="1")
    await asyncio.wait_for(call.rang.wait(), PATIENCE_S)
    call.hang_up()
    await asyncio.wait_for(call.ended.wait(), PATIENCE_S)
    record = await _record(lab, call)
    assert call.status == 487
    assert (record.outcome, record.ended_by) == ("no_answer", "site")


async def test_who_listens_hears_all_that_was_sent(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour,after_s\n79160000001,listen,0.3\n")
    call = await _call(peer, lab, "+79160000001", Plan(hang_up_s=1.5))
    record = await _record(lab, call)
    assert (call.hung_up_by, record.ended_by, record.outcome) == ("us", "site", "human")
    assert record.answered_at_ms is not None
    assert record.answered_at_ms - record.started_at_ms == pytest.approx(300, abs=_BUSY_MS)
    assert record.talked_ms == pytest.approx(1500, abs=_BUSY_MS)
    assert record.heard_ms == pytest.approx(call.media.sent * PACKET_MS, abs=_UNDER_WAY_MS)
    # It sends silence, as a phone does: the engine must not take it for a dead one.
    assert call.heard_ms == pytest.approx(1500, abs=_BUSY_MS)


async def test_who_hangs_up_does_so_at_the_second(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour,after_s,hang_up_s\n79160000001,hang_up,0.1,1.25\n")
    call = await _call(peer, lab, "79160000001")
    record = await _record(lab, call)
    assert (call.hung_up_by, record.ended_by) == ("them", "subscriber")
    assert call.answered_at
    assert call.ended_at
    assert call.ended_at - call.answered_at == pytest.approx(1.25, abs=_BUSY_MS / 1000)
    assert record.heard_ms == pytest.approx(call.media.sent * PACKET_MS, abs=_UNDER_WAY_MS)


async def test_keys_come_when_the_file_says_and_the_log_says_when(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour,keys,hang_up_s\n79160000001,keys,1@0.5;#@0.9/0.5;*@1.2;0@1.45,2\n")
    call = await _call(peer, lab, "79160000001")
    record = await _record(lab, call)
    assert call.answered_at
    heard = [(press.key, (press.began_at - call.answered_at) * 1000) for press in call.media.heard_keys]
    assert [key for key, _ in heard] == ["1", "#", "*", "0"] == [key.key for key in record.keys]
    assert [at_ms for _, at_ms in heard] == pytest.approx([500, 900, 1200, 1450], abs=_BUSY_MS)
    assert [key.at_ms for key in record.keys] == pytest.approx([at_ms for _, at_ms in heard], abs=60)


async def test_each_call_of_a_number_does_what_its_row_says(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab(
        "number,behaviour,after_s,hang_up_s\n79160000001,busy,0,\n79160000001,congestion,0,\n79160000001,hang_up,0,0.2\n"
    )
    statuses = [(await _call(peer, lab, "79160000001")).status for _ in range(4)]
    assert statuses == [486, 503, 200, 200]
    one = (await lab.calls_ended(5)).subscribers["79160000001"]
    assert [call.line for call in one.calls] == [2, 3, 4, 4]
    assert (one.answered, one.outcome) == (2, "human")


async def test_people_and_machines_sound_different(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab(
        "number,behaviour,after_s,speech_ms,greeting_s\n11,human,0,400,\n22,machine,0,,1.2\n33,silent,0,,\n"
    )
    plan = Plan(hang_up_s=2.2, record=True)
    calls = await asyncio.gather(*(_call(peer, lab, number, plan) for number in ("11", "22", "33")))
    person, machine, nobody = (_loud_ms(call) for call in calls)
    assert person == pytest.approx(400, abs=60)
    assert 1100 < machine < 1700  # 1.2 s with short pauses, and a beep of 0.4 s
    assert nobody == 0
    truth = await lab.calls_ended(5)
    assert {number: one.outcome for number, one in truth.subscribers.items()} == {
        "11": "human",
        "22": "machine",
        "33": "human",
    }


def _loud_ms(call: Call) -> int:
    """How much of what was heard was no silence: a packet of A-law silence has few different bytes near 0xD5."""
    heard = bytes(call.media.recording or b"")
    packets = (heard[at : at + 160] for at in range(0, len(heard), 160))
    return 20 * sum(any((byte ^ 0x55) & 0x7F > 0x10 for byte in packet) for packet in packets)


async def test_shoppers_call_walk_their_keys_and_hang_up(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab(
        "number,behaviour,keys,hang_up_s,start_s,dial\n"
        "79160000001,shopper,1@0.4;2@0.8,1.5,0,74950000001\n"
        "79160000002,shopper,,1,0.5,74950000002\n"
    )
    peer.expect("74950000001", Plan(answer_s=0.1))
    peer.expect("74950000002", Plan(answer_s=0.1, refuse=486))
    await lab.place_calls()
    truth = await lab.calls_ended(10)
    first, second = peer.calls
    assert [(call.number, call.caller) for call in peer.calls] == [
        ("74950000001", "79160000001"),
        ("74950000002", "79160000002"),
    ]
    assert second.invited_at - first.invited_at == pytest.approx(0.5, abs=_BUSY_MS / 1000)
    (walked,) = truth.shoppers["79160000001"].calls
    assert ([key.key for key in walked.keys], walked.outcome, walked.line) == (["1", "2"], "human", 2)
    assert [press.key for press in first.media.heard_keys] == ["1", "2"]
    assert [key.at_ms for key in walked.keys] == pytest.approx([400, 800], abs=_BUSY_MS)
    assert walked.heard_ms == pytest.approx(first.media.sent * PACKET_MS, abs=_UNDER_WAY_MS)
    assert (walked.ended_by, first.hung_up_by) == ("subscriber", "them")
    assert truth.shoppers["79160000002"].outcome == "busy"


async def test_calls_left_with_the_lab_are_placed_without_us(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab(
        "number,behaviour,hang_up_s,start_s,dial\n79160000001,shopper,0.2,0,7495\n79160000002,shopper,0.2,1,7495\n"
    )
    peer.expect("7495", Plan(answer_s=0))
    lab.schedule_calls()
    truth = await lab.calls_ended(10)
    assert set(truth.shoppers) == {"79160000001", "79160000002"}


async def test_a_record_begins_afresh(start_lab: StartLab, peer: SipPeer) -> None:
    lab = await start_lab("number,behaviour,after_s\n79160000001,busy,0\n")
    await _call(peer, lab, "79160000001")
    await lab.calls_ended(5)
    await lab.stop()
    assert len(lab.truth().calls) == 1
    await lab.start()
    assert lab.truth().calls == ()


async def test_many_calls_at_one_time_are_all_recorded(start_lab: StartLab, peer: SipPeer) -> None:
    numbers = [f"7916000{n:04}" for n in range(60)]
    lab = await start_lab("number,behaviour,after_s,hang_up_s\n" + "".join(f"{n},hang_up,0.2,1\n" for n in numbers))
    calls = await asyncio.gather(*(_call(peer, lab, number) for number in numbers))
    truth = await lab.calls_ended(10)
    assert {call.status for call in calls} == {200}
    assert sorted(truth.subscribers) == numbers
    assert {one.outcome for one in truth.subscribers.values()} == {"human"}


async def test_two_labs_do_not_share_a_folder_or_a_port(
    start_lab: StartLab, peer: SipPeer, tmp_path: Path, asterisk_root: Program
) -> None:
    lab = await start_lab("number,behaviour\n79160000001,busy\n")
    again = make_lab(lab.folder, "number,behaviour\n79160000001,busy\n", asterisk_root, ("127.0.0.1", peer.port))
    with pytest.raises(MachineError, match="runs already"):
        await again.start()
    other = make_lab(tmp_path / "other", "number,behaviour\n11,busy\n", asterisk_root, ("127.0.0.1", peer.port))
    other.sip_port = lab.sip_port
    with pytest.raises(MachineError, match="port"):
        await other.start()
