"""A dialled number is one tenant's: imported from its settings, added, taken away, and never another's meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults import UserError
from people.hotline_numbers import (
    ANY,
    HotlineNumber,
    Meaning,
    add_number,
    import_numbers,
    list_numbers,
    numbers_of_all,
    remove_number,
)
from people.store.scope import Scope
from tests.databases import a_database

pytestmark = pytest.mark.both_databases

ONE, TWO = "+74950000001", "+74950000002"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Scope]:
    async with a_database(tmp_path) as made:
        yield Scope(made, "shop")


@pytest.fixture
def mall(shop: Scope) -> Scope:
    return Scope(shop.database, "mall")


async def numbers(scope: Scope) -> list[tuple[str, str, str]]:
    return [(each.number, each.flow, each.source) for each in await list_numbers(scope)]


async def test_the_settings_say_which_numbers_there_are_and_a_person_adds_others(shop: Scope) -> None:
    assert await import_numbers(shop, {"8 495 000-00-01": "hotline", ANY: "hotline"}, region="RU", where="f") == []
    added = await add_number(shop, "8 (495) 000-00-02", "promo", region="RU")
    assert added == HotlineNumber(number=TWO, flow="promo", source="command")
    await add_number(shop, "100", "hotline", region="RU")
    # Said again, it is another flow's.
    await add_number(shop, "100", "night", region="RU")
    # What the settings have no more is gone, what a person added stays.
    assert await import_numbers(shop, {ONE: "night"}, region="RU", where="f") == []
    assert await numbers(shop) == [(ONE, "night", "file"), (TWO, "promo", "command"), ("100", "night", "command")]
    assert await remove_number(shop, "84950000002", region="RU") == TWO
    assert await numbers_of_all(shop.database) == {ONE: Meaning("shop", "night"), "100": Meaning("shop", "night")}
    for change in (add_number(shop, ONE, "promo", region="RU"), remove_number(shop, ONE, region="RU")):
        with pytest.raises(UserError, match="stands in the settings of 'shop'"):
            await change
    with pytest.raises(UserError, match="has no number"):
        await remove_number(shop, TWO, region="RU")
    with pytest.raises(UserError, match="no number that can be dialled"):
        await add_number(shop, " ", "promo", region="RU")


async def test_whoever_has_a_number_keeps_it(shop: Scope, mall: Scope) -> None:
    assert await import_numbers(shop, {ONE: "hotline"}, region="RU", where="ivr.toml") == []
    (fault,) = await import_numbers(mall, {ONE: "theirs", TWO: "theirs"}, region="RU", where="mall/tenant.toml")
    assert "'shop' has it and keeps it, 'mall' wants it" in str(fault)
    assert "mall/tenant.toml" in str(fault)
    with pytest.raises(UserError, match="'mall' has it and keeps it, 'shop' wants it"):
        await add_number(shop, TWO, "ours", region="RU")
    with pytest.raises(UserError, match="has no number"):
        await remove_number(mall, ONE, region="RU")
    assert await numbers(shop) == [(ONE, "hotline", "file")]
    assert await numbers(mall) == [(TWO, "theirs", "file")]
    # When it is free, it can be had.
    assert await import_numbers(shop, {}, region="RU", where="ivr.toml") == []
    assert await import_numbers(mall, {ONE: "theirs"}, region="RU", where="mall/tenant.toml") == []
    assert await numbers_of_all(shop.database) == {ONE: Meaning("mall", "theirs")}
