"""How well nodes answer searches, as numbers: adaptive replica selection by the C3 rank, as OpenSearch computes it.

https://www.usenix.org/conference/nsdi15/technical-sessions/presentation/suresh ("C3", section 3); times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_ALPHA = 0.3
"""How much the newest measurement counts."""
_MARGIN = 1.0
"""By how many milliseconds another node has to be better than this one, which needs no call."""


@dataclass(slots=True)
class Measured:
    """Of one node: what it was measured at, smoothed, and the searches that wait for its answer now."""

    queue: float = 0.0
    service: float = 0.0
    response: float = 0.0
    known: bool = False
    waiting: int = 0

    def note(self, queue: float, service: float, response: float) -> None:
        """One answer."""
        weight = _ALPHA if self.known else 1.0
        self.queue += (queue - self.queue) * weight
        self.service += (service - self.service) * weight
        self.response += (response - self.response) * weight
        self.known = True

    def approach(self, other: Measured) -> None:
        """Half-way to another node's: one that is not asked cannot show that it got better, and is tried in time."""
        self.queue = (self.queue + other.queue) / 2
        self.service = (self.service + other.service) / 2
        self.response = (self.response + other.response) / 2

    def rank(self, clients: int) -> float:
        """The lower the better; `clients`: how many nodes send searches."""
        estimated = 1 + self.waiting * clients + self.queue
        return self.response - self.service + estimated**3 * self.service


class Ranks:
    """Measurements by node id."""

    def __init__(self) -> None:
        self._nodes: dict[str, Measured] = {}

    def of(self, node: str) -> Measured:
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = Measured()
        return found

    def __len__(self) -> int:
        return len(self._nodes)

    def order(self, nodes: Sequence[str], local: str = "") -> list[str]:
        """The best first, those unknown before all; equal ones stay as they are, and `local` is preferred to what is hardly better.
        The others approach the one that was chosen.
        """
        clients = max(1, sum(each.known for each in self._nodes.values()))
        found = sorted(nodes, key=lambda node: self._rank(node, clients) - (_MARGIN if node == local else 0))
        best = self._nodes.get(found[0])
        if best is not None and best.known:
            for node in found[1:]:
                self.of(node).approach(best)
        return found

    def _rank(self, node: str, clients: int) -> float:
        measured = self._nodes.get(node)
        return measured.rank(clients) if measured is not None and measured.known else float("-inf")

    def keep(self, nodes: Sequence[str]) -> None:
        """Forgets all but these."""
        for gone in self._nodes.keys() - set(nodes):
            del self._nodes[gone]

    def section(self) -> dict[str, Any]:
        """`adaptive_selection` of `_nodes/stats`."""
        clients = max(1, sum(each.known for each in self._nodes.values()))
        return {
            node: {
                "outgoing_searches": each.waiting,
                "avg_queue_size": round(each.queue),
                "avg_service_time_ns": int(each.service * 1e6),
                "avg_response_time_ns": int(each.response * 1e6),
                "rank": f"{each.rank(clients):.1f}",
            }
            for node, each in sorted(self._nodes.items())
            if each.known
        }
