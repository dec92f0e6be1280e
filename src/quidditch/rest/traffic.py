"""What was asked of this process: answers by endpoint and status, with how long they took; connections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client.metrics_core import HistogramMetricFamily, Metric

from quidditch.lib.metrics import PREFIX, Durations, counter, gauge

UNROUTED = "unrouted"
_METHODS = frozenset({"HEAD", "GET", "DELETE", "PUT", "POST", "PATCH", "OPTIONS"})


class Traffic:
    """Used from the event loop only."""

    __slots__ = ("_answers", "open", "opened")

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, int], Durations] = {}
        self.open = 0
        self.opened = 0

    def note(self, method: str, path: str, status: int, seconds: float) -> None:
        """An answer. `path` is the pattern of its endpoint, of which there are so many and no more."""
        key = (method, path, status)
        known = self._answers.get(key)
        if known is None:
            key = (method if method in _METHODS else "other", path, status)
            known = self._answers.setdefault(key, Durations())
        known.add(seconds)

    def connected(self) -> None:
        self.open += 1
        self.opened += 1

    def disconnected(self) -> None:
        self.open -= 1

    def counts(self) -> dict[str, int]:
        """Answers by method and pattern."""
        found: Counter[str] = Counter()
        for (method, path, _), durations in self._answers.items():
            found[f"{method} {path}"] += durations.count
        return dict(sorted(found.items()))

    def readings(self) -> Iterable[Metric]:
        meaning = "time to answer an HTTP request, by method, pattern of the endpoint and status"
        labels = ("method", "path", "status")
        family = HistogramMetricFamily(f"{PREFIX}http_request_duration_seconds", meaning, labels=labels)
        for (method, path, status), durations in sorted(self._answers.items()):
            durations.into(family, (method, path, str(status)))
        yield family
        yield gauge("http_connections", "open HTTP connections", self.open)
        yield counter("http_connections_opened", "HTTP connections since the start", self.opened)
