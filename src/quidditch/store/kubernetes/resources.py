"""The control plane's objects as Kubernetes resources and back, without loss.

Indices, nodes and routing have kinds of their own, that `kubectl` shows; all others are QuidditchRecords: their kind and JSON. One
namespace holds one cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from quidditch.lib.kube.resource import ResourceType
from quidditch.model.codec import FORMAT, FormatError
from quidditch.model.names import object_name
from quidditch.model.objects import KINDS, Index, Metadata, Node, Object
from quidditch.store.kubernetes import index_resource

GROUP, VERSION = "quidditch.io", "v1"


def _kind(plural: str, kind: str) -> ResourceType:
    return ResourceType(GROUP, VERSION, plural, kind)


INDICES = _kind("quidditchindices", "QuidditchIndex")
NODES = _kind("quidditchnodes", "QuidditchNode")
ALLOCATIONS = _kind("shardallocations", "ShardAllocation")
RECORDS = _kind("quidditchrecords", "QuidditchRecord")
CLUSTERS = _kind("quidditchclusters", "QuidditchCluster")
"""Users' own: no object of the control plane."""

STORED = (RECORDS, INDICES, NODES, ALLOCATIONS)
"""All kinds that hold objects of the control plane."""
_OWN = {"Index": INDICES, "Node": NODES, "Routing": ALLOCATIONS}
_LONGEST_NAME = 253
_OBJECTS = {resource.kind: kind for kind, resource in _OWN.items()}
Tree = dict[str, Any]


def resource_of(kind: str) -> ResourceType:
    """Of the objects of a kind of the control plane's."""
    return _OWN.get(kind, RECORDS)


def resource_name(kind: str, name: str) -> str:
    """`metadata.name` of the resource of the object; one that would be too long has a slug and a hash."""
    if kind in _OWN:
        return name
    full = f"{kind.lower()}.{name}"
    return full if len(full) <= _LONGEST_NAME else object_name(full)


def adopted(tree: Mapping[str, Any]) -> bool:
    """Whether the resource holds an object: a QuidditchIndex that a user applied becomes one when the control plane has taken it on."""
    return tree["kind"] != INDICES.kind or "control" in (tree.get("spec") or {})


def to_resource(obj: Object, namespace: str) -> Tree:
    """The resource, but for its status, which is no part of the object."""
    resource = resource_of(obj.kind)
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": _metadata(obj, namespace),
        "spec": _spec(obj),
    }


def from_resource(tree: Mapping[str, Any]) -> Object:
    """The object of an adopted resource. Raises :class:`FormatError` for what is none, or of a newer format."""
    name = f"{tree.get('kind')} [{tree.get('metadata', {}).get('name')}]"
    try:
        spec = tree["spec"]
        if tree["kind"] == INDICES.kind:
            _readable(spec["control"])
            read = index_resource.read_spec({**spec, "control": _control(spec["control"])})
            return Index(metadata=_read_metadata(tree, tree["metadata"]["name"]), spec=read)
        _readable(spec)
        kind = _OBJECTS.get(tree["kind"]) or spec["kind"]
        body = _own_body(spec) if kind in _OWN else _record_body(spec)
        known: Object = msgspec.convert({**body, "kind": kind, "metadata": {"name": "?"}}, KINDS[kind])
        return replace(known, metadata=_read_metadata(tree, _object_name(kind, tree["metadata"]["name"], known)))
    except (KeyError, TypeError, ValueError, msgspec.ValidationError) as error:
        raise FormatError(f"{name} is not readable: {error}") from error


def _spec(obj: Object) -> Tree:
    if isinstance(obj, Index):
        spec = index_resource.spec_tree(obj.spec)
        control = spec["control"]
        kept = (
            control if _keeps(control) else {"name": obj.name, "uuid": obj.uuid, "text": orjson.dumps(control).decode()}
        )
        return {**spec, "control": {"format": FORMAT, **kept}}
    body = {key: value for key, value in msgspec.to_builtins(obj).items() if key not in ("kind", "metadata")}
    if obj.kind in _OWN:
        found = {"found": body["status"]} if "status" in body else {}
        if isinstance(obj, Node):
            found = {"found": {"health": obj.status.health, **body.get("status", {})}}
        return {"format": FORMAT, **body["spec"], **found}
    shown = {"body": body} if _keeps(body) else {"text": orjson.dumps(body).decode()}
    return {"format": FORMAT, "kind": obj.kind, **shown}


def _own_body(spec: Mapping[str, Any]) -> Tree:
    """`found` is what the control plane finds of the object, which is its own word as much as the rest."""
    own = {key: value for key, value in spec.items() if key not in ("format", "found")}
    return {"spec": own, **({"status": spec["found"]} if "found" in spec else {})}


def _record_body(spec: Mapping[str, Any]) -> Tree:
    body: Tree = orjson.loads(spec["text"]) if "text" in spec else spec.get("body", {})
    return body


def _control(control: Mapping[str, Any]) -> Tree:
    tree: Tree = orjson.loads(control["text"]) if "text" in control else dict(control)
    tree.pop("format", None)
    return tree


def _metadata(obj: Object, namespace: str) -> Tree:
    meta = obj.metadata
    tree: Tree = {"name": resource_name(obj.kind, meta.name), "namespace": namespace}
    if meta.uid:
        tree["uid"] = meta.uid
    if meta.resource_version:
        tree["resourceVersion"] = meta.resource_version
    if meta.finalizers:
        tree["finalizers"] = list(meta.finalizers)
    return tree


def _object_name(kind: str, name: str, obj: Object) -> str:
    """The name of the object whose resource has this one: where a slug was made of it, it follows from the true name."""
    prefix = "" if kind in _OWN else f"{kind.lower()}."
    return name.removeprefix(prefix) if name.startswith(prefix) else object_name(obj.key)


def _read_metadata(tree: Mapping[str, Any], name: str) -> Metadata:
    meta = tree["metadata"]
    return Metadata(
        name=name,
        uid=meta.get("uid", ""),
        generation=meta.get("generation", 1),
        resource_version=meta.get("resourceVersion", ""),
        finalizers=tuple(meta.get("finalizers") or ()),
        deletion_timestamp=meta.get("deletionTimestamp"),
    )


def _readable(spec: Mapping[str, Any]) -> None:
    if spec.get("format", FORMAT) > FORMAT:
        raise ValueError(f"it has format {spec['format']}, this version reads up to {FORMAT}; upgrade before starting")


_INT64 = 2**63


def _keeps(value: Any) -> bool:
    """Whether the API server and kubectl give the JSON back as it is: they have integers of 64 bits only, write 1.0 as 1, and take null for
    a field that is not there.
    """
    if isinstance(value, Mapping):
        return all(_keeps(each) for each in value.values())
    if isinstance(value, list | tuple):
        return all(_keeps(each) for each in value)
    if isinstance(value, int):
        return -_INT64 <= value < _INT64
    return value is not None and not (isinstance(value, float) and value.is_integer())
