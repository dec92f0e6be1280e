"""Asks Quidditch and a real OpenSearch the same random searches and prints where they differ.

    python -m tools.differential http://127.0.0.1:9200 http://127.0.0.1:19200 --rounds 500 --seed 3

Both get the corpus of tests/support/corpus.py, in several segments and shards. What is found becomes a test of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import urllib.error
import urllib.request
from typing import Any

from tests.support.corpus import INDEX_BODY, Corpus

INDEX = "differential"


def call(url: str, method: str, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        return json.loads(error.read())


class Maker:
    """Random search bodies over the corpus."""

    def __init__(self, corpus: Corpus, chance: random.Random) -> None:
        self.corpus, self.chance = corpus, chance

    def word(self) -> str:
        return self.chance.choice(self.corpus.words[: self.chance.choice((20, 200, 1500))])

    def tag(self) -> str:
        return self.chance.choice(self.corpus.words[:40])

    def leaf(self) -> dict[str, Any]:
        chance = self.chance
        low = chance.randint(1980, 2025)
        return chance.choice(
            [
                {"match": {"body": " ".join(self.word() for _ in range(chance.randint(1, 4)))}},
                {
                    "match": {
                        "title": {"query": f"{self.word()} {self.word()}", "operator": chance.choice(("and", "or"))}
                    }
                },
                {"term": {"tags": self.tag()}},
                {"terms": {"tags": [self.tag(), self.tag()]}},
                {"range": {"year": {"gte": low, "lt": low + chance.randint(0, 20)}}},
                {"range": {"rating": {"gt": chance.uniform(0, 5), "lte": chance.uniform(3, 10)}}},
                {
                    "range": {
                        "published": {
                            "gte": f"20{chance.randint(10, 25)}-0{chance.randint(1, 9)}||/M",
                            "time_zone": "+02:00",
                        }
                    }
                },
                {"prefix": {"title": self.word()[:2]}},
                {"wildcard": {"tags": {"value": f"*{self.word()[:2]}*"}}},
                {"exists": {"field": chance.choice(("english", "tags", "nothing"))}},
                {"ids": {"values": [str(chance.randint(0, 3100)) for _ in range(3)]}},
                {"match_phrase": {"body": {"query": f"{self.word()} {self.word()}", "slop": chance.randint(0, 3)}}},
                {"fuzzy": {"title": {"value": self.word(), "fuzziness": chance.choice((1, 2, "AUTO"))}}},
                {"match_phrase_prefix": {"title": f"{self.word()} {self.word()[:2]}"}},
            ]
        )

    def query(self, depth: int = 0) -> dict[str, Any]:
        chance = self.chance
        if depth > 2 or chance.random() < 0.4:
            return self.leaf()
        clauses = {
            kind: [self.query(depth + 1) for _ in range(chance.randint(1, 3))]
            for kind in ("must", "should", "filter", "must_not")
            if chance.random() < 0.5
        }
        if "should" in clauses and chance.random() < 0.5:
            clauses["minimum_should_match"] = chance.choice((1, 2, "50%", -1))
        return chance.choice(
            [
                {"bool": clauses},
                {"bool": clauses},
                {"dis_max": {"queries": [self.query(depth + 1), self.query(depth + 1)], "tie_breaker": 0.2}},
                {"constant_score": {"filter": self.query(depth + 1), "boost": 2}},
                {"boosting": {"positive": self.query(depth + 1), "negative": self.leaf(), "negative_boost": 0.3}},
                {
                    "function_score": {
                        "query": self.query(depth + 1),
                        "functions": [
                            {"filter": self.leaf(), "weight": 3},
                            {"linear": {"year": {"origin": 2001, "scale": 9}}},
                        ],
                        "score_mode": chance.choice(("sum", "avg", "max", "multiply", "first", "min")),
                        "boost_mode": chance.choice(("multiply", "replace", "sum", "avg", "max", "min")),
                    }
                },
            ]
        )

    def aggregation(self, depth: int = 0) -> dict[str, Any]:
        chance = self.chance
        metrics: list[dict[str, Any]] = [
            {kind: {"field": field}}
            for kind in ("avg", "sum", "min", "max", "stats", "extended_stats", "value_count", "cardinality")
            for field in ("year", "rating")
        ]
        if depth > 1 or chance.random() < 0.3:
            return chance.choice([*metrics, {"percentile_ranks": {"field": "year", "values": [1990, 2010]}}])
        zone = chance.choice(("UTC", "Europe/Berlin", "America/New_York"))
        unit = chance.choice(("month", "quarter", "year"))
        bucket = chance.choice(
            [
                {"terms": {"field": "tags", "size": chance.randint(1, 50)}},
                {"terms": {"field": "year", "size": chance.randint(1, 50), "order": {"_key": "asc"}}},
                {
                    "histogram": {
                        "field": "rating",
                        "interval": chance.choice((0.5, 1, 3)),
                        "min_doc_count": chance.randint(0, 2),
                    }
                },
                {"histogram": {"field": "year", "interval": 10, "offset": 3}},
                {"date_histogram": {"field": "published", "calendar_interval": unit, "time_zone": zone}},
                {"date_histogram": {"field": "published", "fixed_interval": "90d", "min_doc_count": 1}},
                {"range": {"field": "rating", "ranges": [{"to": 3}, {"from": 2, "to": 8}, {"from": 8}]}},
                {"date_range": {"field": "published", "ranges": [{"to": "2015-01-01"}, {"from": "2015||/y"}]}},
                {"filter": self.leaf()},
                {"filters": {"filters": {"a": self.leaf(), "b": self.leaf()}, "other_bucket": True}},
                {"missing": {"field": "english.keyword"}},
                {"global": {}} if depth == 0 else {"missing": {"field": "tags"}},
            ]
        )
        if chance.random() < 0.7:
            bucket["aggs"] = {"inner": self.aggregation(depth + 1)}
        return bucket

    def body(self) -> dict[str, Any]:
        chance = self.chance
        body: dict[str, Any] = {"query": self.query(), "_source": False, "size": 10, "track_total_hits": True}
        if chance.random() < 0.3:
            body["sort"] = chance.choice(
                [
                    [{"year": "desc"}, {"rating": {"order": "asc"}}],
                    [{"tags": {"order": "asc", "mode": chance.choice(("min", "max"))}}, {"rating": "asc"}],
                    [{"published": "desc"}, "_score", {"rating": "asc"}],
                ]
            )
        if chance.random() < 0.5:
            body["aggs"] = {"x": self.aggregation()}
            body["size"] = chance.choice((0, 5))
        return body


def simplify(answer: dict[str, Any]) -> Any:
    """What must be equal: ids only where scores do not tie."""
    if "error" in answer:
        return {"error": answer["error"].get("type"), "status": answer["status"]}
    hits = answer["hits"]
    scores = [hit.get("sort") or hit["_score"] for hit in hits["hits"]]
    return {"total": hits["total"], "scores": scores, "max": hits["max_score"], "aggs": answer.get("aggregations")}


def close(one: Any, two: Any) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(close(one[key], two[key]) for key in one)
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(close, one, two))
    if isinstance(one, float) or isinstance(two, float):
        return (
            isinstance(one, float | int)
            and isinstance(two, float | int)
            and math.isclose(one, two, rel_tol=1e-4, abs_tol=1e-9)
        )
    return bool(one == two)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.differential")
    parser.add_argument("urls", nargs=2)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=1)
    args = parser.parse_args()
    corpus = Corpus()
    body = json.loads(json.dumps(INDEX_BODY))
    body["settings"]["number_of_shards"] = args.shards
    for url in args.urls:
        call(url, "DELETE", f"/{INDEX}")
        call(url, "PUT", f"/{INDEX}", json.dumps(body).encode())
        call(url, "POST", "/_bulk?refresh=true", corpus.bulk(INDEX))
    different = 0
    for number in range(args.rounds):
        search = Maker(corpus, random.Random(f"{args.seed}/{number}")).body()
        data = json.dumps(search).encode()
        path = f"/{INDEX}/_search?request_cache=false"
        one, two = (simplify(call(url, "POST", path, data)) for url in args.urls)
        if not close(one, two):
            different += 1
            print(
                f"--- {args.seed}/{number}\n{data.decode()}\n  {json.dumps(one)[:1500]}\n  {json.dumps(two)[:1500]}",
                flush=True,
            )
    for url in args.urls:
        call(url, "DELETE", f"/{INDEX}")
    print(f"{different} of {args.rounds} differ")


if __name__ == "__main__":
    main()
