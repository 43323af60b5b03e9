"""English addresses in words."""


def address_words(value: str) -> str:
    return value
