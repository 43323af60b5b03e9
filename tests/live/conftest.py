"""What live tests share: a real Asterisk, free ports, sites as `ivr init` makes them."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import pytest

from ivr.asterisk import conf, program, running
from ivr.settings import Site
from ivr.site import free_ports, init_site
from tests.live.shared_asterisk import LOOPBACK, SharedAsterisks, dotted, kill
from tests.live.sip_peer import SipPeer
from tests.live.site_process import run_ivr, share_audio


class MakeSite(Protocol):
    def __call__(
        self,
        named: Mapping[str, object] | None = None,
        /,
        *,
        trunk_port: int,
        trunk_host: str = "127.0.0.1",
        trunk_secret: str = "",
        **settings: object,
    ) -> Site: ...


class SharedSite(Protocol):
    def __call__(self, **settings: object) -> AbstractAsyncContextManager[tuple[SipPeer, Site]]: ...


@pytest.fixture(scope="session")
def asterisk_root() -> program.Program:
    """The Asterisk that live tests start: fetched into the cache once."""
    return program.install()


@pytest.fixture
def short(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of the test whose path leaves room for names: that of Asterisk's socket takes 107 bytes."""
    failed = request.session.testsfailed
    folder = tmp_path_factory.mktemp("s")
    yield folder
    if request.session.testsfailed == failed:
        shutil.rmtree(folder)


@pytest.fixture
def make_site(short: Path) -> MakeSite:
    """Makes a site on free loopback ports; settings by dotted name, or with __ for the dot: outbound__channels=3."""
    made = 0

    def make(
        named: Mapping[str, object] | None = None,
        /,
        *,
        trunk_port: int,
        trunk_host: str = "127.0.0.1",
        trunk_secret: str = "",
        **settings: object,
    ) -> Site:
        nonlocal made
        made += 1
        chosen = LOOPBACK | free_ports() | {"trunk.host": trunk_host, "trunk.port": trunk_port}
        chosen |= {**(named or {}), **dotted(settings)}
        return init_site(short / f"s{made}", chosen, trunk_secret=trunk_secret)

    return make


@pytest.fixture
async def start_asterisk(
    asterisk_root: program.Program,
) -> AsyncIterator[Callable[[Site], Awaitable[running.Running]]]:
    """Starts a site's Asterisk and returns it ready; the test's end ends it."""
    started: list[running.Running] = []

    async def start(site: Site) -> running.Running:
        files = conf.site_files(site, asterisk_root)
        one = await running.ensure(conf.site_home(site), asterisk_root, files, conf.site_ports(site))
        started.append(one)
        return one

    yield start
    for one in started:
        await kill(one)


@pytest.fixture(scope="session")
def _asterisks(tmp_path_factory: pytest.TempPathFactory, asterisk_root: program.Program) -> Iterator[SharedAsterisks]:
    asterisks = SharedAsterisks(tmp_path_factory.mktemp("sites"), asterisk_root)
    yield asterisks
    asyncio.run(asterisks.close())


@pytest.fixture
def shared(_asterisks: SharedAsterisks) -> SharedSite:
    """An operator and a site with an Asterisk that runs already, for tests that only call through it."""
    return _asterisks.site


#: Quick, so that the tests need not wait for good voices.
ENGINE = dict.fromkeys(("ru", "uk", "en"), "espeak")


class NewSite(Protocol):
    """Makes a site that is ready to be up at once."""

    def __call__(self, trunk_port: int, **settings: object) -> Site: ...


@pytest.fixture(scope="session")
def audio(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The audio that all sites of `new_site` need, made once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent
    with (folder / "audio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = folder / "audio"
        if not made.exists():
            chosen = {"trunk.host": "127.0.0.1", "prompts.engine": ENGINE}
            site = init_site(tmp_path_factory.mktemp("audio") / "site", chosen)
            status, output = asyncio.run(run_ivr("prompt", "render", site=site.folder))
            assert status == 0, output
            site.audio.rename(made)
    return made


@pytest.fixture
def new_site(make_site: MakeSite, audio: Path) -> NewSite:
    def made(trunk_port: int, **settings: object) -> Site:
        named = {"prompts.engine": ENGINE, "agi.drain_s": 15.0, **dotted(settings)}
        site = make_site(named, trunk_port=trunk_port)
        share_audio(audio, site)
        return site

    return made
