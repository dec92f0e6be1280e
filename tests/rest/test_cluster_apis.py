"""The cluster's APIs in what clients and dashboards read of them; OpenSearch 3.6.0's answers to the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from quidditch.lib import cgroup
from tests.support.client import Client

MARKS = "cluster.routing.allocation.disk.watermark."


@pytest.fixture(autouse=True)
def _index(client: Client) -> Iterator[None]:
    client.call("DELETE", "/apis-*")
    assert client.call("PUT", "/apis-a", {"settings": {"number_of_shards": 2}}).status == 200
    yield
    client.call("DELETE", "/apis-*")


def reason(client: Client, method: str, path: str, body: Any = None, status: int = 400) -> str:
    answer = client.call(method, path, body)
    assert answer.status == status, answer.data
    return str(answer.json["error"]["reason"])


def test_health_by_awareness_attribute(client: Client) -> None:
    level = "/_cluster/health?level=awareness_attributes"
    assert client.call("GET", level).json["awareness_attributes"] == {}
    assert client.call("GET", f"{level}&awareness_attribute=zone").json["awareness_attributes"] == {"zone": {}}
    (value,) = {node["attributes"]["os"] for node in client.call("GET", "/_nodes").json["nodes"].values()}
    setting = "cluster.routing.allocation.awareness.attributes"
    client.call("PUT", "/_cluster/settings", {"transient": {setting: "os"}})
    numbers = {"active_shards": 2, "initializing_shards": 0, "relocating_shards": 0, "unassigned_shards": -1}
    shown = client.call("GET", level).json["awareness_attributes"]
    client.call("PUT", "/_cluster/settings", {"transient": {setting: None}})
    assert shown == {"os": {value: {**numbers, "data_nodes": 1, "weight": 1.0}}}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?awareness_attribute=zone", "level=awareness_attributes is required with awareness_attribute parameter"),
        ("/apis-a?level=awareness_attributes", "awareness_attribute is not a supported parameter with index health"),
        ("?ensure_node_weighed_in=true", "not a local request to ensure local node commissioned or weighed in"),
        ("?expand_wildcards=foo", "No valid expand wildcard value [foo]"),
        ("?ensure_node_commissioned=true", "contains unrecognized parameter: [ensure_node_commissioned]"),
        ("?wait_for_status=purple", "No enum constant"),
    ],
)
def test_health_refuses(client: Client, query: str, text: str) -> None:
    assert text in reason(client, "GET", f"/_cluster/health{query}")


def test_state_waits_for_a_version(client: Client) -> None:
    path = "/_cluster/state/version?wait_for_metadata_version="
    assert client.call("GET", f"{path}1").json["wait_for_timed_out"] is False
    assert client.call("GET", f"{path}{2**40}&wait_for_timeout=1ms").json["wait_for_timed_out"] is True
    assert "Failed to parse long parameter" in reason(client, "GET", f"{path}abc")


def test_stats_by_metric(client: Client) -> None:
    head = {"_nodes", "cluster_name", "cluster_uuid", "timestamp", "status"}
    some = client.call("GET", "/_cluster/stats/indices,os/docs,shards/nodes/_all").json
    assert set(some) == head | {"indices", "nodes"}
    assert set(some["indices"]) == {"count", "docs", "shards"}
    assert set(some["nodes"]) == {"count", "versions", "os"}
    assert set(client.call("GET", "/_cluster/stats/indices/nodes/_local").json) == head | {"indices"}
    assert set(client.call("GET", "/_cluster/stats/fs/nodes/_local").json) == head | {"nodes"}
    whole = client.call("GET", "/_cluster/stats").json
    assert client.call("GET", "/_cluster/stats/_all/nodes/_all").json["nodes"].keys() == whole["nodes"].keys()
    none = client.call("GET", "/_cluster/stats/nodes/nix").json
    assert (none["_nodes"]["total"], none["nodes"]["versions"], none["nodes"]["jvm"]["versions"]) == (0, [], [])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("_all,os/nodes/_all", "contains _all and individual metrics [_all,os]"),
        ("os,foo,bar/nodes/_all", "contains unrecognized metrics: [bar], [foo]"),
        ("indices/bogus/nodes/_all", "contains unrecognized index metric: [bogus]"),
        ("os/docs/nodes/_all", "contains index metrics [docs] but indices stats not requested"),
    ],
)
def test_stats_refuse(client: Client, path: str, text: str) -> None:
    assert reason(client, "GET", f"/_cluster/stats/{path}") == f"request [/_cluster/stats/{path}] {text}"


@pytest.mark.parametrize(
    ("marks", "text"),
    [
        ({"low": "99%"}, "low disk watermark [99%] more than high disk watermark [90%]"),
        ({"flood_stage": "89%"}, "high disk watermark [90%] more than flood stage disk watermark [89%]"),
        ({"low": "0.99"}, "low disk watermark [0.99] more than high disk watermark [90%]"),
        (
            {"low": "1gb", "high": "2gb", "flood_stage": "500mb"},
            "low disk watermark [1gb] less than high disk watermark [2gb]",
        ),
        (
            {"low": "1gb"},
            f"unable to consistently parse [{MARKS}low=1gb], [{MARKS}high=90%], and [{MARKS}flood_stage=95%] as percentage or bytes",
        ),
    ],
)
def test_watermarks_are_in_order(client: Client, marks: dict[str, str], text: str) -> None:
    body = {"transient": {MARKS + name: value for name, value in marks.items()}}
    assert reason(client, "PUT", "/_cluster/settings", body) == text
    assert client.call("GET", "/_cluster/settings").json["transient"] == {}


def test_a_voting_exclusion_by_path(client: Client) -> None:
    text = "add voting config exclusions request for [nix] matched no cluster-manager-eligible nodes"
    assert reason(client, "POST", "/_cluster/voting_config_exclusions/nix") == text


def test_what_there_is_none_of(client: Client) -> None:
    assert client.call("GET", "/_remote/info").json == {}
    assert client.call("GET", "/_cat/segment_replication?format=json").json == []
    header = client.call("GET", "/_cat/segment_replication?v").data.decode().split()
    assert header[:3] == ["shardId", "target_node", "target_host"]


@pytest.mark.parametrize(
    "path", ["/_nodes/hotthreads", "/_cluster/nodes/hot_threads", "/_cluster/nodes/_local/hotthreads"]
)
def test_old_names_of_hot_threads(client: Client, path: str) -> None:
    answer = client.call("GET", f"{path}?interval=10ms")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=UTF-8")
    assert answer.data.startswith(b":::")


@pytest.mark.parametrize("table", ["nodes", "shards", "allocation", "pending_tasks", "cluster_manager"])
def test_one_timeout_of_a_manager(client: Client, table: str) -> None:
    path = f"/_cat/{table}?master_timeout=1s&cluster_manager_timeout=1s"
    assert reason(client, "GET", path).startswith("Please only use one of the request parameters")


def test_numbers_of_shards_in_a_nodes_stats(client: Client) -> None:
    stats = client.call("GET", "/_nodes/stats/indices?level=shards").json["nodes"]
    (node_id, told) = next(iter(stats.items()))
    assert told["indices"]["get"]["getTime"] == "0s"
    copies = {number: copy for each in told["indices"]["shards"]["apis-a"] for number, copy in each.items()}
    assert set(copies) == {"0", "1"}
    for copy in copies.values():
        routing = {"state": "STARTED", "primary": True, "node": node_id, "relocating_node": None}
        assert copy["routing"] == routing
        assert {"commit", "seq_no", "retention_leases", "shard_path", "docs", "store", "get"} <= set(copy)


def test_metrics_of_what_there_is_not(client: Client) -> None:
    told = next(iter(client.call("GET", "/_nodes/stats/caches,remote_store,process").json["nodes"].values()))
    assert {"process"} == {"process", "caches", "remote_store"} & set(told)


def test_how_often_endpoints_were_called(client: Client) -> None:
    def counts(path: str) -> dict[str, Any]:
        return dict(next(iter(client.call("GET", path).json["nodes"].values())))

    client.call("GET", "/apis-a/_search")
    before = counts("/_nodes/usage")
    assert before["since"] <= before["timestamp"]
    client.call("GET", "/apis-a/_search")
    after = counts("/_nodes/_local/usage/rest_actions")
    key = "GET /{index}/_search"
    assert after["rest_actions"][key] == before["rest_actions"][key] + 1
    assert set(counts("/_nodes/usage/bogus")) == {"timestamp", "since"}


def test_secure_settings_there_are_none(client: Client) -> None:
    told = client.call("POST", "/_nodes/reload_secure_settings").json["nodes"]
    assert [set(each) for each in told.values()] == [{"name"}]
    wrong = client.call("POST", "/_nodes/_local/reload_secure_settings", {"secure_settings_password": "x"}).json
    (each,) = wrong["nodes"].values()
    assert each["reload_exception"]["type"] == "security_exception"


def test_a_block_is_set_once(client: Client) -> None:
    first = client.call("PUT", "/apis-a/_block/write").json
    assert (first["shards_acknowledged"], first["indices"]) == (True, [{"name": "apis-a", "blocked": True}])
    again = client.call("PUT", "/apis-a/_block/write").json
    assert again == {"acknowledged": True, "shards_acknowledged": False, "indices": []}


@pytest.mark.parametrize("path", ["/_open", "/_close"])
def test_nothing_is_opened_or_closed_by_leaving_out_a_name(client: Client, path: str) -> None:
    assert reason(client, "POST", path) == "Validation Failed: 1: index is missing;"
    assert client.call("GET", "/_cat/indices/apis-a?h=status").data == b"open\n"


@pytest.mark.parametrize("kind", ["clone", "shrink", "split"])
def test_resizing_is_refused_by_name(client: Client, kind: str) -> None:
    text = reason(client, "PUT", f"/apis-a/_{kind}/apis-b", {"settings": {}})
    assert text.startswith(f"[{kind}] of [apis-a] to [apis-b] is not supported; ")


def test_the_machine_as_linux_tells_it(client: Client) -> None:
    (told,) = client.call("GET", "/_nodes/stats/os,fs").json["nodes"].values()
    group = cgroup.own()
    assert ("cgroup" in told["os"]) == (group is not None)
    if group is not None:
        assert told["os"]["cgroup"]["memory"]["limit_in_bytes"] == group.memory_limit
        assert set(told["os"]["cgroup"]["cpu"]["stat"]) == {
            "number_of_elapsed_periods",
            "number_of_times_throttled",
            "time_throttled_nanos",
        }
    for device in told["fs"]["io_stats"].get("devices", []):
        assert device["operations"] == device["read_operations"] + device["write_operations"]
