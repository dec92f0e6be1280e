"""Counters of a process in Prometheus' form. Each node makes its own registry: nothing is global, so nodes can share a process."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of durations."""


class Metrics:
    """Makes metrics by name; asked twice for a name it answers the same one. Names are without the `quidditch_` that all bear."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}

    def counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
        if name not in self._counters:
            self._counters[name] = Counter(f"quidditch_{name}", meaning, labels, registry=self.registry)
        return self._counters[name]

    def gauge(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"quidditch_{name}", meaning, labels, registry=self.registry)
        return self._gauges[name]

    def duration(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Histogram:
        """A histogram of seconds."""
        if name not in self._histograms:
            self._histograms[name] = Histogram(
                f"quidditch_{name}_seconds", meaning, labels, registry=self.registry, buckets=SECONDS
            )
        return self._histograms[name]

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
