"""The definitions on a real API server: what it takes, shows, refuses, and gives back as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from quidditch.controlplane.core.names import check_index_name
from quidditch.model import codec
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index, Metadata, NamedSpec, Node, NodeSpec, NodeStatus, Pipeline
from quidditch.operator.crd_cluster import ClusterSpec
from quidditch.store.kubernetes.resources import STORED, from_resource, to_resource
from tests.support.kube import ApiServer
from tests.unit.model.test_formats import FOLDER as FORMATS

DEPLOY = Path(__file__).parents[2] / "deploy"
SPACE = "crds-test"


@pytest.fixture(scope="module")
def server(kube_crds: ApiServer) -> Iterator[ApiServer]:
    kube_crds.kubectl("create", "namespace", SPACE)
    yield kube_crds
    kube_crds.kubectl("delete", "namespace", SPACE, "--wait=false")


def read(server: ApiServer, *args: str) -> Any:
    return json.loads(server.kubectl("-n", SPACE, *args, "-o", "json"))


def applied(server: ApiServer, tree: dict[str, Any], *args: str) -> str:
    return server.kubectl("-n", SPACE, "apply", "-f", "-", *args, input=yaml.safe_dump(tree))


def refused(server: ApiServer, tree: dict[str, Any]) -> str:
    result = server.run_kubectl("-n", SPACE, "apply", "-f", "-", input=yaml.safe_dump(tree))
    assert result.returncode != 0, result.stdout
    return result.stderr


def index(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "quidditch.io/v1", "kind": "QuidditchIndex", "metadata": {"name": name}, "spec": spec}


def test_all_definitions_are_structural(server: ApiServer) -> None:
    found = read(server, "get", "crd")["items"]
    assert {each["spec"]["names"]["kind"] for each in found} >= {each.kind for each in STORED} | {"QuidditchCluster"}
    for each in found:
        conditions = {condition["type"]: condition["status"] for condition in each["status"]["conditions"]}
        assert conditions.get("NonStructuralSchema", "False") == "False", each["metadata"]["name"]
        assert conditions["NamesAccepted"] == "True"


@pytest.mark.parametrize("file", sorted(path.name for path in FORMATS.iterdir()))
def test_no_object_loses_anything_on_the_way(server: ApiServer, file: str) -> None:
    obj = codec.decode((FORMATS / file).read_bytes())
    tree = to_resource(obj, SPACE)
    tree["metadata"].pop("finalizers", None)
    tree["metadata"].pop("uid", None)
    made = json.loads(server.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(tree)))
    assert made["spec"] == json.loads(json.dumps(tree["spec"]))
    back = from_resource(made)
    assert back.spec == obj.spec
    if not isinstance(obj, Index):
        assert getattr(back, "status", None) == getattr(obj, "status", None)


@pytest.mark.parametrize(
    "word", [2**64 - 1, 1.0, 1e300, 0.1, -(2**63), None, "", "\u2028<>&\U0001f600", {"": []}], ids=repr
)
def test_words_of_users_come_back_as_they_were(server: ApiServer, word: Any) -> None:
    """Go's JSON has other numbers than Python's."""
    base = codec.decode((FORMATS / "v1-index.json").read_bytes())
    assert isinstance(base, Index)
    meta = Metadata(name="word")
    mapping = {"_meta": {"word": word, "words": [word, {"word": word}]}}
    pipeline = Pipeline(metadata=meta, spec=NamedSpec(name="word", body={"word": word, "words": [word]}))
    for obj in (replace(base, metadata=meta, spec=replace(base.spec, mappings=mapping)), pipeline):
        made = server.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(to_resource(obj, SPACE)))
        server.kubectl("-n", SPACE, "delete", "-f", "-", input=made)
        assert repr(from_resource(json.loads(made)).spec) == repr(obj.spec)


def grown(tree: Any) -> Any:
    """As a newer version might write it: each object has a member more, each word of capitals is another."""
    if isinstance(tree, dict):
        return {**{key: grown(value) for key, value in tree.items()}, "newer": {"a": 1}}
    if isinstance(tree, list):
        return [grown(each) for each in tree]
    return "NEWER" if isinstance(tree, str) and tree.isupper() else tree


@pytest.mark.parametrize("file", ["v1-index.json", "v1-node.json", "v1-routing.json", "v1-alias.json"])
def test_what_a_newer_version_adds_is_kept(server: ApiServer, file: str) -> None:
    tree = json.loads(json.dumps(to_resource(codec.decode((FORMATS / file).read_bytes()), SPACE)))
    tree["metadata"] = {"name": "newer", "namespace": SPACE}
    own = "control" if "control" in tree["spec"] else None
    tree["spec"] = {**tree["spec"], own: grown(tree["spec"][own])} if own else grown(tree["spec"])
    if "attributes" in tree["spec"]:
        del tree["spec"]["attributes"]["newer"]
    made = json.loads(server.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(tree)))
    assert made["spec"] == tree["spec"]


def test_kubectl_shows_what_people_look_for(server: ApiServer) -> None:
    applied(server, index("shown", shards=3, replicas=1))
    patch = json.dumps({"status": {"state": "ACTIVE", "health": "green", "shards": 3, "replicas": 1}})
    server.kubectl("-n", SPACE, "patch", "qidx", "shown", "--type=merge", "--subresource=status", "-p", patch)
    head, row = server.kubectl("-n", SPACE, "get", "quidditchindex", "shown").splitlines()
    assert head.split() == ["NAME", "SHARDS", "STATE", "HEALTH", "AGE"]
    assert row.split()[:4] == ["shown", "3", "ACTIVE", "green"]
    wide = server.kubectl("-n", SPACE, "get", "qidx", "shown", "-o", "wide").splitlines()[0].split()
    assert wide == ["NAME", "SHARDS", "STATE", "HEALTH", "READY", "REPLICAS", "AVAILABLE", "UUID", "AGE"]
    assert "quidditchindex.quidditch.io/shown" in server.kubectl("-n", SPACE, "get", "quidditch", "-o", "name")


def test_a_text_explains_each_field(server: ApiServer) -> None:
    for kind in ("qc", "qidx", "qnode", "qalloc", "qrec"):
        told = server.kubectl("explain", kind, "--recursive")
        assert "spec" in told
        assert "<no description>" not in server.kubectl("explain", f"{kind}.spec")
    assert "cannot be changed" in server.kubectl("explain", "qidx.spec.shards")


def test_the_number_of_shards_stays(server: ApiServer) -> None:
    applied(server, index("stays", shards=3))
    assert "the number of shards cannot be changed; reindex into an index with another" in refused(
        server, index("stays", shards=5)
    )
    applied(server, index("stays", shards=3, replicas=2))


def patched(server: ApiServer, name: str, patch: Any, *, status: bool = False) -> str:
    """What the API server says against it, if anything."""
    args = ["--subresource=status"] if status else []
    args += ["--type=merge", "-p", json.dumps(patch)]
    return server.run_kubectl("-n", SPACE, "patch", "qidx", name, *args).stderr


def test_the_number_of_shards_is_not_changed_by_taking_it_out_first(server: ApiServer) -> None:
    applied(server, index("around", shards=3))
    assert patched(server, "around", {"status": {"shards": 3}}, status=True) == ""
    assert patched(server, "around", {"spec": {"shards": None}}) == ""
    assert "spec.shards" in patched(server, "around", {"spec": {"shards": 5}})
    assert patched(server, "around", {"spec": {"shards": 3}}) == ""


def test_the_control_plane_may_always_write_the_number_that_there_is(server: ApiServer) -> None:
    applied(server, index("corrected"))
    assert patched(server, "corrected", {"spec": {"shards": 5}}) == ""
    assert patched(server, "corrected", {"status": {"shards": 3}}, status=True) == ""
    assert patched(server, "corrected", {"status": {"replicas": 1}}, status=True) == ""
    assert patched(server, "corrected", {"spec": {"shards": 3}}) == ""


@pytest.mark.parametrize(
    "name", ["Products", "_products", "-products", "+p", "a b", 'a"b', "a*", "a\\b", "a|b", "a?", "a#", "a:b", "a,b"]
)
def test_a_bad_name_is_refused_with_the_words_of_rest(server: ApiServer, name: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_index_name(name)
    # The path of kubectl's first look at what is there would not hold some of these names.
    told = server.run_kubectl("-n", SPACE, "create", "-f", "-", input=json.dumps(index(name)))
    assert told.returncode != 0
    assert caught.value.reason in told.stderr


def test_volumes_only_grow(server: ApiServer) -> None:
    def of(size: str) -> dict[str, Any]:
        return cluster("grows", nodePools=[pool(storage={"size": size})])

    applied(server, of("1000Mi"))
    applied(server, of("1Gi"))
    assert "a volume cannot shrink" in refused(server, of("1000Mi"))
    for size in ("big", "0", "-1Gi"):
        assert "must be a size, such as 100Gi" in refused(server, of(size))


def test_nodes_show_how_the_control_plane_finds_them(server: ApiServer) -> None:
    spec = NodeSpec(id="N1", name="one", roles=("data",))
    sick = NodeStatus(health="UNHEALTHY", reason="gone")
    for node in (
        Node(metadata=Metadata(name="well"), spec=spec),
        Node(metadata=Metadata(name="sick"), spec=spec, status=sick),
    ):
        server.kubectl("create", "-f", "-", input=json.dumps(to_resource(node, SPACE)))
    for name, status in (("well", {"allocatedShards": 8, "tier": "hot"}), ("sick", {"tier": "hot"})):
        patch = json.dumps({"status": status})
        server.kubectl("-n", SPACE, "patch", "qnode", name, "--type=merge", "--subresource=status", "-p", patch)
    head, well, sick_row = server.kubectl("-n", SPACE, "get", "qnode", "well", "sick").splitlines()
    assert head.split() == ["NAME", "NODE", "ROLES", "TIER", "STATE", "SHARDS", "AGE"]
    assert well.split()[:-1] == ["well", "one", '["data"]', "hot", "HEALTHY", "8"]
    assert sick_row.split()[:-1] == ["sick", "one", '["data"]', "hot", "UNHEALTHY"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ({"shards": 0}, "spec.shards"),
        ({"shards": 1025}, "spec.shards"),
        ({"replicas": -1}, "spec.replicas"),
        ({"settings": "fast"}, "spec.settings"),
        ({"shard": 1}, 'unknown field "spec.shard"'),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(server: ApiServer, spec: dict[str, Any], named: str) -> None:
    assert named in refused(server, index("nonsense", **spec))


def test_what_the_control_plane_carries_out_cannot_be_taken_out(server: ApiServer) -> None:
    applied(server, index("kept", shards=1, control={"uuid": "u", "name": "kept"}))
    patch = json.dumps([{"op": "remove", "path": "/spec/control"}])
    result = server.run_kubectl("-n", SPACE, "patch", "qidx", "kept", "--type=json", "-p", patch)
    assert "spec.control is the control plane's and cannot be taken out" in result.stderr


def test_an_index_is_scaled(server: ApiServer) -> None:
    applied(server, index("scaled", shards=1, replicas=1))
    server.kubectl("-n", SPACE, "scale", "qidx", "scaled", "--replicas=4")
    assert read(server, "get", "qidx", "scaled")["spec"]["replicas"] == 4


@pytest.mark.parametrize("file", sorted(path.name for path in (DEPLOY / "examples").iterdir()))
def test_the_examples_are_good(server: ApiServer, file: str) -> None:
    told = server.kubectl("-n", SPACE, "apply", "--dry-run=server", "-f", str(DEPLOY / "examples" / file))
    assert "created (server dry run)" in told


def cluster(name: str = "c", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "quidditch.io/v1", "kind": "QuidditchCluster", "metadata": {"name": name}, "spec": spec}


def pool(name: str = "hot", **fields: Any) -> dict[str, Any]:
    return {"name": name, "replicas": 1, **fields}


@pytest.mark.parametrize(
    ("tree", "named"),
    [
        (cluster(), "spec.nodePools"),
        (cluster(nodePools=[]), "spec.nodePools"),
        (cluster(nodePools=[pool("Hot")]), "spec.nodePools[0].name"),
        (cluster(nodePools=[pool(), pool()]), 'Duplicate value: {"name":"hot"}'),
        (cluster(nodePools=[pool(replicas=-1)]), "spec.nodePools[0].replicas"),
        (cluster(nodePools=[pool(roles=["datum"])]), 'Unsupported value: "datum"'),
        (cluster(nodePools=[pool(roles=["ingest"])]), "no pool has the role data"),
        (cluster(nodePools=[pool(tier="lukewarm")]), 'Unsupported value: "lukewarm"'),
        (cluster(nodePools=[pool(resources={"cpu": {"a": "1"}})]), "has requests and limits, nothing else"),
        (cluster(nodePools=[pool(resources={"limits": {"cpu": 1.5}})]), "spec.nodePools[0].resources.limits.cpu"),
        (cluster(nodePools=[pool()], controlPlane={"mode": "paxos"}), 'Unsupported value: "paxos"'),
        (cluster(nodePools=[pool()], controlPlane={"masters": 2}), "Unsupported value: 2"),
        (cluster(nodePools=[pool()], updateStrategy={"maxUnavailable": 0}), "spec.updateStrategy.maxUnavailable"),
        (cluster("a.b", nodePools=[pool()]), "the name must begin with a letter"),
        (cluster("c" * 30, nodePools=[pool("p" * 16)]), "more than 45 characters together"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cluster_that_cannot_be_is_refused_by_name(server: ApiServer, tree: dict[str, Any], named: str) -> None:
    assert named in refused(server, tree)


def test_a_cluster_with_everything_is_taken_and_kept(server: ApiServer) -> None:
    made = pool(
        roles=["data", "ingest"],
        tier="hot",
        zones=["a", "b"],
        storage={"size": "1.5Ti", "storageClassName": "fast"},
        resources={"requests": {"cpu": 2, "memory": "4Gi"}, "limits": {"memory": "4Gi"}},
        nodeSelector={"disk": "ssd"},
        tolerations=[{"key": "search", "operator": "Exists", "tolerationSeconds": 30}],
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
        settings={"thread_pool.search.size": "8"},
    )
    spec = {
        "version": "1.2.3",
        "image": "registry.example/quidditch:1.2.3",
        "nodePools": [made, pool("warm", roles=["data"])],
        "coordinators": {"replicas": 2, "resources": {"limits": {"cpu": "500m"}}},
        "controlPlane": {"mode": "k8s", "masters": 3},
        "settings": {"action.destructive_requires_name": "true"},
        "tls": {"httpSecret": "http", "transportSecret": "transport"},
        "usersSecret": "users",
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "updateStrategy": {"maxUnavailable": 2},
        "zoneAwareness": {"topologyKey": "zone", "zones": ["a", "b"]},
        "volumeClaimPolicy": "Delete",
        "deletionProtection": True,
        "paused": False,
    }
    assert set(spec) == {field.encode_name for field in msgspec.structs.fields(ClusterSpec)}
    applied(server, cluster("everything", **spec))
    assert read(server, "get", "qc", "everything")["spec"] == spec
