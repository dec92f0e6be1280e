"""What DNS would answer, as a hosts file: Services, headless ones with their pods' names. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tools.kube.api import Key, Thing, key_of

DOMAIN = "cluster.local"


def hosts(namespace: str, services: Iterable[Thing], slices: Iterable[Thing]) -> str:
    """The lines for pods of this namespace, who may leave its name out."""
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    of_service = by_service(slices)
    for service in services:
        where, name = key_of(service)
        address = service["spec"].get("clusterIP")
        if address == "None":
            for ip, hostname in _endpoints(of_service.get((where, name), [])):
                lines.append(_line(ip, name, where, namespace))
                if hostname:
                    lines.append(_line(ip, f"{hostname}.{name}", where, namespace))
        elif address:
            lines.append(_line(address, name, where, namespace))
    return "\n".join(lines) + "\n"


def by_service(slices: Iterable[Thing]) -> dict[Key, list[Thing]]:
    """The EndpointSlices of each Service."""
    found: dict[Key, list[Thing]] = {}
    for each in slices:
        name = each["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")
        found.setdefault((each["metadata"]["namespace"], name), []).append(each)
    return found


def _endpoints(slices: Iterable[Thing]) -> Iterator[tuple[str, str]]:
    for each in slices:
        for endpoint in each.get("endpoints") or []:
            if endpoint.get("conditions", {}).get("ready", True):
                yield endpoint["addresses"][0], endpoint.get("hostname", "")


def _line(address: str, name: str, where: str, seen_from: str) -> str:
    full = f"{name}.{where}.svc"
    names = [f"{full}.{DOMAIN}", full, f"{name}.{where}", *([name] if where == seen_from else [])]
    return f"{address} {' '.join(names)}"
