"""The real API server that tests run against."""

from __future__ import annotations

import json

from tests.support.kube import ApiServer


def test_kubectl_makes_and_reads_objects(kube_api: ApiServer) -> None:
    kube_api.kubectl("create", "namespace", "api-server-test")
    kube_api.kubectl("create", "configmap", "colours", "--from-literal=sky=blue", "-n", "api-server-test")
    read = json.loads(kube_api.kubectl("get", "configmap", "colours", "-n", "api-server-test", "-o", "json"))
    assert read["data"] == {"sky": "blue"}
    version = json.loads(kube_api.kubectl("version", "-o", "json"))
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]


def test_whoever_has_no_token_is_refused(kube_api: ApiServer) -> None:
    refused = kube_api.run_kubectl("--token=wrong", "get", "namespaces")
    assert refused.returncode != 0
    assert "Unauthorized" in refused.stderr


def test_objects_outlive_a_killed_server() -> None:
    with ApiServer.temporary() as server:
        server.kubectl("create", "namespace", "kept")
        server.kill()
        assert not server.ready()
        server.start()
        assert server.kubectl("get", "namespace", "kept", "-o", "name").strip() == "namespace/kept"
