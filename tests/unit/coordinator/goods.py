"""Documents in shards over the nodes of a fleet."""

from __future__ import annotations

from typing import Any

from tests.support.fleet import Fleet

SHARDS = 6
MAPPING = {
    "properties": {
        "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "tag": {"type": "keyword"},
        "price": {"type": "double"},
        "count": {"type": "integer"},
        "day": {"type": "date"},
        "kids": {"type": "nested", "properties": {"name": {"type": "keyword"}, "age": {"type": "integer"}}},
    }
}
WORDS = ("quick", "brown", "fox", "jumps", "over", "lazy", "dog")


def document(number: int) -> dict[str, Any]:
    words = [WORDS[(number * step) % 7] for step in (1, 3, 5)]
    return {
        "title": " ".join(words),
        "tag": f"t{number % 5}",
        "price": (number * 37 % 100) / 4,
        "count": number,
        "day": f"2024-01-{1 + number % 28:02}",
        "kids": [{"name": f"k{number % 3}", "age": number % 9}, {"name": "both", "age": 1}],
    }


async def fill(found: Fleet, *indices: str, count: int = 120) -> None:
    settings = {"number_of_shards": SHARDS, "number_of_replicas": 0, "refresh_interval": "-1"}
    for name in indices:
        await found.members[0].put(f"/{name}", {"settings": settings, "mappings": MAPPING})
        await found.started(name)
        lines: list[Any] = []
        for number in range(count):
            lines += [{"index": {"_index": name, "_id": f"{name}-{number}"}}, document(number)]
        answer = await found.members[-1].post("/_bulk?refresh=true", lines)
        assert not answer["errors"]
