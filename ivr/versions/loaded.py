"""The versions that an engine has ready: the one that callers hear, and those of the campaigns that it serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import structlog

from ivr.flow.machine import Machine
from ivr.flow.model import Flow
from prompts.voice import Voice

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class LoadedVersion:
    """Flows that can be walked, and the voice that speaks their texts."""

    #: None: none was ever published, and these are the site's files.
    number: int | None
    machines: Mapping[str, Machine]
    voice: Voice

    @classmethod
    def of(cls, number: int | None, flows: Mapping[str, Flow], voice: Voice) -> LoadedVersion:
        return cls(number=number, machines={name: Machine(flow) for name, flow in flows.items()}, voice=voice)


#: Loads the version of that number.
Load = Callable[[int], Awaitable[LoadedVersion]]


class Versions:
    """A call takes what it needs from memory; only the first of a campaign that was just started may have to wait."""

    def __init__(self, current: LoadedVersion, load: Load | None = None) -> None:
        """`load` raises what it will: the call that it was for says goodbye, and the next one asks again."""
        #: What callers hear from now on.
        self.current = current
        self._load = load
        self._ready: dict[int, LoadedVersion] = {}
        self._loading: dict[int, asyncio.Task[LoadedVersion]] = {}

    @property
    def ready(self) -> frozenset[int]:
        """Numbers of those that need not be loaded."""
        return frozenset(self._ready) | ({self.current.number} if self.current.number is not None else set())

    def has(self, number: int | None) -> bool:
        """Whether a call of that version, None being the current one, need not wait."""
        return number in (None, self.current.number) or number in self._ready

    def add(self, loaded: LoadedVersion) -> None:
        """Have it ready for whoever asks."""
        if loaded.number is not None:
            self._ready[loaded.number] = loaded

    def keep(self, numbers: Collection[int]) -> None:
        """Let go of all but these and the current one; calls in progress keep theirs."""
        self._ready = {number: loaded for number, loaded in self._ready.items() if number in numbers}

    async def of(self, number: int | None) -> LoadedVersion:
        """The version of that number; the current one for None. One that can't be loaded is told and has no flows."""
        if number is None or number == self.current.number:
            return self.current
        if (ready := self._ready.get(number)) is not None:
            return ready
        loading = self._loading.get(number)
        if loading is None:
            loading = self._loading[number] = asyncio.create_task(self._get(number), name=f"version-{number}")
            loading.add_done_callback(lambda _: self._loading.pop(number, None))
        # Shielded: other calls wait for the same.
        return await asyncio.shield(loading)

    async def _get(self, number: int) -> LoadedVersion:
        try:
            if self._load is None:
                raise LookupError("there is no store")
            loaded = await self._load(number)
        except Exception as error:
            log.error("version_not_loaded", version=number, why=str(error))
            return LoadedVersion(number=number, machines={}, voice=self.current.voice)
        self.add(loaded)
        return loaded
