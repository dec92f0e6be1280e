"""A client of a cluster as good clients are: it knows several nodes, leaves out for a while one that does not answer, and says of each
request whether nobody got it, somebody answered, or nobody knows. It repeats nothing by itself.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from tests.support.client import Client

_APART_SECONDS = 2.0
"""How long a node is left out."""


@dataclass(frozen=True)
class Heard:
    """`status` is 0 where nobody answered; then `sent` tells whether somebody may have got it."""

    node: str
    status: int
    body: Any
    sent: bool = True

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300

    @property
    def error(self) -> str:
        """The type of the error, or what happened to the connection."""
        error = self.body.get("error") if isinstance(self.body, dict) else self.body
        return str(error["type"]) if isinstance(error, dict) else str(error)


class Caller:
    """One client's connections; not for several threads. `seconds`: how long an answer is waited for."""

    def __init__(self, urls: Mapping[str, str], chance: random.Random, seconds: float) -> None:
        self._clients = {name: Client(url, seconds) for name, url in urls.items()}
        self._chance = chance
        self._apart: dict[str, float] = {}

    def choose(self, avoided: Set[str] = frozenset()) -> str:
        """A node that answers as far as is known; any where none does. Connections to those that are avoided end: they may not outlive
        what happens there.
        """
        for name in avoided:
            self._clients[name].close()
        now = time.monotonic()
        names = [name for name in self._clients if name not in avoided]
        near = [name for name in names if self._apart.get(name, 0.0) <= now]
        return self._chance.choice(near or names or list(self._clients))

    def ask(self, node: str, method: str, path: str, body: Any = None) -> Heard:
        client = self._clients[node]
        try:
            answer = client.call(method, path, body, repeat=False)
            return Heard(node, answer.status, answer.json if answer.data else None)
        except (OSError, http.client.HTTPException) as error:
            client.close()
            self._apart[node] = time.monotonic() + _APART_SECONDS
            return Heard(node, 0, type(error).__name__, sent=not isinstance(error, ConnectionRefusedError))

    def close(self) -> None:
        """Of this client's own thread."""
        for client in self._clients.values():
            client.close()


class Actor(threading.Thread):
    """A client's thread. `acknowledged` counts what was done for it, `surprises` are what must not be."""

    def __init__(self, name: str, urls: Mapping[str, str], seed: int, seconds: float) -> None:
        super().__init__(daemon=True, name=name)
        self.chance = random.Random(f"{seed}/{name}")
        self.caller = Caller(urls, self.chance, seconds)
        self.acknowledged = 0
        self.surprises: list[str] = []

    def run(self) -> None:
        try:
            self.go()
        except Exception as error:
            self.surprises.append(f"{self.name}: {error!r}")
            raise
        finally:
            self.caller.close()

    def go(self) -> None:
        """Until its workload ends."""
        raise NotImplementedError
