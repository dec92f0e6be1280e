"""Objects of an API server: JSON trees in and out, errors as exceptions.

Reads and forced server-side apply are repeated within their deadline when the connection breaks or the server is in trouble, other
writes only where they were certainly not carried out (:mod:`quidditch.lib.kube.connection`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

import msgspec
import orjson

from quidditch.lib.kube import errors
from quidditch.lib.kube.config import Config
from quidditch.lib.kube.connection import JSON, Call, Connection
from quidditch.lib.kube.limits import Priority, RateLimit
from quidditch.lib.kube.resource import ResourceType
from quidditch.lib.metrics import Metrics

Tree = dict[str, Any]
"""An object of the API as JSON has it."""

PatchType = Literal["application/merge-patch+json", "application/json-patch+json"]
MERGE: PatchType = "application/merge-patch+json"
JSON_PATCH: PatchType = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"

PAGE = 500
"""Objects of one page of a list."""


class How(TypedDict, total=False):
    """How a request is made. `timeout` is in seconds."""

    priority: Priority
    timeout: float


class Writing(How, total=False):
    """How a write is made."""

    field_manager: str


class Collected(msgspec.Struct, frozen=True):
    """All pages of a list, and the version at which they are so: a watch goes on from there."""

    items: Sequence[Tree]
    resource_version: str


class Client:
    """One API server. Lives on the event loop that it is first used on; :meth:`close` ends its watches too.

    `timeout` (seconds) bounds each request. `limit` is the most that is asked of the server, None: as much as there is.
    Where a namespace is to be named and none is, it is the object's own or the configuration's.

    Everything may raise :class:`ApiError`, :class:`Unreachable`, :class:`ConfigError`.
    """

    def __init__(
        self,
        config: Config,
        *,
        timeout: float = 10.0,
        limit: RateLimit | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.namespace = config.namespace
        self.timeout = timeout
        self.connection = Connection(config, limit, metrics or Metrics())

    async def get(self, kind: ResourceType, name: str, namespace: str | None = None, **how: Unpack[How]) -> Tree:
        """The object as it is now, never from a cache of the server's. Raises :class:`NotFound`."""
        return await self._read(kind, kind.path(self._in(kind, namespace), name), {}, how)

    async def list(
        self,
        kind: ResourceType,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        page: int = PAGE,
        at: str = "",
        **how: Unpack[How],
    ) -> Collected:
        """All objects that selectors choose, in pages of one version: the present one, or exactly `at`.

        The timeout bounds each page. Raises :class:`Gone` when `at`, or the version of the first page, is kept no longer.
        """
        path = kind.path(self._in(kind, namespace))
        chosen = {"limit": str(page), **_given("labelSelector", labels), **_given("fieldSelector", fields)}
        query = {**chosen, "resourceVersion": at, "resourceVersionMatch": "Exact"} if at else chosen
        items: list[Tree] = []
        while True:
            answer = await self._read(kind, path, query, how)
            items += answer.get("items") or ()
            meta = answer.get("metadata") or {}
            if not meta.get("continue"):
                return Collected(items, meta.get("resourceVersion", ""))
            query = {**chosen, "continue": meta["continue"]}

    async def create(self, kind: ResourceType, obj: Tree, namespace: str | None = None, **how: Unpack[Writing]) -> Tree:
        """Raises :class:`AlreadyExists`."""
        return await self._write("POST", kind, kind.path(self._in(kind, namespace, obj)), obj, how)

    async def replace(
        self,
        kind: ResourceType,
        obj: Tree,
        namespace: str | None = None,
        *,
        subresource: str = "",
        **how: Unpack[Writing],
    ) -> Tree:
        """Compares `metadata.resourceVersion` where the object has one. Raises :class:`NotFound`, :class:`Conflict`."""
        path = kind.path(self._in(kind, namespace, obj), obj["metadata"]["name"], subresource)
        return await self._write("PUT", kind, path, obj, how)

    async def patch(
        self,
        kind: ResourceType,
        name: str,
        patch: Tree | Sequence[Tree],
        namespace: str | None = None,
        *,
        type: PatchType = MERGE,
        subresource: str = "",
        **how: Unpack[Writing],
    ) -> Tree:
        """A merge patch, or a JSON patch (a list of operations); one that sets `metadata.resourceVersion` compares it."""
        path = kind.path(self._in(kind, namespace), name, subresource)
        return await self._write("PATCH", kind, path, patch, how, type)

    async def apply(
        self,
        kind: ResourceType,
        obj: Tree,
        namespace: str | None = None,
        *,
        force: bool = True,
        subresource: str = "",
        **how: Unpack[Writing],
    ) -> Tree:
        """Server-side apply: the fields in `obj` are the `field_manager`'s, those that it had before and left out go.

        With `force` they are taken from other managers, otherwise that raises :class:`Conflict`. The object is made if it is not there.
        """
        full = {"apiVersion": kind.api_version, "kind": kind.kind, **obj}
        path = kind.path(self._in(kind, namespace, obj), obj["metadata"]["name"], subresource)
        again = force and not obj["metadata"].get("resourceVersion")
        return await self._write("PATCH", kind, path, full, how, APPLY, {"force": str(force).lower()}, repeatable=again)

    async def delete(
        self,
        kind: ResourceType,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        resource_version: str = "",
        **how: Unpack[Writing],
    ) -> Tree | None:
        """The object as it is marked for deletion while finalizers or a grace period keep it, None when it is gone.

        Raises :class:`NotFound`, and :class:`Conflict` where it is not the one of `uid` or not at `resource_version`.
        """
        preconditions = {**_given("uid", uid), **_given("resourceVersion", resource_version)}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        answer = await self._write("DELETE", kind, kind.path(self._in(kind, namespace), name), options, how)
        return None if answer.get("kind") == "Status" else answer

    async def close(self) -> None:
        """Ends all that is on its way."""
        await self.connection.close()

    def _in(self, kind: ResourceType, namespace: str | None, obj: Tree | None = None) -> str | None:
        if not kind.namespaced:
            return None
        return namespace or (obj or {}).get("metadata", {}).get("namespace") or self.namespace

    async def _read(self, kind: ResourceType, path: str, query: Mapping[str, str], how: How) -> Tree:
        call = Call(
            "GET",
            path,
            how.get("timeout", self.timeout),
            query,
            repeatable=True,
            priority=how.get("priority", Priority.NORMAL),
            about=kind.plural,
        )
        return _tree(path, await self.connection.request(call))

    async def _write(
        self,
        method: str,
        kind: ResourceType,
        path: str,
        body: Tree | Sequence[Tree],
        how: Writing,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
        *,
        repeatable: bool = False,
    ) -> Tree:
        timeout = how.get("timeout", self.timeout)
        call = Call(
            method,
            path,
            timeout,
            {
                **(query or {}),
                **_given("fieldManager", how.get("field_manager", "")),
                # The server gives up too when nobody waits any longer, instead of doing it late.
                "timeout": f"{max(1, round(timeout))}s",
            },
            orjson.dumps(body),
            content_type,
            repeatable=repeatable,
            priority=how.get("priority", Priority.NORMAL),
            about=kind.plural,
        )
        return _tree(path, await self.connection.request(call))


def _tree(path: str, body: bytes) -> Tree:
    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.Unreachable(f"{path}: the answer is no JSON: {error}", sent=True) from None
    if not isinstance(tree, dict):
        raise errors.Unreachable(f"{path}: the answer is no object", sent=True)
    return tree


def _given(key: str, value: str) -> dict[str, str]:
    return {key: value} if value else {}
