"""The real controllers and the scheduler over our kubelet."""

from __future__ import annotations

import json

import pytest
from tools.kube.running import Running

from tests.kube.support import Namespace, Thing, claim, fetch, pod, until, web

pytestmark = pytest.mark.slow


def _uids(namespace: Namespace, app: str) -> dict[str, str]:
    """By name, of the pods that are not being deleted."""
    listing = json.loads(namespace("get", "pods", "-l", f"app={app}", "-o", "json"))["items"]
    return {
        each["metadata"]["name"]: each["metadata"]["uid"]
        for each in listing
        if "deletionTimestamp" not in each["metadata"]
    }


def _condition(thing: Thing, kind: str) -> str:
    return next((each["status"] for each in thing.get("status", {}).get("conditions", []) if each["type"] == kind), "")


def test_a_stateful_set_keeps_its_names_and_volumes(namespace: Namespace, kube: Running) -> None:
    things = web("StatefulSet", "web", 3, volumeClaimTemplates=[claim("data")])
    container = things[1]["spec"]["template"]["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    container["lifecycle"] = {"postStart": {"exec": {"command": ["sh", "-c", "hostname >> /data/starts"]}}}
    namespace.apply(*things)
    namespace("rollout", "status", "statefulset/web", "--timeout=90s")
    before = _uids(namespace, "web")
    assert sorted(before) == ["web-0", "web-1", "web-2"]
    namespace("delete", "pod", "web-1")
    until(lambda: _uids(namespace, "web").get("web-1", before["web-1"]) != before["web-1"], "another web-1")
    namespace("wait", "--for=condition=Ready", "pod/web-1", "--timeout=60s")
    volume = namespace.get("pvc", "data-web-1")["spec"]["volumeName"]
    folder = json.loads(kube.kubectl("get", "pv", volume, "-o", "json"))["spec"]["local"]["path"]
    with open(f"{folder}/starts") as starts:
        assert starts.read().split() == ["web-1", "web-1"]
    # Within the cluster the pod has its name again.
    script = "import urllib.request; print(urllib.request.urlopen('http://web-1.web/').status)"
    script = script.replace("web-1.web/", "web-1.web:8080/")
    namespace.apply(pod("asking", "python", "-c", script, restartPolicy="Never"))
    assert namespace.ended("asking") == "Succeeded", namespace.log("asking")

    namespace("patch", "pvc", "data-web-1", "-p", '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}')
    until(lambda: namespace.get("pvc", "data-web-1")["status"]["capacity"]["storage"] == "2Gi", "a grown volume")
    namespace("delete", "statefulset", "web")
    namespace("delete", "pvc", "--all")
    until(lambda: kube.run_kubectl("get", "pv", volume).returncode != 0, "the volume is gone")


def test_a_rolling_update_replaces_pods_one_by_one(namespace: Namespace) -> None:
    namespace.apply(*web("StatefulSet", "web", 3))
    namespace("rollout", "status", "statefulset/web", "--timeout=90s")
    before = _uids(namespace, "web")
    namespace("set", "env", "statefulset/web", "ANSWER=new")
    seen: list[tuple[bool, ...]] = []

    def done() -> bool:
        now = _uids(namespace, "web")
        if len(now) == 3:
            seen.append(tuple(now[name] != before[name] for name in sorted(before)))
        return bool(seen) and all(seen[-1])

    until(done, "all pods are new")
    namespace("rollout", "status", "statefulset/web", "--timeout=90s")
    # From the last to the first.
    assert set(seen) <= {(False, False, False), (False, False, True), (False, True, True), (True, True, True)}
    assert fetch(namespace.pod("web-0")["podIP"], 8080) == "new"


def test_a_service_spreads_over_the_pods_of_a_deployment(namespace: Namespace) -> None:
    namespace.apply(*web("Deployment", "front", 3))
    namespace("rollout", "status", "deployment/front", "--timeout=90s")
    address = namespace.get("service", "front")["spec"]["clusterIP"]
    pods = set(_uids(namespace, "front"))
    answered: set[str] = set()
    until(lambda: answered.add(fetch(address)) or pods <= answered, "an answer of each")  # type: ignore[func-returns-value]
    namespace("scale", "deployment/front", "--replicas=1")
    until(lambda: len(_uids(namespace, "front")) == 1, "one is left")
    (left,) = _uids(namespace, "front")
    until(lambda: {fetch(address) for _ in range(10)} == {left}, "only the one that is left answers")


def test_a_disruption_budget_blocks_evictions(namespace: Namespace) -> None:
    budget = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}
    made = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": budget}
    namespace.apply(*web("StatefulSet", "web", 2), made)
    namespace("rollout", "status", "statefulset/web", "--timeout=90s")
    until(lambda: namespace.get("pdb", "web").get("status", {}).get("currentHealthy") == 2, "a counted budget")
    path = f"/api/v1/namespaces/{namespace.name}/pods/web-0/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web-0", "namespace": namespace.name}}
    evicted = namespace.run("create", "--raw", path, "-f", "-", input=json.dumps(body))
    assert evicted.returncode != 0
    assert "violate the pod's disruption budget" in evicted.stderr
    namespace("patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
    until(lambda: namespace.get("pdb", "web")["status"].get("disruptionsAllowed") == 1, "a lower budget")
    before = _uids(namespace, "web")["web-0"]
    namespace("create", "--raw", path, "-f", "-", input=json.dumps(body))
    until(lambda: _uids(namespace, "web").get("web-0", before) != before, "it was evicted")


def test_a_job_runs_to_its_end(namespace: Namespace) -> None:
    template = {
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [{"name": "main", "image": "busybox", "command": ["true"]}],
        }
    }
    spec = {"completions": 2, "parallelism": 2, "template": template}
    namespace.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "twice"}, "spec": spec})
    namespace("wait", "--for=condition=Complete", "job/twice", "--timeout=60s")


