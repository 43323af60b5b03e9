"""What a version is made of: names and hashes."""

from __future__ import annotations

import pytest

from ivr.versions.manifest import changes, hash_of, stays_inside

BEFORE = {"dialplans/promo.yaml": "a", "prompts/texts/ru.yaml": "b", "prompts/recordings/ru/promo.offer.wav": "c"}


def test_the_same_files_have_the_same_hash_in_whichever_order() -> None:
    assert hash_of(BEFORE) == hash_of(dict(reversed(BEFORE.items())))


@pytest.mark.parametrize(
    "after",
    [
        BEFORE | {"prompts/texts/ru.yaml": "B"},
        BEFORE | {"prompts/texts/uk.yaml": "b"},
        {name: hash for name, hash in BEFORE.items() if hash != "c"},
        # The same contents under each other's names.
        BEFORE | {"dialplans/promo.yaml": "b", "prompts/texts/ru.yaml": "a"},
        {},
    ],
)
def test_others_have_another(after: dict[str, str]) -> None:
    assert hash_of(after) != hash_of(BEFORE)


def test_what_changed_is_told_by_name() -> None:
    found = changes(BEFORE, {"dialplans/promo.yaml": "a", "prompts/texts/ru.yaml": "B", "prompts/texts/en.yaml": "d"})
    assert (found.added, found.changed) == (("prompts/texts/en.yaml",), ("prompts/texts/ru.yaml",))
    assert found.removed == ("prompts/recordings/ru/promo.offer.wav",)
    assert found.names == ("prompts/recordings/ru/promo.offer.wav", "prompts/texts/en.yaml", "prompts/texts/ru.yaml")
    assert changes(BEFORE, BEFORE).names == ()


def test_no_name_leads_out_of_a_versions_folder() -> None:
    assert all(stays_inside(name) for name in BEFORE)
    outside = ("../x", "/etc/passwd", "prompts/../../x", "", ".", "a\0b")
    assert [name for name in outside if stays_inside(name)] == []
