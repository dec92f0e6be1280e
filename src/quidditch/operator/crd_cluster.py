"""The fields of a QuidditchCluster."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from quidditch.operator import rules
from quidditch.operator.crd_index import Condition
from quidditch.operator.schema import described as d

_BY_NAME = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
_BY_TYPE = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
_SET = {"x-kubernetes-list-type": "set"}
Role: TypeAlias = Literal["data", "ingest", "remote_cluster_client"]
Mode: TypeAlias = Literal["auto", "embedded", "raft", "k8s", "hybrid"]


class Storage(msgspec.Struct, rename="camel"):
    size: Annotated[
        str,
        d(
            "Size of the volume of each node, such as 100Gi. It can grow.",
            maxLength=32,
            **{"x-kubernetes-validations": [rules.QUANTITY, rules.GROWS]},
        ),
    ]
    storage_class_name: Annotated[str, d("The storage class; empty for the default one.")] = ""


class Pod(msgspec.Struct, rename="camel"):
    """What the pods of a pool have in common."""

    resources: Annotated[
        dict[str, dict[str, int | str]],
        d(
            "Requests and limits, as a container has them.",
            maxProperties=2,
            **{"x-kubernetes-validations": [rules.RESOURCES]},
        ),
    ] = {}
    node_selector: Annotated[dict[str, str], d("Labels of the machines that pods may run on.")] = {}
    tolerations: Annotated[list[dict[str, Any]], d("Taints that pods put up with.")] = []
    affinity: Annotated[dict[str, Any], d("Affinity of the pods.")] = {}
    settings: Annotated[dict[str, str], d("Settings of these nodes, as their configuration has them.")] = {}


class NodePool(Pod, rename="camel", kw_only=True):
    name: Annotated[
        str, d("Name of the pool, a part of its pods' names.", pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", maxLength=40)
    ]
    replicas: Annotated[int, d("How many nodes. Fewer than now are drained before they go.", minimum=0)]
    roles: Annotated[list[Role], d("What its nodes do; data and ingest where none is named.", maxItems=3, **_SET)] = []
    tier: Annotated[
        Literal["hot", "warm", "cold", "frozen"] | None, d("Which indices prefer its nodes; all where it is left out.")
    ] = None
    zones: Annotated[
        list[str], d("Zones that its nodes are spread over; empty for those of zoneAwareness.", **_SET)
    ] = []
    storage: Annotated[Storage | None, d("The volume of each node; without one data goes with the pod.")] = None


class Coordinators(Pod, rename="camel", kw_only=True):
    replicas: Annotated[int | None, d("How many; leave it out where an autoscaler decides.", minimum=0)] = None


class ControlPlane(msgspec.Struct, rename="camel"):
    mode: Annotated[Mode, d("Where the state of the cluster lives: auto is k8s here.")] = "auto"
    masters: Annotated[int, d("Masters of raft and hybrid: 1, 3 or 5.", enum=[1, 3, 5])] = 3


class Tls(msgspec.Struct, rename="camel"):
    http_secret: Annotated[
        str, d("A Secret with tls.crt and tls.key for clients; empty for certificates that the operator issues.")
    ] = ""
    transport_secret: Annotated[
        str, d("A Secret with ca.crt, tls.crt and tls.key between nodes; empty for the operator's own.")
    ] = ""


class Service(msgspec.Struct, rename="camel"):
    type: Annotated[Literal["ClusterIP", "NodePort", "LoadBalancer"], d("How clients outside reach it.")] = "ClusterIP"
    annotations: Annotated[dict[str, str], d("Annotations of the service.")] = {}


class Update(msgspec.Struct, rename="camel"):
    max_unavailable: Annotated[int, d("Nodes that may be away at once for an upgrade or a restart.", minimum=1)] = 1


class Zones(msgspec.Struct, rename="camel"):
    topology_key: Annotated[str, d("The label of machines that names their zone.")] = "topology.kubernetes.io/zone"
    zones: Annotated[list[str], d("The zones, where copies of a shard must not share one.", **_SET)] = []


class ClusterSpec(msgspec.Struct, rename="camel"):
    node_pools: Annotated[
        list[NodePool],
        d(
            "The nodes, by what they are made of and for. One pool must hold data.",
            minItems=1,
            maxItems=64,
            **_BY_NAME,
            **{"x-kubernetes-validations": [rules.HOLDS_DATA]},
        ),
    ]
    version: Annotated[str, d("The version of Quidditch to run; empty for the operator's own.")] = ""
    image: Annotated[str, d("The image of the containers; empty for that of the version.")] = ""
    coordinators: Annotated[Coordinators | None, d("Nodes that take requests and hold nothing.")] = None
    control_plane: Annotated[ControlPlane | None, d("Who decides.")] = None
    settings: Annotated[dict[str, str], d("Settings of all nodes, as their configuration has them.")] = {}
    tls: Annotated[Tls | None, d("Certificates.")] = None
    users_secret: Annotated[str, d("A Secret with a file `users`, which `quidditch users add` makes.")] = ""
    service: Annotated[Service | None, d("The service that clients use.")] = None
    update_strategy: Annotated[Update | None, d("How changes of pods are rolled out.")] = None
    zone_awareness: Annotated[Zones | None, d("Spreads nodes and copies over zones.")] = None
    volume_claim_policy: Annotated[
        Literal["Retain", "Delete"], d("What becomes of the volumes of nodes that are gone for good.")
    ] = "Retain"
    deletion_protection: Annotated[bool, d("Whether the deletion of the cluster is refused while it is true.")] = False
    paused: Annotated[bool, d("Whether the operator leaves the pods alone.")] = False


class Operation(msgspec.Struct, rename="camel"):
    type: Annotated[str, d("Upscale, Downscale, Upgrade, Restart or VolumeGrowth.")]
    pool: Annotated[str, d("The pool.")] = ""
    node: Annotated[str, d("The node that is being worked on.")] = ""
    progress: Annotated[str, d("How far it is, such as shards that are still to move.")] = ""
    blocked_by: Annotated[str, d("What it waits for.")] = ""


class ClusterStatus(msgspec.Struct, rename="camel"):
    observed_generation: Annotated[int, d("The generation of the spec that this status is of.")] = 0
    health: Annotated[str, d("green, yellow or red, as _cluster/health says it.")] = ""
    version: Annotated[str, d("The lowest version that runs.")] = ""
    mode: Annotated[str, d("Where the state of the cluster lives.")] = ""
    leader: Annotated[str, d("Who leads.")] = ""
    uuid: Annotated[str, d("The uuid of the cluster that was founded here.")] = ""
    nodes: Annotated[str, d("Nodes that are ready, of those that shall be there, such as 2/3.")] = ""
    nodes_ready: Annotated[int, d("Nodes that are ready.")] = 0
    nodes_desired: Annotated[int, d("Nodes that shall be there.")] = 0
    indices: Annotated[int, d("Number of indices.")] = 0
    shards: Annotated[int, d("Copies of shards that serve.")] = 0
    unassigned: Annotated[int, d("Copies of shards without a node.")] = 0
    in_progress: Annotated[list[Operation], d("What is going on, and what it waits for.")] = []
    conditions: Annotated[list[Condition], d("What holds of the cluster.", **_BY_TYPE)] = []
