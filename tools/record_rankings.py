"""Records what a real OpenSearch answers to the queries of tests/support/corpus.py (argument: its URL).

The answers are kept in tests/rest/data/rankings.json; tests/rest/test_ranking.py holds Quidditch to them.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.support.corpus import INDEX_BODY, Corpus, queries

TARGET = Path(__file__).parent.parent / "tests/rest/data/rankings.json"
INDEX = "ranking"


def call(url: str, method: str, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(url + path, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read())


def main(url: str) -> None:
    corpus = Corpus()
    call(url, "PUT", f"/{INDEX}", json.dumps(INDEX_BODY).encode())
    try:
        call(url, "POST", "/_bulk?refresh=true", corpus.bulk(INDEX))
        call(url, "POST", f"/{INDEX}/_forcemerge?max_num_segments=1")
        call(url, "POST", f"/{INDEX}/_refresh")
        recorded = {}
        for name, query in queries(corpus):
            body = json.dumps({"query": query, "size": 10, "_source": False}).encode()
            hits = call(url, "POST", f"/{INDEX}/_search?request_cache=false", body)["hits"]
            recorded[name] = [hits["total"]["value"], [[hit["_id"], hit["_score"]] for hit in hits["hits"]]]
        lines = ",\n".join(
            f"{json.dumps(name)}:{json.dumps(answer, separators=(',', ':'))}" for name, answer in recorded.items()
        )
        TARGET.write_text(f"{{\n{lines}\n}}\n")
    finally:
        call(url, "DELETE", f"/{INDEX}")


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"))
