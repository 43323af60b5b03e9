"""The SIP peer of the live tests against itself: what one side does, the other must have seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.edges.waiting import PATIENCE_S
from tests.live.rtp_peer import SAMPLES, SILENCE, speech
from tests.live.sip_peer import Call, Key, Plan, SipPeer

pytestmark = pytest.mark.timed


@pytest.fixture
async def phone() -> AsyncIterator[SipPeer]:
    async with SipPeer() as peer:
        yield peer


@pytest.fixture
async def caller() -> AsyncIterator[SipPeer]:
    async with SipPeer() as peer:
        yield peer


async def _over(caller: SipPeer, phone: SipPeer, plan: Plan, of_caller: Plan | None = None) -> tuple[Call, Call]:
    """Both ends of a call to a phone that does `plan`, once it is over."""
    phone.expect("79161234567", plan)
    out = caller.dial((phone.host, phone.port), "79161234567", caller="74950000000", plan=of_caller)
    call = await phone.next_call()
    async with asyncio.timeout(PATIENCE_S):
        await out.ended.wait()
        await call.ended.wait()
    return out, call


@pytest.mark.parametrize("status", [404, 480, 486, 503, 603])
async def test_a_refusal_is_heard_as_it_was_said(caller: SipPeer, phone: SipPeer, status: int) -> None:
    out, call = await _over(caller, phone, Plan(answer_s=0.05, refuse=status))
    assert (out.status, call.status, out.answered_at, call.hung_up_by) == (status, status, None, None)


async def test_an_unplanned_number_is_unallocated(caller: SipPeer, phone: SipPeer) -> None:
    out = caller.dial((phone.host, phone.port), "79990000000", caller="1")
    await asyncio.wait_for(out.ended.wait(), PATIENCE_S)
    assert out.status == 404


async def test_a_call_given_up_while_it_rings(caller: SipPeer, phone: SipPeer) -> None:
    phone.expect("79161234567", Plan(answer_s=None))
    out = caller.dial((phone.host, phone.port), "79161234567", caller="1")
    call = await phone.next_call()
    await asyncio.wait_for(out.rang.wait(), PATIENCE_S)
    out.hang_up()
    await asyncio.wait_for(out.ended.wait(), PATIENCE_S)
    assert (out.status, call.status, call.number) == (487, 487, "79161234567")


async def test_a_phone_that_hangs_up_while_it_rings_is_unavailable(caller: SipPeer, phone: SipPeer) -> None:
    phone.expect("79161234567", Plan(answer_s=None))
    out = caller.dial((phone.host, phone.port), "79161234567", caller="1")
    (await phone.next_call()).hang_up()
    await asyncio.wait_for(out.ended.wait(), PATIENCE_S)
    assert out.status == 480


async def test_both_ends_agree_on_who_hung_up_when_and_what_was_heard(caller: SipPeer, phone: SipPeer) -> None:
    out, call = await _over(caller, phone, Plan(answer_s=0.1, hang_up_s=0.6))
    assert (out.hung_up_by, call.hung_up_by) == ("them", "us")
    assert call.answered_at and call.ended_at
    late_s = max(caller.late_s, phone.late_s)
    assert call.answered_at - call.invited_at == pytest.approx(0.1, abs=0.1 + late_s)
    assert call.ended_at - call.answered_at == pytest.approx(0.6, abs=0.1 + late_s)
    assert out.media.received == call.media.sent
    # What was still under way when it hung up was not heard.
    assert out.media.sent - 5 - late_s / 0.02 <= call.media.received <= out.media.sent
    for end in (out, call):
        assert (end.media.lost, [gap for gap in end.media.gaps if gap.pause]) == (0, [])


async def test_hanging_up_at_a_packet_hears_no_more_than_that(caller: SipPeer, phone: SipPeer) -> None:
    _, call = await _over(caller, phone, Plan(answer_s=0, hang_up_packets=17))
    assert call.hung_up_by == "us"
    assert call.media.received == 17


async def test_keys_come_through_with_their_times(caller: SipPeer, phone: SipPeer) -> None:
    keys = (Key("1", at_s=0.2), Key("#", at_s=0.5, hold_ms=200), Key("9", after_packets=40))
    out, call = await _over(caller, phone, Plan(answer_s=0, keys=keys, hang_up_s=1.2))
    assert [press.key for press in call.keys] == ["1", "#", "9"]
    # A busy machine holds both up.
    late_s = max(caller.late_s, phone.late_s)
    for sent, heard in zip(call.keys, out.media.heard_keys, strict=True):
        assert sent.key == heard.key
        assert heard.began_at == pytest.approx(sent.began_at, abs=0.05 + late_s)
        assert heard.ended_at == pytest.approx(sent.ended_at, abs=0.05 + late_s)
    assert call.answered_at
    assert [press.began_at - call.answered_at for press in call.keys] == pytest.approx(
        [0.2, 0.5, 0.8], abs=0.1 + late_s
    )
    assert call.keys[1].ended_at - call.keys[1].began_at == pytest.approx(0.18, abs=0.05 + late_s)


async def test_a_key_pressed_in_the_middle_of_another_ends_it(caller: SipPeer, phone: SipPeer) -> None:
    keys = (Key("1", at_s=0.2, hold_ms=400), Key("2", at_s=0.3))
    out, _ = await _over(caller, phone, Plan(answer_s=0, keys=keys, hang_up_s=0.8))
    first, second = out.media.heard_keys
    assert (first.key, second.key) == ("1", "2")
    assert first.ended_at <= second.began_at < first.began_at + 0.2 + max(caller.late_s, phone.late_s)


async def test_a_silent_phone_sends_no_packet(caller: SipPeer, phone: SipPeer) -> None:
    out, call = await _over(caller, phone, Plan(answer_s=0, hang_up_s=0.3, silent=True))
    assert out.media.received == 0
    assert call.media.received > 10


async def test_speech_is_heard_and_then_silence(caller: SipPeer, phone: SipPeer) -> None:
    human = Plan(answer_s=0, hang_up_s=0.8, speech_ms=400)
    out, _ = await _over(caller, phone, human, Plan(record=True))
    heard = bytes(out.media.recording or b"")
    packets = [heard[at : at + SAMPLES] for at in range(0, len(heard), SAMPLES)]
    assert tuple(packets[:20]) == speech(400)
    assert set(packets[20:]) == {SILENCE}


async def test_a_number_does_other_things_on_its_second_call(caller: SipPeer, phone: SipPeer) -> None:
    phone.expect("1", Plan(answer_s=0, refuse=486), Plan(answer_s=0, hang_up_s=0.1))
    statuses = []
    for _ in range(3):
        out = caller.dial((phone.host, phone.port), "1", caller="2")
        await asyncio.wait_for(out.ended.wait(), PATIENCE_S)
        statuses.append(out.status)
    assert statuses == [486, 200, 200]
