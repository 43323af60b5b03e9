"""Runs promo campaigns: contacts, pacing, dialling, outcomes."""
