"""Readers: documents that nobody changes are always found whole, and nothing is found twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.chaos.client import Actor, Heard

if TYPE_CHECKING:
    from tests.chaos.documents import Workload

_CLIENT_SECONDS = 10.0
_PAUSE = 0.01
_PAGE = 10_000


class Fixed:
    """The documents that nobody changes."""

    index = "fixed"
    count = 300

    @staticmethod
    def source(number: int) -> dict[str, Any]:
        return {"number": number, "word": f"word{number % 7}"}


FIXED = Fixed()


class Reader(Actor):
    """What is acknowledged are whole answers."""

    def __init__(self, workload: Workload, number: int, seed: int) -> None:
        super().__init__(f"reader-{number}", workload.urls, seed, _CLIENT_SECONDS)
        self._workload = workload

    def go(self) -> None:
        reads = (
            self._get,
            self._several,
            self._all,
            self._some,
            self._last,
            self._count,
            self._twice,
            self._keys,
            self._again,
        )
        while not self._workload.end.wait(_PAUSE):
            self.chance.choice(reads)()

    def _read(self, method: str, path: str, body: Any, right: Callable[[Any], bool]) -> None:
        """From one node after the other, until one answers; only those to which something happens may be silent or say that they
        cannot.
        """
        while not self._workload.end.is_set():
            node = self.caller.choose(self._workload.avoided)
            heard = self.caller.ask(node, method, path, body)
            if heard.status == 200 and not _partial(heard.body):
                if right(heard.body):
                    self.acknowledged += 1
                else:
                    self._wrong(method, path, heard)
                return
            cannot = heard.status in (0, 200, 429, 500, 503, 504)
            if not cannot or node not in self._workload.hurt | self._workload.avoided:
                self._wrong(method, path, heard)
                return

    def _wrong(self, method: str, path: str, heard: Heard) -> None:
        told = str(heard.body)
        short = told if len(told) < 1500 else f"{told[:700]} … {told[-700:]}"
        self.surprises.append(f"{self.name}: {method} {path} at {heard.node}: {heard.status} {short}")

    # --- documents that nobody changes ------------------------------------------------------------------------------

    def _get(self) -> None:
        number = self.chance.randrange(FIXED.count)
        self._read(
            "GET", f"/{FIXED.index}/_doc/{number}", None, lambda answer: answer.get("_source") == FIXED.source(number)
        )

    def _several(self) -> None:
        ids = [str(number) for number in self.chance.sample(range(FIXED.count), 10)]
        self._read(
            "POST",
            f"/{FIXED.index}/_mget",
            {"ids": ids},
            lambda answer: [each.get("found") and each["_id"] for each in answer["docs"]] == ids,
        )

    def _all(self) -> None:
        body = {"size": FIXED.count + 1, "aggs": {"words": {"terms": {"field": "word.keyword"}}}}
        self._read(
            "POST",
            f"/{FIXED.index}/_search",
            body,
            lambda answer: (
                sorted(hit["_source"]["number"] for hit in answer["hits"]["hits"]) == list(range(FIXED.count))
                and sum(each["doc_count"] for each in answer["aggregations"]["words"]["buckets"]) == FIXED.count
            ),
        )

    def _some(self) -> None:
        path = f"/{FIXED.index}/_search?search_type=dfs_query_then_fetch"
        wanted = set(range(3, FIXED.count, 7))
        self._read(
            "POST",
            path,
            {"size": FIXED.count, "query": {"match": {"word": "word3"}}},
            lambda answer: Counter(hit["_source"]["number"] for hit in answer["hits"]["hits"]) == Counter(wanted),
        )

    def _last(self) -> None:
        """Some shards may have no match and are left out."""
        body = {"query": {"range": {"number": {"gte": FIXED.count - 4}}}, "sort": ["number"]}
        self._read(
            "POST",
            f"/{FIXED.index}/_search",
            body,
            lambda answer: (
                [hit["sort"][0] for hit in answer["hits"]["hits"]] == list(range(FIXED.count - 4, FIXED.count))
            ),
        )

    def _count(self) -> None:
        self._read("GET", f"/{FIXED.index}/_count", None, lambda answer: answer["count"] == FIXED.count)

    # --- documents that are being written ---------------------------------------------------------------------------

    def _twice(self) -> None:
        body = {"size": _PAGE, "_source": False, "sort": [{"n": "desc"}]}
        self._read("POST", "/documents/_search", body, lambda answer: not _doubled(hit["_id"] for hit in _hits(answer)))

    def _keys(self) -> None:
        """The newest; a node that has not heard of the index yet knows none."""
        body = {"size": 1000, "query": {"match_all": {}}}
        path = f"/{self._workload.generated}/_search"
        self._read("POST", path, body, lambda answer: not _doubled(hit["_source"]["key"] for hit in _hits(answer)))

    def _again(self) -> None:
        """What is found by its id was written at some time; and while nothing happens, not before what was acknowledged."""
        id, document = self.chance.choice(list(self._workload.ledger.documents.items()))
        before = document.settled

        def right(answer: Any) -> bool:
            number = answer["_source"]["n"]
            return number <= document.newest and (number >= before or bool(self._workload.hurt))

        node = self.caller.choose(self._workload.avoided)
        heard = self.caller.ask(node, "GET", f"/documents/_doc/{id}")
        if heard.status == 200 and not right(heard.body):
            self._wrong("GET", f"{id}, {before} had been acknowledged,", heard)


def _partial(answer: Any) -> bool:
    """Whether it says itself that it is not the whole."""
    failed = answer.get("_shards", {}).get("failed") or answer.get("timed_out")
    return bool(failed or any("error" in each for each in answer.get("docs", ())))


def _hits(answer: Any) -> list[Any]:
    return list(answer["hits"]["hits"])


def _doubled(values: Any) -> bool:
    return any(count > 1 for count in Counter(values).values())
