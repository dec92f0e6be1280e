"""Bounds on what is in flight: bytes of bodies, bytes of writes, number of searches. Over a bound the answer is 429."""

from __future__ import annotations

from quidditch.model.errors import rejected
from quidditch.transport.breakers import Breakers
from quidditch.transport.pressure import IndexingPressure


class Pressure:
    """Counters of one process; used from the event loop only."""

    __slots__ = ("breakers", "indexing", "max_searches", "rejected_searches", "searches")

    def __init__(self, breakers: Breakers, indexing: IndexingPressure, max_searches: int) -> None:
        self.breakers = breakers
        self.indexing = indexing
        self.max_searches = max_searches
        self.searches = self.rejected_searches = 0

    def take_body(self, count: int) -> None:
        self.breakers.in_flight.take(count, "<http_request>")

    def give_body(self, count: int) -> None:
        self.breakers.in_flight.give(count)

    def take_write(self, count: int) -> None:
        self.indexing.take("coordinating", count)

    def give_write(self, count: int) -> None:
        self.indexing.give("coordinating", count)

    def take_search(self) -> None:
        if self.searches >= self.max_searches:
            self.rejected_searches += 1
            raise rejected(
                f"rejected execution of search: [{self.searches}] searches are in flight, "
                f"the limit is [{self.max_searches}]"
            )
        self.searches += 1

    def give_search(self) -> None:
        self.searches -= 1
