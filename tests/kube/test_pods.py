"""What the kubelet of ours does with a pod."""

from __future__ import annotations

import os
import signal

from tools.kube.running import Running

from tests.kube.support import Namespace, fetch, pod, until

SLEEP = ("sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait")


def test_environment_and_arguments_are_what_the_spec_says(namespace: Namespace) -> None:
    namespace("create", "configmap", "colours", "--from-literal=sky=blue")
    namespace("create", "secret", "generic", "hidden", "--from-literal=word=xyzzy")
    fields = {
        "IP": "status.podIP",
        "NAME": "metadata.name",
        "NAMESPACE": "metadata.namespace",
        "APP": "metadata.labels['app']",
    }
    env = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()]
    env += [
        {"name": "SKY", "valueFrom": {"configMapKeyRef": {"name": "colours", "key": "sky"}}},
        {"name": "NONE", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "no", "optional": True}}},
        {"name": "LIMIT", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}},
        {"name": "BOTH", "value": "$(NAME) and $(SKY), not $$(SKY) nor $(OTHER)"},
    ]
    container = {
        "env": env,
        "envFrom": [{"secretRef": {"name": "hidden"}, "prefix": "SECRET_"}],
        "args": ["$(BOTH)"],
        "workingDir": "/somewhere/else",
        "resources": {"limits": {"memory": "64Mi"}},
    }
    script = 'pwd; echo "$0"; echo "$IP $NAMESPACE $APP ${NONE-none} $LIMIT $SECRET_word"; hostname'
    namespace.apply(pod("told", "sh", "-c", script, container=container, restartPolicy="Never"))
    assert namespace.ended("told") == "Succeeded"
    address = namespace.pod("told")["podIP"]
    assert namespace.log("told").splitlines() == [
        "/somewhere/else",
        "told and blue, not $(SKY) nor $(OTHER)",
        f"{address} {namespace.name} told none 64 xyzzy",
        "told",
    ]


