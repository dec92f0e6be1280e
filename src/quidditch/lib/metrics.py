"""Counters of a process in Prometheus' form. Each node makes its own registry: nothing is global, so nodes can share a process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each counter, which Prometheus itself does not use

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of durations."""
PREFIX = "quidditch_"
Sample = tuple[Mapping[str, str], float]
"""Labels and value."""
Source = Callable[[], Iterable[Metric]]


class Metrics:
    """Makes metrics by name; asked twice for a name it answers the same one. Names are without the `quidditch_` that all bear."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters: dict[str, Counter] = {}
        self._gauges: dict[str, Gauge] = {}
        self._histograms: dict[str, Histogram] = {}

    def counter(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Counter:
        if name not in self._counters:
            self._counters[name] = Counter(f"{PREFIX}{name}", meaning, labels, registry=self.registry)
        return self._counters[name]

    def gauge(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Gauge:
        if name not in self._gauges:
            self._gauges[name] = Gauge(f"{PREFIX}{name}", meaning, labels, registry=self.registry)
        return self._gauges[name]

    def duration(self, name: str, meaning: str, labels: tuple[str, ...] = ()) -> Histogram:
        """A histogram of seconds."""
        if name not in self._histograms:
            self._histograms[name] = Histogram(
                f"{PREFIX}{name}_seconds", meaning, labels, registry=self.registry, buckets=SECONDS
            )
        return self._histograms[name]

    def source(self, read: Source) -> None:
        """`read` is asked for what it knows at each look: for what is counted elsewhere anyway."""
        self.registry.register(_Read(read))

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)


class _Read(Collector):
    def __init__(self, read: Source) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is asked: without this the registry would ask at once."""
        return ()


# --- what is read at each look --------------------------------------------------------------------------------------


def gauge(name: str, meaning: str, *samples: float | Sample) -> Metric:
    """A value that goes up and down; each sample with its labels, or one alone."""
    return _metric(name, meaning, "gauge", "", samples)


def counter(name: str, meaning: str, *samples: float | Sample) -> Metric:
    """A value that only grows; it is shown with `_total` behind the name."""
    return _metric(name, meaning, "counter", "_total", samples)


def _metric(name: str, meaning: str, kind: str, suffix: str, samples: Iterable[float | Sample]) -> Metric:
    metric = Metric(PREFIX + name, meaning, kind)
    for sample in samples:
        labels, value = sample if isinstance(sample, tuple) else ({}, sample)
        metric.add_sample(PREFIX + name + suffix, dict(labels), float(value))
    return metric


def render(metrics: Iterable[Metric]) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Read(lambda: metrics))
    return generate_latest(registry)


class Durations:
    """A histogram of seconds for where every microsecond counts: one addition, no locks; for one thread."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(SECONDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        self._counts[bisect_left(SECONDS, seconds)] += 1
        self._sum += seconds

    @property
    def count(self) -> int:
        return sum(self._counts)

    def into(self, family: HistogramMetricFamily, labels: Iterable[str]) -> None:
        bounds = [*map(str, SECONDS), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(self._counts)), strict=True))
        family.add_metric(list(labels), buckets, self._sum)
