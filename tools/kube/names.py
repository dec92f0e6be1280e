"""What DNS would answer, as a hosts file: Services, headless ones with their pods' names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Thing = dict[str, Any]
DOMAIN = "cluster.local"


def hosts(namespace: str, services: Iterable[Thing], slices: Iterable[Thing]) -> str:
    """The lines for pods of this namespace, who may leave its name out."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    of_service: dict[tuple[str, str], list[Thing]] = {}
    for each in slices:
        name = each["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        of_service.setdefault((each["metadata"]["namespace"], name), []).append(each)
    for service in services:
        where, name = service["metadata"]["namespace"], service["metadata"]["name"]
        address = service["spec"].get("clusterIP")
        if address == "None":
            for ip, hostname in _endpoints(of_service.get((where, name), [])):
                lines.append(_line(ip, name, where, namespace))
                if hostname:
                    lines.append(_line(ip, f"{hostname}.{name}", where, namespace))
        elif address:
            lines.append(_line(address, name, where, namespace))
    return "\n".join(lines) + "\n"


def _endpoints(slices: Iterable[Thing]) -> Iterator[tuple[str, str]]:
    for each in slices:
        for endpoint in each.get("endpoints") or []:
            if endpoint.get("conditions", {}).get("ready", True):
                yield endpoint["addresses"][0], endpoint.get("hostname", "")


def _line(address: str, name: str, where: str, seen_from: str) -> str:
    full = f"{name}.{where}.svc"
    names = [f"{full}.{DOMAIN}", full, f"{name}.{where}", *([name] if where == seen_from else [])]
    return f"{address} {' '.join(names)}"
