"""A tenant's scope in a database of its own, and a site of the tenant."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ivr.settings import Site
from people.store.scope import Scope
from tests.databases import a_database
from tests.edges.versions.shop import make_shop


@pytest.fixture
async def scope(tmp_path: Path) -> AsyncIterator[Scope]:
    async with a_database(tmp_path) as made:
        yield Scope(made, "shop")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_shop(tmp_path / "shop")
