"""A corpus and queries made from a seed: the same everywhere, so that a real OpenSearch's answers can be kept."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

DOCUMENTS = 3000
INDEX_BODY: dict[str, Any] = {
    "settings": {"number_of_shards": 1, "number_of_replicas": 0},
    "mappings": {
        "properties": {
            "title": {"type": "text"},
            "body": {"type": "text"},
            "english": {"type": "text", "analyzer": "english"},
            "tags": {"type": "keyword"},
            "year": {"type": "integer"},
            "rating": {"type": "double"},
            "published": {"type": "date"},
        }
    },
}
_SYLLABLES = "ba ce di fo gu ka le mi no pu ra se ti vo zu lan mer tor vin sol bri dra".split()
_ENGLISH = (
    "running runs runner searching searched indexes indexing nodes node replicas quickly connection connected".split()
)


def _vocabulary(chance: random.Random) -> list[str]:
    words: dict[str, None] = {}
    while len(words) < 1500:
        words["".join(chance.choices(_SYLLABLES, k=chance.choice((1, 2, 2, 3))))] = None
    return list(words)


class Corpus:
    """Documents with a Zipf-like vocabulary, numbers, dates and keywords."""

    def __init__(self, seed: int = 7) -> None:
        self._chance = random.Random(seed)
        self.words = _vocabulary(self._chance)
        self._weights = [1.0 / (rank + 3) for rank in range(len(self.words))]
        self.documents = [self._document(number) for number in range(DOCUMENTS)]

    def text(self, low: int, high: int) -> str:
        return " ".join(self._chance.choices(self.words, self._weights, k=self._chance.randint(low, high)))

    def _date(self) -> str:
        chance = self._chance
        year, month, day = chance.randint(10, 25), chance.randint(1, 12), chance.randint(1, 28)
        return f"20{year}-{month:02}-{day:02}T0{chance.randint(0, 9)}:00:00Z"

    def _document(self, number: int) -> dict[str, Any]:
        chance = self._chance
        document: dict[str, Any] = {
            "title": self.text(1, 8),
            "body": self.text(5, 120),
            "tags": sorted(set(chance.choices(self.words[:40], k=chance.randint(1, 4)))),
            "year": 1980 + chance.randint(0, 45),
            "rating": round(chance.uniform(0, 10), 2),
            "published": self._date(),
        }
        if number % 3 == 0:
            document["english"] = " ".join([*chance.choices(_ENGLISH, k=3), self.text(2, 10)])
        return document

    def bulk(self, index: str) -> bytes:
        lines = []
        for number, document in enumerate(self.documents):
            lines.append(json.dumps({"index": {"_index": index, "_id": str(number)}}))
            lines.append(json.dumps(document))
        return ("\n".join(lines) + "\n").encode()


def queries(corpus: Corpus, seed: int = 11) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, search body without size): eighteen shapes, many of each."""
    chance = random.Random(seed)

    def word() -> str:
        return chance.choices(corpus.words, [1.0 / (rank + 30) for rank in range(len(corpus.words))])[0]

    def words(count: int) -> str:
        return " ".join(word() for _ in range(count))

    def phrase(field: str, count: int) -> str:
        tokens = corpus.documents[chance.randrange(DOCUMENTS)][field].split()
        at = chance.randrange(max(1, len(tokens) - count))
        return " ".join(tokens[at : at + count])

    for number in range(16):
        yield f"match-1-{number}", {"match": {"body": word()}}
        yield f"match-or-{number}", {"match": {"body": words(3)}}
        yield f"match-and-{number}", {"match": {"body": {"query": words(2), "operator": "and"}}}
        yield f"match-msm-{number}", {"match": {"body": {"query": words(4), "minimum_should_match": "50%"}}}
        yield f"title-{number}", {"match": {"title": words(2)}}
        yield f"english-{number}", {"match": {"english": chance.choice(_ENGLISH) + " " + word()}}
        yield f"phrase-{number}", {"match_phrase": {"body": phrase("body", 2)}}
        yield f"slop-{number}", {"match_phrase": {"body": {"query": phrase("body", 3), "slop": chance.randint(1, 4)}}}
        yield f"best-{number}", {"multi_match": {"query": words(2), "fields": ["title^2", "body"], "tie_breaker": 0.3}}
        yield (
            f"most-{number}",
            {"multi_match": {"query": words(2), "fields": ["title", "body^1.5"], "type": "most_fields"}},
        )
        yield f"term-{number}", {"term": {"tags": corpus.words[chance.randrange(40)]}}
        yield (
            f"bool-{number}",
            {
                "bool": {
                    "must": [{"match": {"body": word()}}],
                    "should": [{"match": {"title": word()}}, {"term": {"tags": corpus.words[chance.randrange(40)]}}],
                    "filter": [{"range": {"year": {"gte": 1990, "lt": 2020}}}],
                    "must_not": [{"match": {"body": word()}}],
                }
            },
        )
        yield f"dis-max-{number}", {"dis_max": {"queries": [{"match": {"title": word()}}, {"match": {"body": word()}}]}}
        yield f"prefix-{number}", {"match_phrase_prefix": {"body": phrase("body", 2)[:-1]}}
        yield (
            f"function-{number}",
            {
                "function_score": {
                    "query": {"match": {"body": words(2)}},
                    "functions": [
                        {"field_value_factor": {"field": "rating", "modifier": "log1p", "factor": 1.2}},
                        {"gauss": {"year": {"origin": 2000, "scale": 10, "offset": 2}}},
                        {"filter": {"range": {"year": {"gte": 2010}}}, "weight": 2},
                    ],
                    "score_mode": "sum",
                }
            },
        )
        yield f"string-{number}", {"query_string": {"query": f"body:{word()} AND (title:{word()} OR body:{word()}^2)"}}
        yield f"simple-{number}", {"simple_query_string": {"query": f"{word()} +{word()}", "fields": ["body", "title"]}}
        yield (
            f"boosting-{number}",
            {
                "boosting": {
                    "positive": {"match": {"body": word()}},
                    "negative": {"match": {"body": word()}},
                    "negative_boost": 0.4,
                }
            },
        )
    for number in range(8):
        yield (
            f"cross-{number}",
            {
                "multi_match": {
                    "query": words(2),
                    "fields": ["title", "body"],
                    "type": "cross_fields",
                    "operator": "and",
                }
            },
        )
        yield f"fuzzy-{number}", {"match": {"body": {"query": word() + "x", "fuzziness": "AUTO"}}}
