"""Calls to the API server for the kubelet: `http.client` in threads, and listings that are kept current by a watch.

Small and apart from `quidditch.lib.kube` on purpose: an error of the client under test is none of the cluster that it is tested on.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

Thing = dict[str, Any]
Key = tuple[str, str]
Changed = Callable[[Thing | None, Thing | None], None]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
_WATCH_SECONDS = 300


class Unreachable(Exception):
    """Nothing was answered."""


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Access:
    """Where the API server is, on loopback, and who asks. `ca` is a file."""

    port: int
    token: str
    ca: str


class Api:
    """May be used from the event loop only; each call waits in a thread."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tls = ssl.create_default_context(cafile=access.ca)
        self._threads = ThreadPoolExecutor(16, thread_name_prefix="api")
        self._local = threading.local()

    async def call(self, method: str, path: str, body: Thing | None = None, kind: str = "application/json") -> Thing:
        """What it answers. Raises :class:`Refused` and :class:`Unreachable`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._call, method, path, body, kind)

    async def create(self, path: str, body: Thing) -> None:
        """Makes an object, unless there is one of that name."""
        try:
            await self.call("POST", path, body)
        except Refused as refused:
            if refused.status != 409:
                raise

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("127.0.0.1", self._access.port, timeout=timeout, context=self._tls)

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access.token}", "Accept": "application/json"}

    def _call(self, method: str, path: str, body: Thing | None, kind: str) -> Thing:
        kept: http.client.HTTPSConnection | None = getattr(self._local, "connection", None)
        for connection in (kept, self.connect(30)):
            if connection is None:
                continue
            try:
                text = None if body is None else json.dumps(body)
                connection.request(method, path, text, self.headers() | {"Content-Type": kind})
                response = connection.getresponse()
                answer = json.loads(response.read() or b"{}")
            except (OSError, http.client.HTTPException, ValueError) as error:
                connection.close()
                self._local.connection = None
                if connection is kept and isinstance(error, http.client.HTTPException | ConnectionError):
                    continue
                raise Unreachable(f"{method} {path}: {error}") from error
            self._local.connection = connection
            if response.status >= 400:
                raise Refused(response.status, str(answer.get("message", answer)))
            return dict(answer)
        raise AssertionError


class Informer:
    """All objects of a path as they are now. `changed` is called in the event loop with the old and the new of each that changes."""

    def __init__(self, api: Api, path: str, changed: Changed) -> None:
        self._api = api
        self._path = path
        self._changed = changed
        self._loop = asyncio.get_running_loop()
        self._closed = threading.Event()
        self._connection: http.client.HTTPSConnection | None = None
        self.items: dict[Key, Thing] = {}
        self.synced = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {path}", daemon=True)
        self._thread.start()

    def get(self, namespace: str, name: str) -> Thing | None:
        return self.items.get((namespace, name))

    def close(self) -> None:
        self._closed.set()
        if self._connection is not None and self._connection.sock is not None:
            with contextlib.suppress(OSError):
                self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        while not self._closed.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, RuntimeError):
                self._follow()
            self._closed.wait(0.3)

    def _follow(self) -> None:
        listing = self._open("")
        found = json.loads(listing.read())
        if listing.status != 200:
            return
        self._loop.call_soon_threadsafe(self._replace, found["items"])
        version = found["metadata"]["resourceVersion"]
        while not self._closed.is_set():
            query = f"?watch=1&allowWatchBookmarks=true&timeoutSeconds={_WATCH_SECONDS}&resourceVersion={version}"
            stream = self._open(query)
            if stream.status != 200:
                return
            while line := stream.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._loop.call_soon_threadsafe(self._apply, event["type"] == "DELETED", event["object"])

    def _open(self, query: str) -> http.client.HTTPResponse:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._api.connect(_WATCH_SECONDS + 30)
        self._connection.request("GET", self._path + query, headers=self._api.headers())
        return self._connection.getresponse()

    def _replace(self, items: list[Thing]) -> None:
        fresh = {key_of(item): item for item in items}
        for key in [key for key in self.items if key not in fresh]:
            self._changed(self.items.pop(key), None)
        for item in items:
            self._apply(False, item)
        self.synced.set()

    def _apply(self, deleted: bool, item: Thing) -> None:
        key = key_of(item)
        old = self.items.pop(key, None) if deleted else self.items.get(key)
        if not deleted:
            self.items[key] = item
            if old is not None and old["metadata"]["resourceVersion"] == item["metadata"]["resourceVersion"]:
                return
        self._changed(old, None if deleted else item)


def key_of(thing: Thing) -> Key:
    """Namespace ("" without one) and name."""
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]