def test_pods_are_spread_over_zones(namespace: Namespace, kube: Running) -> None:
    things = web("StatefulSet", "web", 3, podManagementPolicy="Parallel")
    spread = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"}
    selector = {"labelSelector": {"matchLabels": {"app": "web"}}}
    things[1]["spec"]["template"]["spec"]["topologySpreadConstraints"] = [spread | selector]
    namespace.apply(*things)
    namespace("rollout", "status", "statefulset/web", "--timeout=90s")
    zones = {name: node["zone"] for name, node in kube.status()["nodes"].items()}
    assert {zones[namespace.get("pod", f"web-{number}")["spec"]["nodeName"]] for number in range(3)} == {"a", "b", "c"}


def test_pods_of_a_node_that_is_away_come_back_elsewhere(namespace: Namespace, kube: Running) -> None:
    namespace.apply(*web("Deployment", "front", 1))
    namespace("rollout", "status", "deployment/front", "--timeout=90s")
    (first,) = _uids(namespace, "front")
    lost = namespace.get("pod", first)
    node, address = lost["spec"]["nodeName"], lost["status"]["podIP"]
    kube.node(node, "down")
    try:
        # It runs on and nobody reaches it.
        assert kube.pids(namespace.name, first)
        assert fetch(address, 8080) == ""
        until(
            lambda: _condition(json.loads(kube.kubectl("get", "node", node, "-o", "json")), "Ready") == "Unknown",
            "it is missed",
        )
        until(lambda: set(_uids(namespace, "front")) - {first}, "another pod")
        namespace("rollout", "status", "deployment/front", "--timeout=90s")
        service = namespace.get("service", "front")["spec"]["clusterIP"]
        assert fetch(service) in set(_uids(namespace, "front"))
    finally:
        kube.node(node, "up")
    kube.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=60s")
    until(lambda: namespace.run("get", "pod", first).returncode != 0, "the pod that was lost is gone")
    assert kube.pids(namespace.name, first) == {}


def test_pods_run_on_while_the_api_server_is_away(namespace: Namespace, kube: Running) -> None:
    namespace.apply(*web("Deployment", "front", 2))
    namespace("rollout", "status", "deployment/front", "--timeout=90s")
    service = namespace.get("service", "front")["spec"]["clusterIP"]
    before = _uids(namespace, "front")
    kube.api("kill")
    try:
        assert fetch(service) in before
    finally:
        kube.api("start")
    namespace("scale", "deployment/front", "--replicas=3")
    namespace("rollout", "status", "deployment/front", "--timeout=90s")
    assert set(before.items()) <= set(_uids(namespace, "front").items())
