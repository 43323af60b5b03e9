"""Addresses."""

from prompts.reading.cases import Case
from prompts.reading.slavic import Slavic


def address_words(language: Slavic, value: str, case: Case) -> str:
    return value
