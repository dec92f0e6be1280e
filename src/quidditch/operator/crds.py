"""The CustomResourceDefinitions: `python -m quidditch.operator.crds deploy/crds` writes them, one file each."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from quidditch.lib.kube.resource import ResourceType
from quidditch.model import objects
from quidditch.operator import crd_cluster, crd_index, rules, schema
from quidditch.operator.schema import Schema, free
from quidditch.store.kubernetes import resources

_FORMAT: Schema = {"type": "integer", "format": "int64", "description": "The version of this form of storage."}
_READY = '.status.conditions[?(@.type=="Ready")].status'
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def column(name: str, path: str, type: str = "string", *, wide: bool = False, description: str = "") -> Schema:
    """A column of `kubectl get`; a wide one needs `-o wide`."""
    return {
        "name": name,
        "type": type,
        "jsonPath": path,
        **({"priority": 1} if wide else {}),
        **({"description": description} if description else {}),
    }


def definition(
    resource: ResourceType,
    short: str,
    description: str,
    spec: Schema,
    status: Schema,
    columns: Sequence[Schema],
    *,
    scale: Mapping[str, str] | None = None,
    checks: Sequence[rules.Rule] = (),
) -> Schema:
    names = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
        "shortNames": [short],
        "categories": ["quidditch"],
    }
    root: Schema = {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {"spec": {**spec, "description": f"What a {resource.kind} shall be."}, "status": status},
    }
    if checks:
        root["x-kubernetes-validations"] = [dict(rule) for rule in checks]
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": root},
        "subresources": {"status": {}, **({"scale": dict(scale)} if scale else {})},
        "additionalPrinterColumns": [*columns, _AGE],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            # A chart that goes must not take the indices of everybody along.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {"group": resource.group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def all_definitions() -> list[Schema]:
    return [_cluster(), _index(), _node(), _allocation(), _record()]


def _cluster() -> Schema:
    return definition(
        resources.CLUSTERS,
        "qc",
        "A cluster of Quidditch: pools of nodes, and how they are run. One namespace holds one.",
        schema.of(crd_cluster.ClusterSpec),
        {**schema.of(crd_cluster.ClusterStatus), "description": "What there is of the cluster."},
        [
            column("Health", ".status.health"),
            column("Nodes", ".status.nodes", description="nodes that are ready, of those that shall be there"),
            column("Version", ".status.version"),
            column("Ready", _READY),
            column("Mode", ".status.mode", wide=True),
            column("Leader", ".status.leader", wide=True),
            column("Indices", ".status.indices", "integer", wide=True),
            column("Shards", ".status.shards", "integer", wide=True),
            column("Unassigned", ".status.unassigned", "integer", wide=True),
        ],
        checks=rules.CLUSTER_NAMES,
    )


def _index() -> Schema:
    spec = schema.of(crd_index.IndexSpec)
    return definition(
        resources.INDICES,
        "qidx",
        "An index: its shards, settings and mapping. What is applied here and what is sent over REST is one and the same index.",
        spec,
        {**schema.of(crd_index.IndexStatus), "description": "What there is of the index."},
        [
            column("Shards", ".status.shards", "integer"),
            column("State", ".status.state"),
            column("Health", ".status.health"),
            column("Ready", _READY, wide=True),
            column("Replicas", ".spec.replicas", "integer", wide=True),
            column("Available", ".status.replicas", "integer", wide=True, description="replicas that serve"),
            column("UUID", ".spec.control.uuid", wide=True),
        ],
        scale={"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        checks=[rules.name_rule(), rules.SHARDS_STAY, rules.CONTROL_STAYS],
    )


def _node() -> Schema:
    spec = schema.of(objects.NodeSpec, crd_index.MODEL_TEXTS)
    found = schema.of(objects.NodeStatus, crd_index.MODEL_TEXTS)
    spec["properties"] |= {
        "format": _FORMAT,
        "found": {**found, "description": "How the control plane finds the node."},
    }
    return definition(
        resources.NODES,
        "qnode",
        "A node of the cluster, as it registered. The control plane writes it.",
        schema.lasting(spec),
        {**schema.of(crd_index.NodeView), "description": "What is known of the node."},
        [
            column("Node", ".spec.name"),
            column("Roles", ".spec.roles"),
            column("Tier", ".status.tier"),
            column("State", ".spec.found.health"),
            column("Shards", ".status.allocatedShards", "integer"),
            column("Zone", ".status.zone", wide=True),
            column("Address", ".spec.transportAddress", wide=True),
            column("Version", ".spec.version", wide=True),
        ],
    )


def _allocation() -> Schema:
    spec = schema.of(objects.RoutingSpec, crd_index.MODEL_TEXTS)
    spec["properties"]["format"] = _FORMAT
    return definition(
        resources.ALLOCATIONS,
        "qalloc",
        "Where the copies of an index are, and which of them may become a primary. The control plane writes it; nothing else may.",
        schema.lasting(spec),
        free("Unused."),
        [
            column("Index", ".spec.index"),
            column("Primary 0", ".spec.shards[0].copies[0].node", description="the node of the first shard's primary"),
            column("Term 0", ".spec.shards[0].primaryTerm", "integer", wide=True),
        ],
    )


def _record() -> Schema:
    text = {
        "type": "string",
        "description": "The object as JSON text, where the API server would not keep it word for word.",
    }
    spec: Schema = {
        "type": "object",
        "required": ["kind"],
        "properties": {
            "format": _FORMAT,
            "kind": {"type": "string", "description": "What it is: Alias, Template, Pipeline, Settings."},
            "body": free("The object."),
            "text": text,
        },
    }
    return definition(
        resources.RECORDS,
        "qrec",
        "An object of the control plane that has no kind of its own. The control plane writes it.",
        schema.lasting(spec),
        free("Unused."),
        [column("Kind", ".spec.kind")],
    )


def rendered(definition: Schema) -> str:
    return yaml.safe_dump(definition, sort_keys=False, width=140, allow_unicode=True)


def file_name(definition: Schema) -> str:
    return f"{definition['metadata']['name']}.yaml"


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for each in all_definitions():
        (folder / file_name(each)).write_text(rendered(each))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
