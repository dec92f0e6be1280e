"""What a pod's spec asks for: environment, commands, fields and quantities. Pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_CEILING, Decimal

from tools.kube.api import Thing
from tools.kube.kubelet.images import Image
from tools.kube.kubelet.sandbox import User

Lookup = Callable[[str, str], Thing | None]
"""Finds a ConfigMap, Secret, claim or volume by kind and name."""
_REFERENCE = re.compile(r"\$(\$|\([A-Za-z_.-][A-Za-z0-9_.-]*\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_SUFFIXES = {"n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1)}
_SUFFIXES |= {letter: Decimal(1000) ** power for power, letter in enumerate("kMGTPE", 1)}
_SUFFIXES |= {f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)}


class NotYet(Exception):
    """A container cannot be started for now. `reason` is the one that a kubelet gives in the status."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def quantity(text: str | int | float) -> Decimal:
    """The number of bytes, cores or things that a quantity as `250m` or `2Gi` stands for."""
    number = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([a-zA-Z]*)", str(text))
    if number is None or number[2] not in _SUFFIXES:
        raise ValueError(f"no quantity: '{text}'")
    return Decimal(number[1]) * _SUFFIXES[number[2]]


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replaces $(NAME) where there is such a variable; $$(NAME) is $(NAME) itself."""

    def one(found: re.Match[str]) -> str:
        return "$" if found[1] == "$" else environment.get(found[1][1:-1], found[0])

    return _REFERENCE.sub(one, text)


def field(pod: Thing, path: str) -> str:
    """The value of a fieldRef. Raises :class:`NotYet` for a field that there is not."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status", {})
    if keyed := _KEYED.fullmatch(path):
        return str(metadata.get(keyed[1], {}).get(keyed[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        pairs = metadata.get(path.partition(".")[2], {})
        return "\n".join(f'{key}="{_quoted(value)}"' for key, value in sorted(pairs.items()))
    known: dict[str, Callable[[], str | None]] = {
        "metadata.name": lambda: metadata["name"],
        "metadata.namespace": lambda: metadata["namespace"],
        "metadata.uid": lambda: metadata["uid"],
        "spec.nodeName": lambda: spec.get("nodeName"),
        "spec.serviceAccountName": lambda: spec.get("serviceAccountName"),
        "status.podIP": lambda: status.get("podIP"),
        "status.podIPs": lambda: ",".join(each["ip"] for each in status.get("podIPs", [])),
        "status.hostIP": lambda: status.get("hostIP"),
        "status.hostIPs": lambda: ",".join(each["ip"] for each in status.get("hostIPs", [])),
    }
    if path not in known:
        raise NotYet("CreateContainerConfigError", f"unsupported fieldPath: {path}")
    return known[path]() or ""


def resource(pod: Thing, container: Thing, reference: Thing, allocatable: Mapping[str, str]) -> str:
    """The value of a resourceFieldRef; without a limit that of the node."""
    name = reference.get("containerName", container.get("name"))
    of = next((each for each in pod["spec"]["containers"] if each["name"] == name), container)
    kind, _, what = reference["resource"].partition(".")
    given = of.get("resources", {}).get(kind, {}).get(what)
    if given is None:
        given = allocatable.get(what, "0") if kind == "limits" else "0"
    divisor = quantity(reference.get("divisor") or "1") or Decimal(1)
    return str((quantity(given) / divisor).to_integral_value(ROUND_CEILING))


def environment(
    pod: Thing,
    container: Thing,
    allocatable: Mapping[str, str],
    lookup: Lookup,
) -> dict[str, str]:
    """The variables of a container; `lookup` finds a ConfigMap or Secret by kind and name. Raises :class:`NotYet`."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if key in source:
                for name, value in _data(lookup, kind, source[key], None).items():
                    if _NAME.fullmatch(name):
                        found[source.get("prefix", "") + name] = value
    for variable in container.get("env", []):
        given = _variable(pod, container, variable, allocatable, lookup, found)
        if given is not None:
            found[variable["name"]] = given
    return found


def _variable(
    pod: Thing,
    container: Thing,
    variable: Thing,
    allocatable: Mapping[str, str],
    lookup: Lookup,
    known: Mapping[str, str],
) -> str | None:
    source = variable.get("valueFrom")
    if source is None:
        return expand(variable.get("value", ""), known)
    if "fieldRef" in source:
        return field(pod, source["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in source:
        return resource(pod, container, source["resourceFieldRef"], allocatable)
    kind, reference = next(
        (kind, source[key])
        for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef"))
        if key in source
    )
    return _data(lookup, kind, reference, reference["key"]).get(reference["key"])


def _data(lookup: Lookup, kind: str, reference: Thing, key: str | None) -> dict[str, str]:
    thing = lookup(kind, reference["name"])
    if thing is None:
        if reference.get("optional"):
            return {}
        raise NotYet("CreateContainerConfigError", f'{kind.lower()} "{reference["name"]}" not found')
    data = {name: value.decode(errors="replace") for name, value in contents(thing).items()}
    if key is not None and key not in data and not reference.get("optional"):
        where = f"{kind} {thing['metadata']['namespace']}/{reference['name']}"
        raise NotYet("CreateContainerConfigError", f"couldn't find key {key} in {where}")
    return data


def contents(thing: Thing) -> dict[str, bytes]:
    """What a ConfigMap or a Secret holds."""
    if thing["kind"] == "Secret":
        return {name: base64.b64decode(value) for name, value in (thing.get("data") or {}).items()}
    texts = {name: value.encode() for name, value in (thing.get("data") or {}).items()}
    return texts | {name: base64.b64decode(value) for name, value in (thing.get("binaryData") or {}).items()}


def command(container: Thing, image: Image, variables: Mapping[str, str]) -> list[str]:
    """As Docker and Kubernetes put them together: `command` replaces the entry point and with it the image's command."""
    entry = container.get("command")
    args = container.get("args")
    if args is None:
        args = list(image.command) if entry is None else []
    given = [expand(part, variables) for part in [*(entry or []), *args]]
    return given if entry is not None else [*image.entrypoint, *given]


def user(pod: Thing, container: Thing, image: Image) -> User:
    """Whom it runs as. Raises :class:`NotYet` where that would be root and must not."""
    of_pod: Thing = pod["spec"].get("securityContext", {})
    context = of_pod | container.get("securityContext", {})
    uid = context.get("runAsUser", image.user)
    if uid == 0 and context.get("runAsNonRoot"):
        why = "container's runAsUser breaks non-root policy" if "runAsUser" in context else ""
        raise NotYet("CreateContainerConfigError", why or "container has runAsNonRoot and image will run as root")
    groups = {*of_pod.get("supplementalGroups", []), *([of_pod["fsGroup"]] if "fsGroup" in of_pod else [])}
    gid = context.get("runAsGroup", image.user if uid == image.user else 0)
    return User(uid, gid, tuple(sorted(groups)), context.get("allowPrivilegeEscalation") is False)


def port(container: Thing, named: str | int) -> int:
    """The number of a port that a probe gives by number or name. Raises ValueError."""
    if isinstance(named, int) or named.isdigit():
        return int(named)
    for each in container.get("ports", []):
        if each.get("name") == named:
            return int(each["containerPort"])
    raise ValueError(f"couldn't find port: {named}")


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
