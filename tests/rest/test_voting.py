"""`_cluster/voting_config_exclusions` with one master: the answers of OpenSearch 3.6.0 to the same requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.client import Client

PATH = "/_cluster/voting_config_exclusions"


@pytest.fixture(autouse=True)
def cleared(client: Client) -> Iterator[None]:
    yield
    assert client.call("DELETE", f"{PATH}?wait_for_removal=false").status == 200


def known(client: Client) -> list[dict[str, str]]:
    found = client.call("GET", "/_cluster/state/metadata").json["metadata"]["cluster_coordination"]
    return list(found["voting_config_exclusions"])


def test_names_are_no_wildcards_and_the_answer_is_empty(client: Client) -> None:
    answer = client.call("POST", f"{PATH}?node_names=*,gone")
    assert (answer.status, answer.data) == (200, b"")
    assert known(client) == [
        {"node_id": "_absent_", "node_name": "*"},
        {"node_id": "_absent_", "node_name": "gone"},
    ]
    answer = client.call("DELETE", PATH)
    assert (answer.status, answer.data, known(client)) == (200, b"", [])


def test_the_only_master_stays_a_voter(client: Client) -> None:
    nodes = client.call("GET", "/_nodes").json["nodes"]
    ((id, node),) = nodes.items()
    who = f"{{{node['name']}}}{{{id}}}"
    for parameter, value in (("node_ids", id), ("node_names", node["name"]), ("node_name", "*")):
        answer = client.call("POST", f"{PATH}?{parameter}={value}&timeout=10ms")
        assert (answer.status, answer.json["error"]["type"]) == (500, "timeout_exception")
        reason = f"timed out waiting for voting config exclusions [{who}] to take effect"
        assert answer.json["error"]["reason"] == reason
        assert known(client) == [{"node_id": id, "node_name": node["name"]}]
    assert client.call("PUT", "/voting-still-works").status == 200


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "Please set node identifiers correctly. One and only one of [node_name], [node_names] and [node_ids] has"),
        ("?node_names=", "Please set node identifiers correctly."),
        ("?node_names=a&node_ids=b", "Please set node identifiers correctly."),
        ("?node_name=x", "add voting config exclusions request for [x] matched no cluster-manager-eligible nodes"),
    ],
)
def test_wrong_requests(client: Client, query: str, reason: str) -> None:
    answer = client.call("POST", PATH + query)
    assert (answer.status, answer.json["error"]["type"]) == (400, "illegal_argument_exception")
    assert answer.json["error"]["reason"].startswith(reason)
