"""Things kept under an id that nobody can guess, for as long as they are used."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from quidditch.lib.clock import Clock


class Kept(Protocol):
    """What has a time to live, counted anew with every use; both in milliseconds."""

    keep_alive_ms: float
    expires_ms: float


C = TypeVar("C", bound=Kept)
_CHANCE = 30
"""Random bytes of an id."""


class Contexts(Generic[C]):
    """Contexts by id; those whose time is over are forgotten at every access. `ended` is told of every context that goes.

    An id is `prefix`, chance and `owner` (whoever holds the contexts), in base64.
    """

    def __init__(
        self, clock: Clock, prefix: bytes, owner: str = "", ended: Callable[[C], None] = lambda _context: None
    ) -> None:
        self._clock = clock
        self._prefix = prefix
        self._owner = owner
        self._ended = ended
        self._open: dict[str, C] = {}

    def add(self, context: C) -> str:
        """Keeps a context; answers its id."""
        self.sweep()
        id = base64.urlsafe_b64encode(self._prefix + secrets.token_bytes(_CHANCE) + self._owner.encode()).decode()
        self._touch(context)
        self._open[id] = context
        return id

    def get(self, id: str, keep_alive_ms: float | None = None) -> C | None:
        """The context, its time counted anew."""
        self.sweep()
        found = self._open.get(id)
        if found is not None:
            if keep_alive_ms is not None:
                found.keep_alive_ms = max(found.keep_alive_ms, keep_alive_ms)
            self._touch(found)
        return found

    def pop(self, id: str) -> C | None:
        """The context, which is forgotten; its end is the caller's."""
        self.sweep()
        return self._open.pop(id, None)

    def remove(self, ids: Iterable[str]) -> int:
        """Forgets contexts; answers how many there were."""
        self.sweep()
        return sum(self._end(id) for id in set(ids))

    def clear(self) -> int:
        return self.remove(list(self._open))

    def items(self) -> list[tuple[str, C]]:
        self.sweep()
        return list(self._open.items())

    def is_id(self, id: str) -> bool:
        """Whether the text could be an id of this kind."""
        return self._parse(id) is not None

    def owner_of(self, id: str) -> str:
        """Who holds the context; empty where the id does not say."""
        return self._parse(id) or ""

    def __len__(self) -> int:
        return len(self._open)

    def sweep(self) -> None:
        now = self._clock.monotonic() * 1000
        for id in [id for id, context in self._open.items() if context.expires_ms <= now]:
            self._end(id)

    def _parse(self, id: str) -> str | None:
        try:
            data = base64.urlsafe_b64decode(id.encode())
            return data[len(self._prefix) + _CHANCE :].decode() if data.startswith(self._prefix) else None
        except ValueError:
            return None

    def _end(self, id: str) -> bool:
        context = self._open.pop(id, None)
        if context is not None:
            self._ended(context)
        return context is not None

    def _touch(self, context: C) -> None:
        context.expires_ms = self._clock.monotonic() * 1000 + context.keep_alive_ms