def test_init_containers_run_first_and_share_volumes(namespace: Namespace) -> None:
    mount = [{"name": "shared", "mountPath": "/shared"}]
    init = {
        "name": "first",
        "image": "busybox",
        "command": ["sh", "-c", "echo made > /shared/file"],
        "volumeMounts": mount,
    }
    main = {"volumeMounts": [mount[0] | {"readOnly": True}]}
    script = "cat /shared/file; touch /shared/other || echo read only; exit 3"
    volumes = [{"name": "shared", "emptyDir": {}}]
    namespace.apply(
        pod("second", "sh", "-c", script, container=main, initContainers=[init], volumes=volumes, restartPolicy="Never")
    )
    assert namespace.ended("second") == "Failed"
    ended = namespace.pod("second")["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert namespace.log("second").splitlines()[0] == "made"
    assert namespace.log("second").splitlines()[-1] == "read only"
    assert not os.path.exists("/shared")


def test_an_unknown_image_is_reported_as_one_that_cannot_be_pulled(namespace: Namespace) -> None:
    namespace.apply(pod("lost", image="registry.example/nothing:1"))

    def waits() -> bool:
        statuses = namespace.pod("lost").get("containerStatuses", [{}])
        return statuses[0].get("state", {}).get("waiting", {}).get("reason") == "ImagePullBackOff"

    until(waits, "ImagePullBackOff")
    assert namespace.pod("lost")["phase"] == "Pending"


def test_a_killed_container_is_started_again_and_then_with_pauses(namespace: Namespace, kube: Running) -> None:
    namespace.apply(pod("frail", *SLEEP))

    def runs(restarts: int) -> int | None:
        status = namespace.pod("frail").get("containerStatuses", [{}])[0]
        if status.get("restartCount") == restarts and "running" in status["state"]:
            return kube.pids(namespace.name, "frail").get("main")
        return None

    first = until(lambda: runs(0), "a first run")
    os.kill(first, signal.SIGKILL)
    second = until(lambda: runs(1), "a restart")
    status = namespace.pod("frail")["containerStatuses"][0]
    assert status["lastState"]["terminated"]["exitCode"] == 137
    os.kill(second, signal.SIGKILL)
    until(lambda: runs(2), "a restart after a pause")
    assert "BackOff" in namespace("get", "events", "-o", "jsonpath={.items[*].reason}")


def test_a_container_that_fails_its_liveness_probe_is_restarted(namespace: Namespace) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/alive"]}, "periodSeconds": 1, "failureThreshold": 2}
    script = "touch /tmp/alive; trap 'exit 0' TERM; (sleep 3; rm /tmp/alive) & sleep infinity & wait %2"
    namespace.apply(pod("sick", "sh", "-c", script, container={"livenessProbe": probe}))
    until(lambda: namespace.pod("sick").get("containerStatuses", [{}])[0].get("restartCount", 0) >= 1, "a restart")
    assert "Liveness probe failed" in namespace("get", "events", "-o", "jsonpath={.items[*].message}")


def test_readiness_follows_its_probe_and_startup_comes_before(namespace: Namespace, kube: Running) -> None:
    probes = {
        "startupProbe": {
            "exec": {"command": ["test", "-e", "/data/started"]},
            "periodSeconds": 1,
            "failureThreshold": 100,
        },
        "readinessProbe": {
            "exec": {"command": ["test", "-e", "/data/ready"]},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    namespace.apply(pod("slow", *SLEEP, container=probes, volumes=[{"name": "data", "emptyDir": {}}]))
    until(lambda: "running" in namespace.pod("slow").get("containerStatuses", [{"state": {}}])[0]["state"], "it runs")
    data = kube.folder / "pods" / namespace.get("pod", "slow")["metadata"]["uid"] / "volumes" / "data"
    (data / "ready").touch()
    assert not namespace.ready("slow")
    assert namespace.pod("slow")["containerStatuses"][0]["started"] is False
    (data / "started").touch()
    until(lambda: namespace.ready("slow"), "it is ready")
    (data / "ready").unlink()
    until(lambda: not namespace.ready("slow"), "it is ready no more")


def test_a_pod_has_its_grace_and_its_hook(namespace: Namespace, kube: Running) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >> /proc/1/fd/1"]}}}
    script = "trap 'echo term' TERM; echo begun; while :; do sleep 0.1; done"
    namespace.apply(pod("stubborn", "sh", "-c", script, container={"lifecycle": hook}))
    until(lambda: "begun" in namespace.log("stubborn"), "it runs")
    process = kube.pids(namespace.name, "stubborn")["main"]
    namespace("delete", "pod", "stubborn")
    # It does not end by itself: SIGKILL after the grace, and only then is the object gone.
    assert namespace.log("stubborn").splitlines() == ["begun", "hook", "term"]
    assert not os.path.exists(f"/proc/{process}")
    assert kube.pids(namespace.name, "stubborn") == {}


def test_volumes_follow_their_config_maps_while_the_pod_runs(namespace: Namespace) -> None:
    namespace("create", "configmap", "settings", "--from-literal=level=1")
    script = "while :; do cat /etc/settings/level; echo; sleep 0.1; done"
    mounts = {"volumeMounts": [{"name": "settings", "mountPath": "/etc/settings"}]}
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    namespace.apply(pod("reader", "sh", "-c", script, container=mounts, volumes=volumes))
    until(lambda: "1" in namespace.log("reader").split(), "the first")
    namespace("patch", "configmap", "settings", "-p", '{"data":{"level":"2"}}')
    until(lambda: "2" in namespace.log("reader").split(), "the second")
    assert namespace.pod("reader")["containerStatuses"][0]["restartCount"] == 0


def test_the_service_account_token_works_within_its_rights(namespace: Namespace) -> None:
    namespace("create", "role", "looker", "--verb=get", "--resource=configmaps")
    namespace("create", "rolebinding", "looker", "--role=looker", f"--serviceaccount={namespace.name}:default")
    namespace("create", "configmap", "colours", "--from-literal=sky=blue")
    script = """
import json, os, ssl, urllib.error, urllib.request
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
read = lambda name: open(folder + name).read()
context = ssl.create_default_context(cafile=folder + "ca.crt")
for host in (os.environ["KUBERNETES_SERVICE_HOST"], "kubernetes.default.svc"):
    for kind in ("configmaps/colours", "secrets/colours"):
        url = f"https://{host}/api/v1/namespaces/{read('namespace')}/{kind}"
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + read("token")})
        try:
            print(json.load(urllib.request.urlopen(request, context=context))["data"])
        except urllib.error.HTTPError as error:
            print(error.code)
"""
    namespace.apply(pod("asking", "python", "-c", script, restartPolicy="Never"))
    assert namespace.ended("asking") == "Succeeded", namespace.log("asking")
    assert namespace.log("asking").splitlines() == ["{'sky': 'blue'}", "403"] * 2


def test_pod_security_restricted_is_enforced(namespace: Namespace) -> None:
    namespace("label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    refused = namespace.run("run", "loose", "--image=python")
    assert refused.returncode != 0
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    strict = {"runAsNonRoot": True, "runAsUser": 1234, "fsGroup": 4321, "seccompProfile": {"type": "RuntimeDefault"}}
    namespace("create", "secret", "generic", "hidden", "--from-literal=word=xyzzy")
    mounts = [{"name": "hidden", "mountPath": "/hidden"}, {"name": "work", "mountPath": "/opt/here"}]
    volumes = [
        {"name": "hidden", "secret": {"secretName": "hidden", "defaultMode": 0o400}},
        {"name": "work", "emptyDir": {}},
    ]
    script = """
import os
print(os.getuid(), os.getgroups(), open("/hidden/word").read(), flush=True)
open("/opt/here/file", "w")
open("/file", "w")
"""
    container = {"securityContext": context, "volumeMounts": mounts}
    spec = {"securityContext": strict, "volumes": volumes, "restartPolicy": "Never"}
    namespace.apply(pod("strict", "python", "-c", script, container=container, **spec))
    assert namespace.ended("strict") == "Failed"
    assert namespace.log("strict").splitlines()[0] == "1234 [4321] xyzzy"
    assert "Read-only file system: '/file'" in namespace.log("strict").splitlines()[-1]


def test_a_pod_that_must_not_be_root_is_not_started_as_root(namespace: Namespace) -> None:
    namespace.apply(pod("root", *SLEEP, securityContext={"runAsNonRoot": True}))

    def waits() -> str:
        state = namespace.pod("root").get("containerStatuses", [{}])[0].get("state", {})
        return str(state.get("waiting", {}).get("message", ""))

    assert until(waits, "a message") == "container has runAsNonRoot and image will run as root"


def test_quidditch_is_an_image(namespace: Namespace) -> None:
    ask = ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9200')"]
    container = {
        "args": ["run", "--data-dir", "/var/lib/quidditch"],
        "readinessProbe": {"exec": {"command": ask}, "periodSeconds": 1, "timeoutSeconds": 10},
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/quidditch"}],
    }
    strict = {"runAsNonRoot": True}
    made = pod("search", image="ghcr.io/quidditch/quidditch:0.1.0", container=container, securityContext=strict)
    made["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    namespace.apply(made)
    until(lambda: namespace.ready("search"), "it is ready")


def test_pods_reach_one_another_on_the_same_port(namespace: Namespace) -> None:
    command = ("python", "-m", "http.server", "8080", "--directory", "/etc/settings")
    for name in ("one", "two"):
        namespace("create", "configmap", name, f"--from-literal=index.html={name}")
        mounts = {"volumeMounts": [{"name": "page", "mountPath": "/etc/settings"}]}
        namespace.apply(pod(name, *command, container=mounts, volumes=[{"name": "page", "configMap": {"name": name}}]))
    for name in ("one", "two"):
        until(lambda name=name: fetch(namespace.pod(name).get("podIP", "127.0.0.1"), 8080) == name, f"{name} answers")  # type: ignore[misc]
