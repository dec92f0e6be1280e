"""Shorthands of the tests with a cluster."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

from tools.kube.running import Running

Thing = dict[str, Any]
_SECONDS = 90.0
_Answer = TypeVar("_Answer")


def until(condition: Callable[[], _Answer | None], what: str) -> _Answer:
    """Its first answer that is true. Raises AssertionError when there is none for too long."""
    deadline = time.monotonic() + _SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.05)
    return found


class Namespace:
    """A namespace and what kubectl does in it."""

    def __init__(self, kube: Running, name: str) -> None:
        self.kube = kube
        self.name = name.replace("_", "-")[:60]
        kube.kubectl("create", "namespace", self.name)
        until(lambda: self.run("get", "serviceaccount", "default").returncode == 0, "a default service account")

    def close(self) -> None:
        self.kube.kubectl("delete", "namespace", self.name, "--wait=false")
        # Pods that would wait for their grace only keep the next test waiting.
        self.run("delete", "pods", "--all", "--grace-period=0", "--force")

    def run(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        return self.kube.run_kubectl("-n", self.name, *arguments, input=input)

    def __call__(self, *arguments: str, input: str | None = None) -> str:
        return self.kube.kubectl("-n", self.name, *arguments, input=input)

    def apply(self, *things: Thing) -> None:
        listing = {"apiVersion": "v1", "kind": "List", "items": list(things)}
        self("apply", "-f", "-", input=json.dumps(listing))

    def get(self, what: str, name: str) -> Thing:
        """The object; {} if there is none."""
        done = self.run("get", what, name, "-o", "json")
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def pod(self, name: str) -> Thing:
        """Its container's status and its own."""
        return dict(self.get("pod", name).get("status", {}))

    def ready(self, name: str) -> bool:
        return any(
            each["type"] == "Ready" and each["status"] == "True" for each in self.pod(name).get("conditions", [])
        )

    def ended(self, name: str) -> str:
        """Waits for the end of a pod: its phase."""
        return until(
            lambda: (phase := self.pod(name).get("phase", "")) in ("Succeeded", "Failed") and phase, f"{name} ended"
        )

    def log(self, pod: str, container: str = "main") -> str:
        file = self.kube.folder / "logs" / f"{self.name}_{pod}" / f"{container}.log"
        return file.read_text() if file.exists() else ""


def pod(name: str, *command: str, image: str = "python", container: Thing | None = None, **spec: Any) -> Thing:
    """A pod of one container `main`."""
    main: Thing = {"name": "main", "image": image} | ({"command": list(command)} if command else {}) | (container or {})
    metadata = {"name": name, "labels": {"app": name}}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [main]} | spec
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


WEB = """
import http.server, os, signal, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (os.environ.get("ANSWER") or os.environ["HOSTNAME"]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("", 8080), Handler)
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
"""


def web(kind: str, name: str, replicas: int, **more: Any) -> list[Thing]:
    """A StatefulSet or Deployment of HTTP servers on 8080 that answer with their name, and a Service on port 80."""
    labels = {"app": name}
    container = {
        "name": "main",
        "image": "python",
        "command": ["python", "-c", WEB],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": "http"}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 2, "containers": [container]}}
    spec: Thing = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template} | more
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    service: Thing = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": labels, "ports": ports},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
        service["spec"]["clusterIP"] = "None"
    return [service, {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}]


def claim(name: str) -> Thing:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"metadata": {"name": name}, "spec": spec}


def fetch(address: str, port: int = 80) -> str:
    """What an HTTP server answers; "" if there is none."""
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        connection.close()
