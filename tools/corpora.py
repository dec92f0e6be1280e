"""Corpora of this machine for tools/rankings.py: documentation of Python, and descriptions and messages of programs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quidditch.cli.demo import documents, sources
from tools.analyzers import messages

SETTINGS: dict[str, Any] = {
    "number_of_replicas": 0,
    "refresh_interval": -1,
    "max_ngram_diff": 3,
    "analysis": {
        "filter": {
            "alike": {
                "type": "synonym",
                "synonyms": ["file, document", "fast, quick, rapid", "error => fault", "return, give back"],
            },
            "beginnings": {"type": "edge_ngram", "min_gram": 2, "max_gram": 6},
            "pieces": {"type": "word_delimiter_graph", "preserve_original": True, "catenate_all": True},
            "pairs": {"type": "shingle"},
        },
        "analyzer": {
            "alike": {"tokenizer": "standard", "filter": ["lowercase", "alike"]},
            "beginnings": {"tokenizer": "standard", "filter": ["lowercase", "beginnings"]},
            "pieces": {"tokenizer": "whitespace", "filter": ["pieces", "lowercase"]},
            "pairs": {"tokenizer": "standard", "filter": ["lowercase", "pairs"]},
            "grams": {"tokenizer": "thirds", "filter": ["lowercase"]},
        },
        "tokenizer": {"thirds": {"type": "ngram", "min_gram": 3, "max_gram": 4, "token_chars": ["letter"]}},
    },
}
MAPPINGS: dict[str, Any] = {
    "properties": {
        "title": {
            "type": "text",
            "fields": {"begin": {"type": "text", "analyzer": "beginnings", "search_analyzer": "standard"}},
        },
        "body": {
            "type": "text",
            "fields": {
                "en": {"type": "text", "analyzer": "english"},
                "alike": {"type": "text", "analyzer": "alike"},
                "pieces": {"type": "text", "analyzer": "pieces"},
                "pairs": {"type": "text", "analyzer": "pairs"},
                "grams": {"type": "text", "analyzer": "grams"},
                "docs": {"type": "text", "index_options": "docs"},
                "plain": {"type": "text", "norms": False},
            },
        },
        "kind": {"type": "keyword"},
        "flag": {"type": "boolean"},
        "size": {"type": "integer"},
        "weight": {"type": "double"},
        "sparse": {"type": "float"},
        "day": {"type": "date"},
        "parts": {"type": "nested", "properties": {"name": {"type": "text"}, "rank": {"type": "integer"}}},
    }
}
TEXTS = [
    "title",
    "body",
    "body.en",
    "body.alike",
    "body.pieces",
    "body.pairs",
    "body.grams",
    "body.docs",
    "body.plain",
    "title.begin",
]


def _complete(number: int, title: str, body: str | list[str], kind: str) -> dict[str, Any]:
    """The members that every corpus has, of numbers that follow from the document's."""
    chance = random.Random(number)
    document: dict[str, Any] = {
        "title": title,
        "body": body,
        "kind": kind,
        "flag": chance.random() < 0.4,
        "size": chance.randint(0, 100),
        "weight": round(chance.uniform(0.1, 50), 3),
        "day": f"20{chance.randint(10, 25)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "parts": [
            {"name": " ".join(chance.sample(title.split() or ["none"], 1)), "rank": chance.randint(1, 9)}
            for _ in range(number % 3)
        ],
    }
    if number % 4 == 0:
        document["sparse"] = round(chance.uniform(0, 5), 2)
    return document


def docstrings(count: int) -> Iterator[dict[str, Any]]:
    """Modules, classes and functions of the standard library with their documentation."""
    number = 0
    for file in sorted(sources()):
        for _, found in documents(file):
            paragraphs = [part for part in found["doc"].split("\n\n") if part.strip()]
            body: str | list[str] = paragraphs if number % 5 == 0 and len(paragraphs) > 1 else found["doc"]
            yield _complete(number, found["name"].replace(".", " "), body, found["kind"])
            number += 1
            if number >= count:
                return


def packages(count: int) -> Iterator[dict[str, Any]]:
    """Installed Debian packages with their descriptions, filled up with program messages in a few languages."""
    number = 0
    for block in Path("/var/lib/dpkg/status").read_text(errors="replace").split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(" "))
        start = block.find("\nDescription: ")
        if start < 0 or number >= count:
            continue
        yield _complete(
            number,
            lines.get("Package", ""),
            block[start + 14 :].replace("\n .\n", "\n\n"),
            lines.get("Section", "none"),
        )
        number += 1
    for locale in ("de", "fr", "es", "ru", "ja"):
        texts = messages(locale)
        for at in range(0, min(len(texts) - 3, count // 6 * 3), 3):
            if number < count:
                yield _complete(number, texts[at][:60], "\n".join(texts[at : at + 3]), locale)
                number += 1


CORPORA = {"docstrings": docstrings, "packages": packages}
