"""A pod's status from the states of its containers. Pure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tools.kube.api import Thing


@dataclass
class Container:
    """One container of a pod. `state` and `last` are as the API has them; a sidecar is an init container that stays."""

    spec: Thing
    init: bool = False
    state: Thing = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Thing = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    id: str = ""

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def sidecar(self) -> bool:
        return self.init and self.spec.get("restartPolicy") == "Always"

    @property
    def exit_code(self) -> int | None:
        ended = self.state.get("terminated")
        return None if ended is None else int(ended["exitCode"])

    def terminate(self, code: int, reason: str | None = None, message: str = "") -> None:
        """It has ended by itself or was ended."""
        begun = self.state.get("running", {}).get("startedAt", now())
        reason = reason or ("Completed" if code == 0 else "Error")
        ended = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": now(), "containerID": self.id}
        self.state = {"terminated": ended | ({"message": message} if message else {})}
        self.ready = self.started = False

    def wait(self, reason: str, message: str = "") -> None:
        """It will be started later."""
        if "terminated" in self.state:
            self.last = self.state
        self.state = {"waiting": {"reason": reason} | ({"message": message} if message else {})}

    def as_status(self) -> Thing:
        image = str(self.spec["image"])
        status: Thing = {"name": self.name, "image": image, "imageID": f"local://{image}" if self.id else ""}
        status |= {"state": self.state, "lastState": self.last, "restartCount": self.restarts}
        return status | {"ready": self.ready, "started": self.started} | ({"containerID": self.id} if self.id else {})


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def restarts(policy: str, container: Container) -> bool:
    """Whether a container that has ended is started again."""
    if container.sidecar:
        return True
    if container.init and policy == "Always":
        policy = "OnFailure"
    return policy == "Always" or (policy == "OnFailure" and container.exit_code != 0)


def initialized(containers: Sequence[Container]) -> bool:
    return all(each.started if each.sidecar else each.exit_code == 0 for each in containers if each.init)


def phase(containers: Sequence[Container], policy: str) -> str:
    inits = [each for each in containers if each.init and not each.sidecar]
    mains = [each for each in containers if not each.init]
    if any(each.exit_code not in (None, 0) and not restarts(policy, each) for each in inits):
        return "Failed"
    if any("terminated" in each.state or "running" in each.state or each.last for each in mains):
        over = all("terminated" in each.state and not restarts(policy, each) for each in mains)
        if not over:
            return "Running"
        return "Succeeded" if all(each.exit_code == 0 for each in mains) else "Failed"
    return "Pending"


def conditions(pod: Thing, containers: Sequence[Container], of_phase: str) -> list[Thing]:
    """The conditions that are a kubelet's; times stand while the condition does."""
    waiting = [each.name for each in containers if (not each.init or each.sidecar) and not each.ready]
    complete = "PodCompleted" if of_phase == "Succeeded" else "PodFailed" if of_phase == "Failed" else None
    unready = complete or ("ContainersNotReady" if waiting else None)
    message = f"containers with unready status: [{' '.join(waiting)}]" if waiting else ""
    begun = initialized(containers)
    incomplete = [each.name for each in containers if each.init and each.exit_code != 0 and not each.started]
    held = {each["type"]: each["status"] for each in pod.get("status", {}).get("conditions", [])}
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", [])]
    shut = [gate for gate in gates if held.get(gate) != "True"]
    about = f"containers with incomplete status: [{' '.join(incomplete)}]"
    made = [
        _condition("PodReadyToStartContainers", of_phase not in ("Succeeded", "Failed")),
        _condition("Initialized", begun, "ContainersNotInitialized", about),
        _condition("ContainersReady", unready is None, unready, message),
        _condition("Ready", unready is None and not shut, unready or "ReadinessGatesNotReady", message),
    ]
    previous = {each["type"]: each for each in pod.get("status", {}).get("conditions", [])}
    for condition in made:
        before = previous.get(condition["type"])
        same = before is not None and before["status"] == condition["status"]
        condition["lastTransitionTime"] = before["lastTransitionTime"] if before and same else now()
    return made


def _condition(kind: str, holds: bool, reason: str | None = None, message: str = "") -> Thing:
    because = {} if holds else {"reason": reason, "message": message}
    # A strategic merge keeps what is left out, hence the nulls.
    return {"type": kind, "status": "True" if holds else "False", "reason": None, "message": None} | because


def pod_status(pod: Thing, containers: Sequence[Container], address: str, host: str, began: str) -> Thing:
    """The whole status of a pod on this node."""
    policy = pod["spec"].get("restartPolicy", "Always")
    is_phase = phase(containers, policy)
    status: Thing = {"phase": is_phase, "hostIP": host, "hostIPs": [{"ip": host}], "startTime": began}
    if address:
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    status["observedGeneration"] = pod["metadata"].get("generation")
    status["conditions"] = conditions(pod, containers, is_phase)
    status["containerStatuses"] = [each.as_status() for each in containers if not each.init]
    if inits := [each.as_status() for each in containers if each.init]:
        status["initContainerStatuses"] = inits
    return status
