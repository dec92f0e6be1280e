"""The changes of all kinds of resources as one stream: in the order of the server for each kind, which is also each object's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Literal

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Client
from quidditch.lib.kube.resource import ResourceType
from quidditch.lib.kube.watch import Event, Watch
from quidditch.model.objects import Object
from quidditch.store import api, rules
from quidditch.store.kubernetes import resources, versions
from quidditch.store.kubernetes.answers import translated
from quidditch.store.kubernetes.contents import Content, Contents, content

_TYPES: dict[str, Literal["added", "modified", "deleted"]] = {
    "ADDED": "added",
    "MODIFIED": "modified",
    "DELETED": "deleted",
}


class Merged:
    """Watches every kind from its version on."""

    def __init__(self, client: Client, namespace: str, version: str, patience: float, contents: Contents) -> None:
        self._client = client
        self._contents = contents
        self._last: dict[tuple[str, str], Content] = {}
        self._namespace = namespace
        self._at = versions.parse(version, resources.STORED)
        self._patience = patience
        self._begun: set[ResourceType] = set()
        # None: a watch has ended, because the client or this one was closed.
        self._queue: asyncio.Queue[tuple[ResourceType, Event | errors.KubeError] | None] = asyncio.Queue()

    async def events(self) -> AsyncGenerator[api.Event, None]:
        """Ends with :meth:`close` and with the client. Raises :class:`Expired`, :class:`Unavailable`, :class:`Refused`."""
        tasks = [
            asyncio.create_task(self._follow(kind, version), name=f"watch {kind.plural}")
            for kind, version in self._at.items()
        ]
        try:
            while (item := await self._queue.get()) is not None:
                kind, event = item
                if isinstance(event, errors.KubeError):
                    with translated():
                        raise event
                if (taken := self._taken(kind, event)) is not None:
                    yield taken
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def _follow(self, kind: ResourceType, version: str) -> None:
        watch = Watch(self._client, kind, version, self._namespace, patience=self._patience)
        try:
            async with contextlib.aclosing(watch.events()) as events:
                async for event in events:
                    self._queue.put_nowait((kind, event))
            self._queue.put_nowait(None)
        except errors.KubeError as error:
            self._queue.put_nowait((kind, error))

    def _taken(self, kind: ResourceType, event: Event) -> api.Event | None:
        """What is handed out of it. Once all kinds are watched there is a bookmark: nothing is known beyond what was handed out."""
        if event.type == "BEGUN":
            first = kind not in self._begun
            self._begun.add(kind)
            return self._bookmark() if first and len(self._begun) == len(self._at) else None
        self._at[kind] = event.version
        if event.type == "BOOKMARK":
            return self._bookmark()
        if not resources.adopted(event.object) or not self._is_news(event):
            return None
        self._contents.note(event.object)
        obj: Object = resources.from_resource(event.object)
        if event.type == "DELETED":
            obj = rules.as_it_went(obj)
        return api.Event(_TYPES[event.type], versions.text(self._at), obj)

    def _is_news(self, event: Event) -> bool:
        """Whether the object changed; of a status this store does not tell."""
        key, now = (event.object["kind"], event.object["metadata"]["name"]), content(event.object)
        if event.type == "DELETED":
            self._last.pop(key, None)
            self._contents.forget(*key)
            return True
        before, self._last[key] = self._last.get(key), now
        return event.type == "ADDED" or before != now

    def _bookmark(self) -> api.Event:
        return api.Event("bookmark", versions.text(self._at))
