"""What the kubelet of the tests decides, without anything running."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.kube import names, proxy
from tools.kube.kubelet.images import Image, repository
from tools.kube.kubelet.probes import Threshold
from tools.kube.kubelet.spec import NotYet, command, environment, expand, quantity, user
from tools.kube.kubelet.status import Container, phase
from tools.kube.kubelet.volumes import write


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", "1"), ("250m", "0.25"), ("2Gi", "2147483648"), ("1.5k", "1500"), ("1e3", "1000"), ("5E", "5e18")],
)
def test_quantities(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


def test_what_is_no_quantity_is_refused() -> None:
    for text in ("", "much", "1X", "1 Gi"):
        with pytest.raises(ValueError, match="no quantity"):
            quantity(text)


def test_references_are_expanded_once() -> None:
    variables = {"A": "$(B)", "B": "b"}
    assert expand("$(A) $(B) $(C) $$(B) $B $", variables) == "$(B) b $(C) $(B) $B $"


def test_command_replaces_entry_point_and_command_of_the_image() -> None:
    image = Image(("entry",), ("image",))
    assert command({}, image, {}) == ["entry", "image"]
    assert command({"args": ["x"]}, image, {}) == ["entry", "x"]
    assert command({"command": ["own"]}, image, {}) == ["own"]
    assert command({"command": ["own"], "args": ["$(V)"]}, image, {"V": "v"}) == ["own", "v"]


def test_the_last_source_of_a_variable_wins_and_a_missing_one_is_told() -> None:
    pod = {"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": {"containers": []}}
    settings = {"kind": "ConfigMap", "metadata": {"name": "s", "namespace": "n"}, "data": {"A": "1", "B": "2"}}
    container: dict[str, Any] = {
        "name": "c",
        "envFrom": [{"configMapRef": {"name": "s"}}],
        "env": [{"name": "A", "value": "$(B)"}],
    }
    known = {("ConfigMap", "s"): settings}
    assert environment(pod, container, {}, lambda kind, name: known.get((kind, name))) == {"A": "2", "B": "2"}
    with pytest.raises(NotYet, match='configmap "s" not found') as refused:
        environment(pod, container, {}, lambda _kind, _name: None)
    assert refused.value.reason == "CreateContainerConfigError"


def test_whom_a_container_runs_as() -> None:
    pod: dict[str, Any] = {"spec": {"securityContext": {"runAsNonRoot": True, "fsGroup": 7}}}
    made = user(pod, {}, Image(user=5))
    assert (made.uid, made.gid, made.groups) == (5, 5, (7,))
    made = user(pod, {"securityContext": {"runAsUser": 6}}, Image(user=5))
    assert (made.uid, made.gid) == (6, 0)
    with pytest.raises(NotYet, match="image will run as root"):
        user(pod, {}, Image())


def test_images_are_known_by_the_last_part_of_their_name() -> None:
    for reference in ("quidditch", "quidditch:1", "ghcr.io/x/quidditch:1.0", "localhost:5000/quidditch@sha256:ab"):
        assert repository(reference) == "quidditch"


@given(st.lists(st.booleans()), st.integers(1, 4), st.integers(1, 4))
def test_a_verdict_needs_a_row_of_equal_answers(answers: list[bool], good: int, bad: int) -> None:
    threshold = Threshold({"successThreshold": good, "failureThreshold": bad})
    for position, answer in enumerate(answers):
        needed = good if answer else bad
        row = answers[max(0, position + 1 - needed) : position + 1]
        assert threshold.add(answer) == (answer if row == [answer] * needed else None)


def _container(code: int | None, **more: Any) -> Container:
    made = Container({"name": "c", "image": "i"}, **more)
    made.state = {"running": {}} if code is None else {"terminated": {"exitCode": code}}
    return made


@pytest.mark.parametrize(
    ("codes", "policy", "is_phase"),
    [
        ([None], "Always", "Running"),
        ([0], "Always", "Running"),
        ([0, 0], "Never", "Succeeded"),
        ([0, 1], "Never", "Failed"),
        ([0, None], "Never", "Running"),
        ([0, 1], "OnFailure", "Running"),
        ([0, 0], "OnFailure", "Succeeded"),
    ],
)
def test_phases(codes: list[int | None], policy: str, is_phase: str) -> None:
    assert phase([_container(code) for code in codes], policy) == is_phase


def test_a_failed_init_container_fails_the_pod_unless_it_is_tried_again() -> None:
    containers = [_container(1, init=True), Container({"name": "main", "image": "i"})]
    assert phase(containers, "Never") == "Failed"
    assert phase(containers, "Always") == "Pending"


def _slice(service: str, *endpoints: tuple[str, bool, str], port: int = 8080) -> dict[str, Any]:
    made = [
        {"addresses": [ip], "conditions": {"ready": ready}, "hostname": hostname} for ip, ready, hostname in endpoints
    ]
    metadata = {"namespace": "n", "name": f"{service}-x", "labels": {"kubernetes.io/service-name": service}}
    return {"metadata": metadata, "endpoints": made, "ports": [{"name": "http", "port": port}]}


def _service(name: str, address: str) -> dict[str, Any]:
    spec = {"clusterIP": address, "ports": [{"name": "http", "port": 80}]}
    return {"metadata": {"namespace": "n", "name": name}, "spec": spec}


def test_names_of_services_and_of_pods_behind_headless_ones() -> None:
    services = [_service("front", "10.0.0.9"), _service("web", "None")]
    slices = [_slice("web", ("10.0.0.1", True, "web-0"), ("10.0.0.2", False, "web-1"))]
    lines = names.hosts("n", services, slices).splitlines()
    assert "10.0.0.9 front.n.svc.cluster.local front.n.svc front.n front" in lines
    assert "10.0.0.1 web-0.web.n.svc.cluster.local web-0.web.n.svc web-0.web.n web-0.web" in lines
    assert not any(line.startswith("10.0.0.2") for line in lines)
    assert (
        "10.0.0.9 front.n.svc.cluster.local front.n.svc front.n" in names.hosts("other", services, slices).splitlines()
    )


def test_only_ready_endpoints_are_proxied_to() -> None:
    services = [_service("front", "10.0.0.9"), _service("web", "None")]
    slices = [_slice("front", ("10.0.0.1", True, ""), ("10.0.0.2", False, ""))]
    assert proxy.targets(services, slices) == {("10.0.0.9", 80): [("10.0.0.1", 8080)]}
    assert proxy.targets(services, []) == {("10.0.0.9", 80): []}


def test_files_of_a_volume_are_swapped_whole(tmp_path: Path) -> None:
    write(tmp_path, {"a": (b"1", 0o644), "deep/b": (b"2", 0o600)})
    before = (tmp_path / "..data").resolve()
    write(tmp_path, {"a": (b"1", 0o644), "deep/b": (b"2", 0o600)})
    assert (tmp_path / "..data").resolve() == before
    write(tmp_path, {"a": (b"3", 0o644)})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert not before.exists()
    assert sorted(entry.name for entry in tmp_path.iterdir() if not entry.name.startswith("..")) == ["a"]
