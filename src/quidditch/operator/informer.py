"""What there is of a kind of objects, as a list and its watch tell it: a cache to be woken by. Decisions about safety read the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client, Tree
from quidditch.lib.kube.resource import ResourceType
from quidditch.lib.kube.watch import Watch
from quidditch.lib.tasks import ended

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS = 1.0


class Informer:
    """`changed` is called with the name of each object that came, changed or went; after a list anew with all names there were and are."""

    def __init__(
        self,
        client: Client,
        kind: ResourceType,
        namespace: str,
        changed: Callable[[str], None],
    ) -> None:
        self.items: dict[str, Tree] = {}
        self._client = client
        self._kind = kind
        self._namespace = namespace
        self._changed = changed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"informer of {self._kind.plural}")

    async def stop(self) -> None:
        await ended(self._task)

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
                return  # the client is closed
            except errors.Gone:
                _log.info("listing again", kind=self._kind.plural)
            except errors.KubeError as error:
                _log.warning("the API server does not tell", kind=self._kind.plural, error=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        listing = await self._client.list(self._kind, self._namespace)
        before, self.items = self.items, {each["metadata"]["name"]: each for each in listing.items}
        for name in {**before, **self.items}:
            self._changed(name)
        watch = Watch(self._client, self._kind, listing.resource_version, self._namespace)
        async with contextlib.aclosing(watch.events()) as events:
            async for event in events:
                if event.type in ("ADDED", "MODIFIED", "DELETED"):
                    name = event.object["metadata"]["name"]
                    if event.type == "DELETED":
                        self.items.pop(name, None)
                    else:
                        self.items[name] = event.object
                    self._changed(name)
