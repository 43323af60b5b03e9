"""Decisions of a campaign, pure: outcome, retry, pacing. Time is always an argument."""
