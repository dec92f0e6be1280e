"""Circuit breakers: memory that requests take is counted, and what would go beyond a limit is refused before it is taken."""

from __future__ import annotations

from collections.abc import Callable

from quidditch.model.errors import ApiError


class Breaker:
    """One kind of memory. Used from the event loop's thread; `limit` may change, `parent` counts too. `beside`: memory of this kind
    that is taken and refused elsewhere, bytes held now and how often.
    """

    def __init__(
        self,
        name: str,
        limit: Callable[[], int],
        parent: Breaker | None = None,
        beside: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        self.name = name
        self.limit = limit
        self._taken = 0
        self._refused = 0
        self._parent = parent
        self._beside = beside

    @property
    def used(self) -> int:
        return self._taken + self._beside()[0]

    @property
    def tripped(self) -> int:
        return self._refused + self._beside()[1]

    def take(self, count: int, label: str) -> None:
        """Raises circuit_breaking_exception; `label` says for what."""
        if self._parent is not None:
            self._parent.take(count, label)
        wanted = self.used + count
        limit = self.limit()
        if wanted > limit:
            self._refused += 1
            if self._parent is not None:
                self._parent.give(count)
            raise ApiError(
                429,
                "circuit_breaking_exception",
                f"[{self.name}] Data too large, data for [{label}] would be [{wanted}/{_human(wanted)}], "
                f"which is larger than the limit of [{limit}/{_human(limit)}]",
                {"bytes_wanted": wanted, "bytes_limit": limit, "durability": "TRANSIENT"},
            )
        self._taken += count

    def give(self, count: int) -> None:
        self._taken -= count
        if self._parent is not None:
            self._parent.give(count)


class Breakers:
    """Those of a node: bodies of requests, what searches hold until they are answered, and all together."""

    def __init__(
        self,
        requests: Callable[[], int],
        in_flight: Callable[[], int],
        total: Callable[[], int],
        kernel: Callable[[], tuple[int, int]] = lambda: (0, 0),
    ) -> None:
        """`kernel`: what aggregations hold on shards, and how often they were refused more."""
        self.parent = Breaker("parent", total, beside=lambda: (kernel()[0], 0))
        self.request = Breaker("request", requests, self.parent, kernel)
        self.in_flight = Breaker("in_flight_requests", in_flight, self.parent)

    def all(self) -> tuple[Breaker, ...]:
        return self.request, self.in_flight, self.parent


def _human(count: int) -> str:
    for unit, name in ((1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return f"{count}b"
