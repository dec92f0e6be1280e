"""What others write into the store that one leads, in order; what comes of it is the leader's."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import cast

from quidditch.controlplane import overflow
from quidditch.controlplane.writer import Writer
from quidditch.model.objects import Index, MappingPart, Object
from quidditch.model.state import Change, ClusterState, Deleted
from quidditch.store import api


class Foreign:
    """Follows the store from a version on; `wake` is called when there is something to look at."""

    def __init__(self, store: api.Store, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake
        self._events: deque[api.Event] = deque()
        self._task: asyncio.Task[None] | None = None
        self.lost = False
        """Whether the watch has ended, so that all must be read anew."""

    @property
    def waiting(self) -> bool:
        return bool(self._events) or self.lost

    def begin(self, version: str) -> None:
        self._task = asyncio.create_task(self._follow(version), name="watch")

    def end(self) -> None:
        """Forgets what has come; nothing more comes."""
        if self._task is not None:
            self._task.cancel()
        self._events.clear()
        self.lost = False

    async def ended(self) -> None:
        self.end()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self, version: str) -> None:
        try:
            async for event in self._store.watch(version):
                if event.object is not None:
                    self._events.append(event)
                    self._wake()
        except api.StoreError:
            self.lost = True
            self._wake()

    async def changes(self, writer: Writer, state: ClusterState) -> list[Change]:
        """What has come since, without what `writer` wrote itself, which comes by too, and what `state` has already."""
        changes: list[Change] = []
        while self._events:
            event = self._events.popleft()
            obj = cast(Object, event.object)
            if writer.is_own(obj) or isinstance(obj, MappingPart):
                continue
            known = state.objects(obj.kind).get(obj.key)
            if event.type == "deleted":
                if known is not None and known.metadata.uid == obj.metadata.uid:
                    changes.append(Deleted(obj.kind, obj.key))
            elif known is None or known.metadata.resource_version != obj.metadata.resource_version:
                changes.append(await overflow.fetch(self._store, obj) if isinstance(obj, Index) else obj)
        return changes
