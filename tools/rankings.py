"""Asks Quidditch and a real OpenSearch the same random rankings over texts of this machine, and prints where they differ.

    python -m tools.rankings http://127.0.0.1:9200 http://127.0.0.1:19200 --corpus docstrings --shards 3 --rounds 300

Compared are the totals, the scores of the ten best and, where scores do not tie, their order; first as it was indexed, then after
updates and deletes, merged into one segment on both sides so that both forget the same documents.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

from tools.corpora import CORPORA, MAPPINGS, SETTINGS, TEXTS
from tools.differential import call, close

INDEX = "rankings"


class Maker:
    """Random queries of every kind over the documents."""

    def __init__(self, documents: list[dict[str, Any]], chance: random.Random) -> None:
        self.documents, self.chance = documents, chance

    def text(self) -> str:
        body = self.chance.choice(self.documents)["body"]
        return body if isinstance(body, str) else self.chance.choice(body)

    def words(self, low: int = 1, high: int = 4) -> str:
        found = self.text().split() or ["nothing"]
        return " ".join(self.chance.choice(found) for _ in range(self.chance.randint(low, high)))

    def plain(self) -> str:
        """A word of letters."""
        for _ in range(20):
            word = self.words(1, 1).strip(".,;:()'\"").lower()
            if word.isalpha() and len(word) > 2:
                return word
        return "value"

    def phrase(self) -> str:
        found = self.text().split() or ["nothing"]
        at = self.chance.randrange(len(found))
        return " ".join(found[at : at + self.chance.randint(2, 4)])

    def field(self) -> str:
        return self.chance.choice(TEXTS)

    def match(self) -> dict[str, Any]:
        chance, options = self.chance, {}
        if chance.random() < 0.3:
            options["operator"] = chance.choice(("and", "or"))
        if chance.random() < 0.3:
            options["minimum_should_match"] = chance.choice((1, 2, "50%", "-1", "2<75%"))
        if chance.random() < 0.3:
            options |= {"fuzziness": chance.choice(("AUTO", 1, 2)), "prefix_length": chance.choice((0, 1, 2))}
        return {"match": {self.field(): {"query": self.words(), **options}}}

    def multi(self) -> dict[str, Any]:
        chance = self.chance
        kind = chance.choice(("best_fields", "most_fields", "cross_fields", "phrase", "phrase_prefix", "bool_prefix"))
        options: dict[str, Any] = {"type": kind}
        if kind in ("best_fields", "most_fields", "cross_fields") and chance.random() < 0.4:
            options["operator"] = "and"
        if chance.random() < 0.4:
            options["tie_breaker"] = chance.choice((0.0, 0.3, 1.0))
        fields = [name + chance.choice(("", "^2", "^0.5")) for name in chance.sample(TEXTS, chance.randint(1, 3))]
        return {"multi_match": {"query": self.words(1, 3), "fields": fields, **options}}

    def string(self) -> str:
        word, chance = self.plain, self.chance
        return chance.choice(
            (
                f"{word()} {word()}",
                f"+{word()} -{word()} {word()}",
                f"title:{word()} OR body:{word()}^2",
                f'"{word()} {word()}"~3 AND {word()}',
                f"({word()} OR {word()}) AND NOT {word()}",
                f"{word()[:3]}* {word()}~1",
                f"body.en:({word()} {word()})",
                f"size:[10 TO 40] {word()}",
            )
        )

    def simple(self) -> str:
        word = self.plain
        forms = (
            f"{word()} + {word()}",
            f'"{word()} {word()}" | {word()}',
            f"{word()[:3]}* -{word()}",
            f"{word()}~1 {word()}",
        )
        return self.chance.choice(forms)

    def pattern(self) -> dict[str, Any]:
        chance, word = self.chance, self.plain()
        rewrite = chance.choice(("constant_score", "scoring_boolean", "top_terms_20", "top_terms_boost_20", None))
        extra = {"rewrite": rewrite} if rewrite else {}
        field = chance.choice(("title", "body", "body.en", "kind"))
        return chance.choice(
            (
                {"prefix": {field: {"value": word[:3], **extra}}},
                {"wildcard": {field: {"value": f"{word[:2]}*{word[-1]}", **extra}}},
                {"regexp": {field: {"value": f"{word[:2]}.{{1,4}}", **extra}}},
                {"fuzzy": {field: {"value": word, "fuzziness": chance.choice(("AUTO", 1, 2)), **extra}}},
            )
        )

    def function(self) -> dict[str, Any]:
        chance = self.chance
        pieces: list[dict[str, Any]] = [
            {
                "field_value_factor": {
                    "field": "weight",
                    "modifier": chance.choice(("none", "log1p", "ln2p", "sqrt", "square", "reciprocal")),
                }
            },
            {
                "field_value_factor": {
                    "field": "sparse",
                    "factor": 1.5,
                    **({} if chance.random() < 0.2 else {"missing": 1}),
                }
            },
            {"gauss": {"size": {"origin": 50, "scale": 10, "offset": 5, "decay": 0.4}}},
            {"exp": {"day": {"origin": "2018-06-01", "scale": "300d"}}},
            {"linear": {"weight": {"origin": 20, "scale": 15}}},
            {
                "random_score": {
                    "seed": chance.randint(1, 1000),
                    "field": chance.choice(("_seq_no", "size", "kind", "weight", "day", "flag")),
                }
            },
            {"filter": self.leaf(), "weight": 3},
        ]
        body: dict[str, Any] = {
            "query": self.leaf(),
            "functions": chance.sample(pieces, chance.randint(1, 3)),
            "score_mode": chance.choice(("multiply", "sum", "avg", "first", "max", "min")),
            "boost_mode": chance.choice(("multiply", "replace", "sum", "avg", "max", "min")),
        }
        if chance.random() < 0.2:
            body["min_score"] = chance.choice((0.5, 2))
        if chance.random() < 0.2:
            body["max_boost"] = 4
        return {"function_score": body}

    def nested(self) -> dict[str, Any]:
        inner = {
            "bool": {
                "must": [{"match": {"parts.name": self.plain()}}],
                "should": [{"range": {"parts.rank": {"gte": 5}}}],
            }
        }
        return {
            "nested": {
                "path": "parts",
                "query": inner,
                "score_mode": self.chance.choice(("avg", "sum", "max", "min", "none")),
            }
        }

    def leaf(self) -> dict[str, Any]:
        chance = self.chance
        return chance.choice(
            (
                self.match,
                self.match,
                self.multi,
                self.pattern,
                lambda: {"match_phrase": {self.field(): {"query": self.phrase(), "slop": chance.randint(0, 3)}}},
                lambda: {"match_phrase_prefix": {self.field(): self.phrase()[:-1]}},
                lambda: {"match_bool_prefix": {self.field(): self.phrase()}},
                lambda: {"query_string": {"query": self.string(), "fields": chance.sample(TEXTS, 2)}},
                lambda: {"simple_query_string": {"query": self.simple(), "fields": chance.sample(TEXTS, 2)}},
                lambda: {"term": {"kind": chance.choice(self.documents)["kind"]}},
                lambda: {"term": {"flag": chance.random() < 0.5}},
                lambda: {"term": {"body": self.plain()}},
                lambda: {"terms": {"body": [self.plain(), self.plain()]}},
                lambda: {"range": {"size": {"gte": chance.randint(0, 60), "lt": 80}}},
                self.nested,
            )
        )()

    def query(self, depth: int = 0) -> dict[str, Any]:
        chance = self.chance
        if depth > 1 or chance.random() < 0.45:
            return self.leaf()
        if chance.random() < 0.35:
            return self.function()
        more = lambda: self.query(depth + 1)  # noqa: E731
        clauses: dict[str, Any] = {
            kind: [more() for _ in range(chance.randint(1, 3))]
            for kind in ("must", "should", "filter", "must_not")
            if chance.random() < 0.5
        }
        if len(clauses.get("should", ())) > 1 and chance.random() < 0.5:
            clauses["minimum_should_match"] = chance.choice((1, 2, "50%"))
        return chance.choice(
            (
                {"bool": clauses},
                {"bool": clauses},
                {"dis_max": {"queries": [more(), more()], "tie_breaker": chance.choice((0, 0.4))}},
                {"constant_score": {"filter": more(), "boost": 1.7}},
                {"boosting": {"positive": more(), "negative": self.leaf(), "negative_boost": 0.3}},
            )
        )


def shown(answer: dict[str, Any]) -> Any:
    """What must be equal; of ids those whose score no neighbour shares."""
    if "error" in answer:
        return {"error": answer["error"].get("type"), "status": answer["status"]}
    hits = answer["hits"]["hits"]
    scores = [hit["_score"] for hit in hits]
    alone = [
        hit["_id"]
        if all(abs(hit["_score"] - other) > 1e-4 * max(1.0, other) for at, other in enumerate(scores) if at != place)
        else "-"
        for place, hit in enumerate(hits[:-1])
    ]
    failures = [failure["reason"]["type"] for failure in answer["_shards"].get("failures", ())]
    return {"total": answer["hits"]["total"]["value"], "scores": scores, "ids": alone, "failures": failures}


def ask(urls: list[str], maker: Maker, label: str) -> bool:
    body = {"query": maker.query(), "size": 10, "_source": False, "track_total_hits": True}
    data = json.dumps(body).encode()
    one, two = (shown(call(url, "POST", f"/{INDEX}/_search?request_cache=false", data)) for url in urls)
    if close(one, two):
        return True
    print(f"--- {label}\n{data.decode()}\n  {json.dumps(one)[:900]}\n  {json.dumps(two)[:900]}", flush=True)
    return False


def fill(url: str, documents: list[dict[str, Any]], shards: int) -> None:
    call(url, "DELETE", f"/{INDEX}")
    settings = {**SETTINGS, "number_of_shards": shards}
    made = call(url, "PUT", f"/{INDEX}", json.dumps({"settings": settings, "mappings": MAPPINGS}).encode())
    assert made.get("acknowledged"), made
    send(url, [({"index": {"_id": str(number)}}, document) for number, document in enumerate(documents)])


def send(url: str, items: list[tuple[dict[str, Any], ...]]) -> None:
    for at in range(0, len(items), 500):
        body = "".join(json.dumps(line) + "\n" for item in items[at : at + 500] for line in item).encode()
        answer = call(url, "POST", f"/{INDEX}/_bulk", body)
        assert not answer["errors"], answer
    call(url, "POST", f"/{INDEX}/_refresh")


def change(url: str, documents: list[dict[str, Any]]) -> None:
    """Every seventh document becomes another, every eleventh goes."""
    count = len(documents)
    send(url, [({"index": {"_id": str(n)}}, documents[(n * 3 + 1) % count]) for n in range(0, count, 7)])
    gone: list[tuple[dict[str, Any], ...]] = [({"delete": {"_id": str(n)}},) for n in range(0, count, 11)]
    partly = [({"update": {"_id": str(n)}}, {"doc": {"size": n % 90}}) for n in range(5, count, 13) if n % 11]
    send(url, [*gone, *partly])
    # OpenSearch keeps deleted documents in merges until its retention leases are renewed, which it does every half minute.
    for _ in range(40):
        call(url, "POST", f"/{INDEX}/_flush?force=true&wait_if_ongoing=true")
        call(url, "POST", f"/{INDEX}/_forcemerge?max_num_segments=1")
        call(url, "POST", f"/{INDEX}/_refresh")
        if call(url, "GET", f"/{INDEX}/_stats/docs")["_all"]["primaries"]["docs"]["deleted"] == 0:
            return
        time.sleep(2)
    raise SystemExit(f"{url} does not let go of deleted documents")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.rankings")
    parser.add_argument("urls", nargs=2)
    parser.add_argument("--corpus", choices=sorted(CORPORA), default="docstrings")
    parser.add_argument("--documents", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shards", type=int, default=1)
    args = parser.parse_args()
    documents = list(CORPORA[args.corpus](args.documents))
    for url in args.urls:
        fill(url, documents, args.shards)
    different = 0
    for number in range(args.rounds):
        if number == args.rounds // 2:
            for url in args.urls:
                change(url, documents)
        label = f"{args.corpus}/{args.seed}/{number}"
        different += not ask(args.urls, Maker(documents, random.Random(label)), label)
    for url in args.urls:
        call(url, "DELETE", f"/{INDEX}")
    print(f"{different} of {args.rounds} differ")


if __name__ == "__main__":
    main()
