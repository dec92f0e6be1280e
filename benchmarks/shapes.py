"""The searches that are timed: for each shape some sixty bodies that differ."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.corpus import Corpus

BODIES = 60


class Words:
    """Words of the corpus by how frequent they are."""

    def __init__(self, corpus: Corpus) -> None:
        counts: Counter[str] = Counter()
        for document in corpus.documents[:5000]:
            counts.update(set(re.findall(r"[a-z]{3,}", document["body"].lower())))
        ranked = [word for word, _ in counts.most_common(3000)]
        self.frequent, self.middle = ranked[5:150], ranked[150:2000]
        self.sections = sorted({document["section"] for document in corpus.documents[:5000]})


Maker = Callable[[random.Random, Words], dict[str, Any]]


def _match(count: int, operator: str) -> Maker:
    def make(chance: random.Random, words: Words) -> dict[str, Any]:
        return {
            "query": {"match": {"body": {"query": " ".join(chance.sample(words.middle, count)), "operator": operator}}}
        }

    return make


def _filtered(chance: random.Random, words: Words) -> dict[str, Any]:
    low = chance.randint(2010, 2020)
    filters = [
        {"term": {"section": chance.choice(words.sections)}},
        {"range": {"released": {"gte": f"{low}-01-01", "lt": f"{low + 4}-01-01"}}},
    ]
    return {"query": {"bool": {"must": [{"match": {"body": chance.choice(words.frequent)}}], "filter": filters}}}


def _phrase(chance: random.Random, _: Words) -> dict[str, Any]:
    return {
        "query": {
            "match_phrase": {"body": chance.choice(("debian games", "python modules", "shared library", "for the"))}
        }
    }


def _term(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"term": {"section": chance.choice(words.sections)}}}


def _range_sorted(chance: random.Random, _: Words) -> dict[str, Any]:
    low = chance.randint(2010, 2022)
    return {"query": {"range": {"released": {"gte": f"{low}-01-01"}}}, "sort": [{"released": "desc"}]}


def _two_keys(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"match": {"body": chance.choice(words.middle)}}, "sort": [{"section": "asc"}, {"size": "desc"}]}


def _prefix(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"prefix": {"body": chance.choice(words.middle)[:4]}}}


def _fuzzy(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"fuzzy": {"body": {"value": chance.choice(words.middle) + "s", "fuzziness": 1}}}}


def _query_string(chance: random.Random, words: Words) -> dict[str, Any]:
    one, two, three = chance.sample(words.middle, 3)
    return {"query": {"query_string": {"query": f"body:({one} OR {two}) AND NOT title:{three}"}}}


def _terms(chance: random.Random, words: Words) -> dict[str, Any]:
    aggs = {"sections": {"terms": {"field": "section"}, "aggs": {"size": {"avg": {"field": "size"}}}}}
    return {"size": 0, "query": {"match": {"body": chance.choice(words.middle)}}, "aggs": aggs}


def _histogram(chance: random.Random, _: Words) -> dict[str, Any]:
    unit = chance.choice(("month", "quarter", "year"))
    aggs = {
        "over": {
            "date_histogram": {"field": "released", "calendar_interval": unit},
            "aggs": {"b": {"sum": {"field": "size"}}},
        }
    }
    return {"size": 0, "aggs": aggs}


def _percentiles(chance: random.Random, words: Words) -> dict[str, Any]:
    query = {"term": {"section": chance.choice(words.sections)}}
    return {"size": 0, "query": query, "aggs": {"p": {"percentiles": {"field": "size"}}}}


def _cardinality(chance: random.Random, _: Words) -> dict[str, Any]:
    return {"size": 0, "aggs": {"c": {"cardinality": {"field": chance.choice(("depends", "maintainer"))}}}}


def _highlight(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"match": {"body": chance.choice(words.middle)}}, "highlight": {"fields": {"body": {}}}}


def _deep(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"match": {"body": chance.choice(words.frequent)}}, "from": 1000}


def _hundred(chance: random.Random, words: Words) -> dict[str, Any]:
    return {"query": {"match": {"body": chance.choice(words.frequent)}}, "size": 100}


SHAPES: dict[str, Maker] = {
    "match, 1 word": _match(1, "or"),
    "match, 3 words or": _match(3, "or"),
    "match, 3 words and": _match(3, "and"),
    "phrase": _phrase,
    "bool + term + range filter": _filtered,
    "term on a keyword": _term,
    "range on a date, sorted by it": _range_sorted,
    "sort by two keys": _two_keys,
    "prefix": _prefix,
    "fuzzy": _fuzzy,
    "query_string": _query_string,
    "terms + avg": _terms,
    "date_histogram + sum, all documents": _histogram,
    "percentiles over a filter": _percentiles,
    "cardinality, all documents": _cardinality,
    "highlight": _highlight,
    "from 1000": _deep,
    "100 hits with _source": _hundred,
}


def bodies(corpus: Corpus) -> dict[str, list[bytes]]:
    words = Words(corpus)
    chance = random.Random(5)
    return {name: [json.dumps(make(chance, words)).encode() for _ in range(BODIES)] for name, make in SHAPES.items()}
