"""k8s mode with real processes: operators on a real API server, data nodes that know nothing of Kubernetes."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import crds
from tests.support.client import Answer, Client
from tests.support.cluster import until
from tests.support.kube import ApiServer
from tests.support.node import free_port
from tests.support.process import Process

QUIDDITCH = Path(sys.executable).parent / "quidditch"
DEPLOY = Path(__file__).parents[2] / "deploy"
LEASE = ("-E", "kubernetes.lease_duration=3s")


class Cluster:
    """Two operators and two data nodes in a namespace of their own."""

    def __init__(self, server: ApiServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.space = f"operator-{uuid.uuid4().hex[:8]}"
        self.processes: dict[str, Process] = {}
        self.http = {name: free_port() for name in ("operator-0", "operator-1", "data-0", "data-1")}
        self.transport = {name: free_port() for name in self.http}
        self.seeds = ",".join(f"127.0.0.1:{self.transport[name]}" for name in ("operator-0", "operator-1"))

    def start(self, name: str) -> None:
        role = name.partition("-")[0]
        own = ("--namespace", self.space, "--kubeconfig", str(self.server.kubeconfig), *LEASE)
        command = [str(QUIDDITCH), role, "--name", name, "--data-dir", str(self.folder / name)]
        command += ["--http-port", str(self.http[name]), "--transport-port", str(self.transport[name])]
        command += ["--seed-hosts", self.seeds, *(own if role == "operator" else ())]
        environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
        self.processes[name] = Process(name, command, self.folder, environment)
        self.processes[name].spawn()

    def kill(self, name: str) -> None:
        self.processes.pop(name).kill()

    def stop(self) -> None:
        for process in self.processes.values():
            process.stop()

    def call(self, method: str, path: str, body: Any = None) -> Answer:
        with Client(f"http://127.0.0.1:{self.http['data-0']}") as client:
            return client.call(method, path, body)

    def kubectl(self, *args: str, input: str | None = None) -> str:
        return self.server.kubectl("-n", self.space, *args, input=input)

    def get(self, kind: str, name: str) -> Any:
        return json.loads(self.kubectl("get", kind, name, "-o", "json"))

    def apply(self, name: str, **spec: Any) -> None:
        tree = {"apiVersion": "quidditch.io/v1", "kind": "QuidditchIndex", "metadata": {"name": name}, "spec": spec}
        self.kubectl("apply", "-f", "-", input=yaml.safe_dump(tree))

    def condition(self, name: str, type: str) -> tuple[str, str, str]:
        status = self.get("qidx", name).get("status", {})
        for each in status.get("conditions", ()):
            if each["type"] == type:
                return each["status"], each["reason"], each["message"]
        return "", "", ""

    def ready(self, name: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", f"qidx/{name}", "--timeout=60s")

    def leader(self) -> str:
        holder = self.get("lease", "quidditch")["spec"].get("holderIdentity") or ""
        port = int(holder.rpartition(":")[2] or 0)
        return next((name for name, own in self.transport.items() if own == port and name in self.processes), "")


def members(cluster: Cluster) -> bool:
    with contextlib.suppress(OSError):
        answer = cluster.call("GET", "/_cat/nodes?format=json")
        return answer.status == 200 and len(answer.json) == 4
    return False


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """With an API server of its own, which is stopped by a test."""
    with ApiServer.temporary() as server:
        crds.install(server)
        made = Cluster(server, tmp_path_factory.mktemp("operator"))
        server.kubectl("create", "namespace", made.space)
        try:
            for name in made.http:
                made.start(name)
            until(lambda: members(made), 60)
            yield made
        finally:
            made.stop()


def settings(cluster: Cluster, name: str) -> dict[str, Any]:
    answer = cluster.call("GET", f"/{name}/_settings")
    return answer.json[name]["settings"]["index"] if answer.status == 200 else {}


def test_an_index_made_over_rest_is_there_for_kubectl(cluster: Cluster) -> None:
    body = {"settings": {"number_of_shards": 2}, "mappings": {"properties": {"a": {"type": "keyword"}}}}
    assert cluster.call("PUT", "/made", body).status == 200
    cluster.ready("made")
    tree = cluster.get("qidx", "made")
    assert (tree["spec"]["shards"], tree["spec"]["replicas"]) == (2, 1)
    assert tree["spec"]["control"]["mappings"] == body["mappings"]
    until(lambda: cluster.get("qidx", "made")["status"]["health"] == "green", 30)
    status = cluster.get("qidx", "made")["status"]
    assert (status["state"], status["replicas"], len(status["shardAllocations"])) == ("ACTIVE", 1, 4)
    assert {each["nodeId"] for each in status["shardAllocations"]} == {"data-0", "data-1"}
    routing = cluster.get("qalloc", "made")["spec"]
    assert [len(shard["inSync"]) for shard in routing["shards"]] == [2, 2]
    assert cluster.call("DELETE", "/made").json == {"acknowledged": True}
    until(lambda: not cluster.kubectl("get", "qidx,qalloc", "-o", "name"), 30)


def test_nodes_are_shown_with_what_they_have(cluster: Cluster) -> None:
    assert cluster.call("PUT", "/held", {"settings": {"number_of_shards": 3, "number_of_replicas": 1}}).status == 200

    def shown() -> bool:
        nodes = json.loads(cluster.kubectl("get", "qnode", "-o", "json"))["items"]
        status = {node["spec"]["name"]: node.get("status", {}) for node in nodes}
        return [status[name].get("allocatedShards") for name in ("data-0", "data-1", "operator-0")] == [3, 3, 0]

    until(shown, 60)
    rows = cluster.kubectl("get", "qnode").splitlines()
    assert rows[0].split() == ["NAME", "NODE", "ROLES", "TIER", "STATE", "SHARDS", "AGE"]
    assert any("data-0" in row and "HEALTHY" in row for row in rows)
    assert cluster.call("DELETE", "/held").status == 200


def test_an_index_made_by_kubectl_is_there_over_rest(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", str(DEPLOY / "examples" / "index.yaml"))
    cluster.ready("products")
    assert settings(cluster, "products")["number_of_shards"] == "10"
    assert settings(cluster, "products")["refresh_interval"] == "1s"
    assert cluster.call("PUT", "/products/_doc/1?refresh=true", {"title": "a ball", "price": 3, "new": 1}).status == 201
    found = cluster.call("POST", "/products/_search", {"query": {"match": {"title": "ball"}}})
    assert [hit["_id"] for hit in found.json["hits"]["hits"]] == ["1"]
    assert "new" in cluster.call("GET", "/products/_mapping").json["products"]["mappings"]["properties"]
    # What was applied is what stands there: nothing for `kubectl diff`, whatever documents added.
    assert cluster.kubectl("diff", "-f", str(DEPLOY / "examples" / "index.yaml")) == ""
    assert "Normal" in cluster.kubectl("events", "--for", "quidditchindex/products")


def test_settings_and_mappings_change_from_either_side(cluster: Cluster) -> None:
    cluster.apply("both", shards=1, replicas=0, mappings={"properties": {"a": {"type": "keyword"}}})
    cluster.ready("both")
    cluster.kubectl("scale", "qidx", "both", "--replicas=1")
    until(lambda: settings(cluster, "both")["number_of_replicas"] == "1", 30)
    assert cluster.call("PUT", "/both/_settings", {"number_of_replicas": 0, "refresh_interval": "7s"}).status == 200
    spec = cluster.get("qidx", "both")["spec"]
    assert (spec["replicas"], spec["settings"]) == (0, {"refresh_interval": "7s"})
    more = {"properties": {"a": {"type": "keyword"}, "b": {"type": "long"}}}
    cluster.apply("both", shards=1, replicas=0, settings={"refresh_interval": "9s"}, mappings=more)
    until(lambda: settings(cluster, "both").get("refresh_interval") == "9s", 30)
    until(lambda: cluster.call("GET", "/both/_mapping").json["both"]["mappings"] == more, 30)
    assert cluster.call("PUT", "/both/_mapping", {"properties": {"c": {"type": "date"}}}).status == 200
    assert set(cluster.get("qidx", "both")["spec"]["control"]["mappings"]["properties"]) == {"a", "b", "c"}


def test_both_sides_are_refused_with_the_same_words(cluster: Cluster) -> None:
    mappings = {"properties": {"x": {"type": "nonsense"}}}
    answer = cluster.call("PUT", "/bad-over-rest", {"mappings": mappings})
    assert answer.status == 400
    cluster.apply("bad", mappings=mappings)
    until(lambda: cluster.condition("bad", "SpecAccepted")[0] == "False", 30)
    status, reason, message = cluster.condition("bad", "Ready")
    assert (status, reason, message) == ("False", "MapperParsing", answer.json["error"]["reason"])
    until(lambda: message in cluster.kubectl("events", "--for", "quidditchindex/bad", "--types=Warning"), 30)
    cluster.apply("bad", mappings={"properties": {"x": {"type": "long"}}})
    cluster.ready("bad")
    cluster.apply("bad", mappings={"properties": {"x": {"type": "keyword"}}})
    until(lambda: cluster.condition("bad", "SpecAccepted")[0] == "False", 30)
    assert cluster.condition("bad", "Ready")[0] == "True"  # what is carried out serves on
    refused = cluster.call("PUT", "/bad/_mapping", {"properties": {"x": {"type": "keyword"}}})
    assert cluster.condition("bad", "SpecAccepted")[2] == refused.json["error"]["reason"]


def test_what_was_refused_is_made_once_it_may_be(cluster: Cluster) -> None:
    def block(value: bool | None) -> None:
        body = {"persistent": {"cluster.blocks.create_index": value}}
        assert cluster.call("PUT", "/_cluster/settings", body).status == 200

    block(True)
    cluster.apply("later", shards=1, replicas=0)
    until(lambda: cluster.condition("later", "SpecAccepted")[:2] == ("False", "IndexCreateBlock"), 30)
    block(None)
    cluster.ready("later")
    assert cluster.condition("later", "SpecAccepted")[0] == "True"


def test_settings_that_make_no_sense_are_no_success(cluster: Cluster) -> None:
    counted = {"number_of_shards": 2, "refresh_interval": "1s"}
    cluster.apply("sense", shards=2, replicas=0, settings=counted)
    cluster.ready("sense")
    cluster.apply("sense", shards=2, replicas=0, settings={**counted, "refresh_interval": "7s"})
    until(lambda: settings(cluster, "sense").get("refresh_interval") == "7s", 30)
    cluster.apply("sense", shards=2, replicas=0, settings={**counted, "refresh_interval": [[1]]})
    until(lambda: cluster.condition("sense", "SpecAccepted")[0] == "False", 30)
    assert settings(cluster, "sense")["refresh_interval"] == "7s"


def test_what_cannot_be_placed_says_why(cluster: Cluster) -> None:
    cluster.apply("wide", shards=1, replicas=5)
    cluster.ready("wide")
    until(lambda: "without a node" in cluster.condition("wide", "Ready")[2], 60)
    until(lambda: cluster.condition("wide", "Stalled")[0] == "True", 60)
    assert cluster.get("qidx", "wide")["status"]["health"] == "yellow"


def test_an_index_deleted_by_kubectl_takes_its_shards_along(cluster: Cluster) -> None:
    cluster.apply("short", shards=2, replicas=1)
    cluster.ready("short")
    cluster.kubectl("delete", "qidx", "short", "--timeout=60s")
    assert cluster.call("GET", "/short").status == 404
    assert "short" not in cluster.kubectl("get", "qalloc", "-o", "name")


def test_the_next_operator_leads_when_the_leader_dies(cluster: Cluster) -> None:
    until(cluster.leader, 30)
    leader = cluster.leader()
    epoch = cluster.get("lease", "quidditch")["metadata"]["annotations"]
    cluster.kill(leader)
    assert cluster.call("PUT", "/after?timeout=60s&cluster_manager_timeout=60s", {}).status == 200
    assert cluster.leader() not in ("", leader)
    assert cluster.get("lease", "quidditch")["metadata"]["annotations"] != epoch
    cluster.ready("after")
    cluster.start(leader)
    until(lambda: members(cluster), 60)


def test_the_state_is_kept_and_fills_another_namespace(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.call("PUT", "/kept", {"aliases": {"known": {}}}).status == 200
    template = {
        "index_patterns": ["log-*"],
        "template": {"settings": {"number_of_shards": 2}},
        "_meta": {"owner": None},
    }
    assert cluster.call("PUT", "/_index_template/logs", template).status == 200

    def state(command: str, *args: str, space: str) -> str:
        own = ("--kubeconfig", str(cluster.server.kubeconfig), "--namespace", space)
        done = subprocess.run(
            [str(QUIDDITCH), "state", command, *args, *own], capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def bare(text: str) -> list[Any]:
        trees = list(yaml.safe_load_all(text))
        for tree in trees:
            for own in ("uid", "resourceVersion", "generation"):
                tree["metadata"].pop(own, None)
        return [tree for tree in trees if tree["kind"] not in ("Cluster", "Routing")]

    before = state("export", space=cluster.space)
    state("backup", "kept.backup", space=cluster.space)
    other = f"{cluster.space}-restored"
    cluster.server.kubectl("create", "namespace", other)
    state("restore", "kept.backup", space=other)
    after = state("export", space=other)
    assert [tree for tree in bare(after) if tree["kind"] != "Node"] == [
        tree for tree in bare(before) if tree["kind"] != "Node"
    ]
    assert "kept" in cluster.server.kubectl("-n", other, "get", "qidx", "-o", "name")


def test_without_the_api_server_documents_are_read_and_written(cluster: Cluster) -> None:
    assert cluster.call("PUT", "/goes-on/_doc/1?refresh=true", {"n": 1}).status == 201
    cluster.server.kill()
    try:
        for number in range(2, 30):
            assert cluster.call("PUT", f"/goes-on/_doc/{number}?refresh=true", {"n": number}).status == 201
            assert cluster.call("GET", "/goes-on/_count").json["count"] == number
        refused = cluster.call("PUT", "/not-now?cluster_manager_timeout=1s", {})
        assert refused.status == 503
    finally:
        cluster.server.start()
    assert cluster.call("PUT", "/now?cluster_manager_timeout=60s", {}).status == 200
    cluster.ready("now")
    assert cluster.call("GET", "/goes-on/_count").json["count"] == 29
