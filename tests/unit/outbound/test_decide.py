"""One decision for everything: whether a lead is dialled now, and if not, why and until when."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbound.plan.decide import (
    Because,
    CampaignRules,
    Caps,
    Decision,
    Dial,
    Lead,
    LeaveOut,
    Person,
    WaitUntil,
    decide,
)
from outbound.plan.retry import Retry

NOW = 1_800_000_000_000
REST_MS = 1_800_000
RULES = CampaignRules(state="running", retry=Retry.after(1800, max_attempts=3))
FRESH = Lead(state="waiting")
TRIED = Lead(state="waiting", attempts=1, due_at_ms=NOW)
NOBODY = Person()
ON_LIST = Person(do_not_call=True)


def state(name: str) -> CampaignRules:
    return replace(RULES, state=name)


@pytest.mark.parametrize(
    ("lead", "person", "rules", "caps", "decision"),
    [
        (FRESH, NOBODY, RULES, Caps(), Dial()),
        (TRIED, NOBODY, RULES, Caps(), Dial()),
        # Never in this campaign.
        (FRESH, NOBODY, state("finished"), Caps(), LeaveOut(because=Because.OVER)),
        (FRESH, ON_LIST, state("stopped"), Caps(), LeaveOut(because=Because.OVER)),
        (FRESH, ON_LIST, RULES, Caps(), LeaveOut(because=Because.DO_NOT_CALL)),
        (Lead(state="excluded"), NOBODY, RULES, Caps(), LeaveOut(because=Because.DO_NOT_CALL)),
        (Lead(state="done", attempts=1), NOBODY, RULES, Caps(), LeaveOut(because=Because.ATTEMPTS)),
        (Lead(state="waiting", attempts=3), NOBODY, RULES, Caps(), LeaveOut(because=Because.ATTEMPTS)),
        (Lead(state="waiting", attempts=4, spared=1), NOBODY, RULES, Caps(), LeaveOut(because=Because.ATTEMPTS)),
        # What we gave up ourselves is not held against the person.
        (Lead(state="waiting", attempts=4, spared=2), NOBODY, RULES, Caps(), Dial()),
        # No waiting alone mends it.
        (Lead(state="dialling", attempts=1), NOBODY, RULES, Caps(), WaitUntil(at_ms=None, because=Because.IN_CALL)),
        (FRESH, NOBODY, state("paused"), Caps(), WaitUntil(at_ms=None, because=Because.NOT_RUNNING)),
        (FRESH, NOBODY, state("ready"), Caps(), WaitUntil(at_ms=None, because=Because.NOT_RUNNING)),
        (FRESH, NOBODY, state("of a later release"), Caps(), WaitUntil(at_ms=None, because=Because.NOT_RUNNING)),
        (
            FRESH,
            NOBODY,
            RULES,
            Caps(opt_outs_waiting=True),
            WaitUntil(at_ms=None, because=Because.OPT_OUTS_WAITING),
        ),
        (FRESH, NOBODY, RULES, Caps(link=False), WaitUntil(at_ms=None, because=Because.NO_LINK)),
        (FRESH, NOBODY, RULES, Caps(campaign_channels=0), WaitUntil(at_ms=None, because=Because.CHANNELS)),
        (FRESH, NOBODY, RULES, Caps(trunk_channels=0), WaitUntil(at_ms=None, because=Because.CHANNELS)),
        # Time mends it.
        (
            replace(TRIED, due_at_ms=NOW + 7),
            NOBODY,
            RULES,
            Caps(),
            WaitUntil(at_ms=NOW + 7, because=Because.RETRY_WAIT),
        ),
        (FRESH, NOBODY, RULES, Caps(campaign_next_ms=NOW + 9), WaitUntil(at_ms=NOW + 9, because=Because.PACE)),
        (
            replace(TRIED, due_at_ms=NOW + 7),
            NOBODY,
            RULES,
            Caps(trunk_next_ms=NOW + 9),
            WaitUntil(at_ms=NOW + 9, because=Because.RETRY_WAIT),
        ),
        (
            replace(TRIED, due_at_ms=NOW + 7),
            NOBODY,
            RULES,
            Caps(trunk_channels=0),
            WaitUntil(at_ms=None, because=Because.RETRY_WAIT),
        ),
        # The clock was put back: nobody waits longer than a rest can be, and who was never tried does not wait.
        (
            replace(TRIED, due_at_ms=NOW + 2 * REST_MS),
            NOBODY,
            RULES,
            Caps(),
            WaitUntil(at_ms=NOW + REST_MS, because=Because.RETRY_WAIT),
        ),
        (replace(FRESH, due_at_ms=NOW + 2 * REST_MS), NOBODY, RULES, Caps(), Dial()),
    ],
)
def test_the_table(lead: Lead, person: Person, rules: CampaignRules, caps: Caps, decision: Decision) -> None:
    assert decide(NOW, lead, person, rules, caps) == decision


STATES = ("waiting", "dialling", "done", "excluded")
LEADS = st.builds(
    Lead,
    state=st.sampled_from(("waiting", "waiting", "waiting", *STATES)),
    attempts=st.integers(0, 6),
    spared=st.integers(0, 3),
    due_at_ms=st.integers(NOW - 100, NOW + 100),
)
RULESETS = st.builds(
    CampaignRules,
    state=st.sampled_from((*["running"] * 12, "importing", "ready", "paused", "stopped", "finished", "?")),
    retry=st.builds(Retry.after, st.integers(1, 3600), max_attempts=st.integers(1, 5)),
)
CAPS = st.builds(
    Caps,
    campaign_channels=st.integers(-1, 6),
    trunk_channels=st.integers(-1, 6),
    campaign_next_ms=st.integers(NOW - 50, NOW + 50),
    trunk_next_ms=st.integers(NOW - 50, NOW + 50),
    link=st.sampled_from((True, True, True, False)),
    opt_outs_waiting=st.sampled_from((False, False, False, True)),
)


@given(LEADS, RULESETS, CAPS)
def test_whoever_is_on_the_list_is_never_dialled(lead: Lead, rules: CampaignRules, caps: Caps) -> None:
    assert isinstance(decide(NOW, lead, ON_LIST, rules, caps), LeaveOut)


@given(LEADS, RULESETS, CAPS)
def test_only_a_waiting_lead_of_a_running_campaign_with_room_is_dialled(
    lead: Lead, rules: CampaignRules, caps: Caps
) -> None:
    if not isinstance(decide(NOW, lead, NOBODY, rules, caps), Dial):
        return
    assert (lead.state, rules.state, caps.link, caps.opt_outs_waiting) == ("waiting", "running", True, False)
    assert min(caps.campaign_channels, caps.trunk_channels) >= 1
    assert max(caps.campaign_next_ms, caps.trunk_next_ms) <= NOW
    assert lead.attempts - lead.spared < rules.retry.max_attempts
    assert lead.attempts == 0 or lead.due_at_ms <= NOW


@given(LEADS, RULESETS, CAPS)
def test_it_waits_until_the_first_moment_at_which_it_is_dialled(lead: Lead, rules: CampaignRules, caps: Caps) -> None:
    decision = decide(NOW, lead, NOBODY, rules, caps)
    if not isinstance(decision, WaitUntil):
        return
    if decision.at_ms is None:
        assert not isinstance(decide(NOW + 10**9, lead, NOBODY, rules, caps), Dial)
        return
    assert decision.at_ms > NOW
    assert isinstance(decide(decision.at_ms, lead, NOBODY, rules, caps), Dial)
    for before_ms in {NOW, NOW + 1, decision.at_ms - 1} - {decision.at_ms}:
        assert not isinstance(decide(before_ms, lead, NOBODY, rules, caps), Dial)


@given(LEADS, RULESETS, CAPS)
def test_who_is_left_out_is_never_dialled_later(lead: Lead, rules: CampaignRules, caps: Caps) -> None:
    if isinstance(decide(NOW, lead, NOBODY, rules, caps), LeaveOut):
        assert isinstance(decide(NOW + 10**9, lead, NOBODY, rules, caps), LeaveOut)
