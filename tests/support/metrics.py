"""What a node tells Prometheus, read by Prometheus' own parser."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.client import Client

PATH = "/_prometheus/metrics"


class Scrape:
    """One look: families by name, values by name and labels."""

    def __init__(self, client: Client) -> None:
        answer = client.call("GET", PATH)
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = answer.data.decode()
        self.families: dict[str, Metric] = {}
        for family in text_string_to_metric_families(self.text):
            assert family.name not in self.families, f"{family.name} is told twice"
            self.families[family.name] = family

    def __getitem__(self, name: str) -> float:
        """The sum over all labels."""
        return sum(sample.value for sample in self._samples(name))

    def of(self, name: str, **labels: str) -> float:
        """The sum over what has these labels."""
        return sum(sample.value for sample in self._samples(name) if labels.items() <= sample.labels.items())

    def _samples(self, name: str) -> list[object]:
        return [sample for family in self.families.values() for sample in family.samples if sample.name == name]

    def names(self) -> set[str]:
        """Our own, as the documentation writes them."""
        own = {name: family for name, family in self.families.items() if name.startswith("quidditch_")}
        return {name + "_total" if family.type == "counter" else name for name, family in own.items()}


def documented() -> dict[str, tuple[str, set[str]]]:
    """Kind and labels by name, of docs/metrics.md."""
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\|", text, re.MULTILINE)
    return {
        name: (kind, {label.strip() for label in labels.split(",") if label.strip()}) for name, kind, labels in rows
    }
