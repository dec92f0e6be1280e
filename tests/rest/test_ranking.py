"""Rankings and scores agree with OpenSearch's, recorded from a real node by tools/record_rankings.py."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpus import INDEX_BODY, Corpus, queries
from tests.support.node import Node

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "data/rankings.json").read_text())
CORPUS = Corpus()
QUERIES = dict(queries(CORPUS))
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def connection() -> Iterator[http.client.HTTPConnection]:
    with ExitStack() as stack:
        node = stack.enter_context(Node.temporary())
        connection = http.client.HTTPConnection("127.0.0.1", node.port)
        stack.callback(connection.close)
        call(connection, "PUT", "/ranking", json.dumps(INDEX_BODY).encode())
        answer = call(connection, "POST", "/_bulk?refresh=true", CORPUS.bulk("ranking"))
        assert not answer["errors"], next(item for item in answer["items"] if "error" in item["index"])
        call(connection, "POST", "/ranking/_forcemerge?max_num_segments=1")
        yield connection


def call(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Any:
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    answer = json.loads(response.read())
    assert response.status < 300, answer
    return answer


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_top_ten_and_scores_are_those_of_opensearch(name: str, connection: http.client.HTTPConnection) -> None:
    total, expected = RECORDED[name]
    body = json.dumps({"query": QUERIES[name], "size": 10, "_source": False}).encode()
    hits = call(connection, "POST", "/ranking/_search", body)["hits"]
    actual = [(hit["_id"], hit["_score"]) for hit in hits["hits"]]
    assert hits["total"]["value"] == total
    assert [score for _, score in actual] == pytest.approx([score for _, score in expected], rel=TOLERANCE)
    assert [id for id, _ in actual] == [id for id, _ in expected]
