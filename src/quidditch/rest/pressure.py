"""Bounds on what is in flight: bytes of bodies, bytes of writes, number of searches. Over a bound the answer is 429."""

from __future__ import annotations

from quidditch.model.errors import ApiError, rejected


class Pressure:
    """Counters of one process; used from the event loop only."""

    __slots__ = (
        "body_bytes",
        "max_body_bytes",
        "max_searches",
        "max_write_bytes",
        "rejected_searches",
        "rejected_writes",
        "searches",
        "total_write_bytes",
        "tripped",
        "write_bytes",
    )

    def __init__(self, max_body_bytes: int, max_write_bytes: int, max_searches: int) -> None:
        self.max_body_bytes = max_body_bytes
        self.max_write_bytes = max_write_bytes
        self.max_searches = max_searches
        self.body_bytes = self.write_bytes = self.searches = 0
        self.total_write_bytes = self.rejected_writes = self.rejected_searches = self.tripped = 0

    def take_body(self, count: int) -> None:
        wanted = self.body_bytes + count
        if wanted > self.max_body_bytes:
            self.tripped += 1
            raise ApiError(
                429,
                "circuit_breaking_exception",
                f"[in_flight_requests] Data too large, data for [<http_request>] would be [{wanted}/{_human(wanted)}], "
                f"which is larger than the limit of [{self.max_body_bytes}/{_human(self.max_body_bytes)}]",
                {"bytes_wanted": wanted, "bytes_limit": self.max_body_bytes, "durability": "TRANSIENT"},
            )
        self.body_bytes = wanted

    def give_body(self, count: int) -> None:
        self.body_bytes -= count

    def take_write(self, count: int) -> None:
        if self.write_bytes + count > self.max_write_bytes:
            self.rejected_writes += 1
            raise rejected(
                "rejected execution of coordinating operation ["
                f"coordinating_and_primary_bytes={self.write_bytes}, replica_bytes=0, all_bytes={self.write_bytes}, "
                f"coordinating_operation_bytes={count}, max_coordinating_and_primary_bytes={self.max_write_bytes}]"
            )
        self.write_bytes += count
        self.total_write_bytes += count

    def give_write(self, count: int) -> None:
        self.write_bytes -= count

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


def _human(count: int) -> str:
    for unit, name in ((1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")):
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return f"{count}b"
