"""The fields of a QuidditchIndex, a QuidditchNode and a ShardAllocation that people read or write."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from quidditch.operator.schema import described as d

_TABLE = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}


class Condition(msgspec.Struct, rename="camel"):
    type: Annotated[str, d("What it is about, such as Ready.")]
    status: Annotated[Literal["True", "False", "Unknown"], d("Whether it is so.")]
    reason: Annotated[str, d("Why, in one word for programs.")]
    last_transition_time: Annotated[str, d("When the status changed last.", format="date-time")]
    message: Annotated[str, d("Why, in a sentence for people.")] = ""
    observed_generation: Annotated[int, d("The generation of the spec that this was found for.")] = 0


class Allocation(msgspec.Struct, rename="camel"):
    shard_id: Annotated[int, d("The number of the shard.")]
    primary: Annotated[bool, d("Whether it is the copy that takes writes first.")]
    state: Annotated[str, d("UNASSIGNED, INITIALIZING, STARTED or RELOCATING.")]
    node_id: Annotated[str, d("The node that has the copy.")] = ""
    reason: Annotated[str, d("Why a copy has no node.")] = ""


class IndexSpec(msgspec.Struct, rename="camel"):
    shards: Annotated[
        int | None,
        d(
            "Number of primary shards; one by default. It cannot be changed.",
            minimum=1,
            maximum=1024,
        ),
    ] = None
    replicas: Annotated[int | None, d("Copies of each shard besides the primary; one by default.", minimum=0)] = None
    settings: Annotated[
        dict[str, Any],
        d("Settings of the index as PUT /{index} takes them, nested or with dots, with or without `index.`."),
    ] = {}
    mappings: Annotated[dict[str, Any], d("The mapping as PUT /{index} takes it. Fields can be added later.")] = {}
    aliases: Annotated[
        dict[str, Any], d("Aliases that a new index gets. Afterwards they are changed by the _aliases API.")
    ] = {}
    control: Annotated[
        dict[str, Any], d("What the control plane carries out, complete. It writes this itself: leave it out.")
    ] = {}


class IndexStatus(msgspec.Struct, rename="camel"):
    state: Annotated[Literal["CREATING", "ACTIVE", "DELETING"], d("Where the index is in its life.")] = "CREATING"
    observed_generation: Annotated[int, d("The generation of the spec that this status is of.")] = 0
    health: Annotated[
        str, d("green: all copies serve; yellow: all primaries do; red: some shard has no primary that serves.")
    ] = ""
    shards: Annotated[int, d("Number of primary shards.")] = 0
    replicas: Annotated[int, d("Replicas that every shard has and that serve.")] = 0
    shard_allocations: Annotated[
        list[Allocation], d("Where the first hundred copies are; GET /_cat/shards shows all.")
    ] = []
    conditions: Annotated[list[Condition], d("What holds of the index.", **_TABLE)] = []


class Resources(msgspec.Struct, rename="camel"):
    disk_used: Annotated[str, d("Used on the disk of its data.")] = ""
    disk_total: Annotated[str, d("Size of the disk of its data.")] = ""
    memory_used: Annotated[str, d("Memory in use.")] = ""
    memory_total: Annotated[str, d("Memory that it may use.")] = ""


class NodeView(msgspec.Struct, rename="camel"):
    state: Annotated[str, d("HEALTHY, DEGRADED (slow, or its disk is full) or UNHEALTHY.")] = ""
    last_heartbeat: Annotated[
        str, d("When it was heard of last; written every half minute at most.", format="date-time")
    ] = ""
    allocated_shards: Annotated[int, d("Copies of shards that it has.")] = 0
    tier: Annotated[str, d("hot, warm, cold, frozen or content, of a node with the data of one tier.")] = ""
    zone: Annotated[str, d("The zone that the node is in, where it says so.")] = ""
    resources: Annotated[Resources | None, d("Disk and memory.")] = None
    conditions: Annotated[list[Condition], d("What holds of the node.", **_TABLE)] = []


MODEL_TEXTS = {
    "NodeSpec.id": "The lasting id of the node, which is on its disk.",
    "NodeSpec.name": "Its name.",
    "NodeSpec.ephemeral_id": "New with every start.",
    "NodeSpec.roles": "What it does: data, cluster_manager, ingest and so on.",
    "NodeSpec.host": "The host that it runs on.",
    "NodeSpec.ip": "Its address.",
    "NodeSpec.transport_address": "Where other nodes reach it, host:port.",
    "NodeSpec.http_address": "Where clients reach it, host:port.",
    "NodeSpec.attributes": "What it says of itself: zone, rack, tier.",
    "NodeSpec.version": "The version of Quidditch that it runs.",
    "NodeStatus.health": "How the control plane finds it.",
    "NodeStatus.reason": "Why it is not healthy.",
    "RoutingSpec.index": "The index whose shards these are.",
    "RoutingSpec.uuid": "The uuid of that index: one that was made anew under the name has another.",
    "RoutingSpec.shards": "The shards, in order of their numbers.",
    "ShardRouting.primary_term": "Rises with every promotion: operations of an older one are refused.",
    "ShardRouting.in_sync": "Allocation ids of the copies that have everything that was acknowledged; only they may become the primary.",
    "ShardRouting.copies": "The copies, the primary first.",
    "Copy.primary": "Whether it is the primary.",
    "Copy.state": "UNASSIGNED, INITIALIZING, STARTED or RELOCATING.",
    "Copy.node": "Id of the node that it is on.",
    "Copy.allocation_id": "Made when the node was chosen.",
    "Copy.relocating_node": "Where a copy moves to, or comes from.",
    "Copy.relocation_id": "Allocation id of the other end of a move.",
    "Copy.recovery": "Where an initializing copy comes from.",
    "Copy.unassigned": "Why it has no node.",
    "Copy.failed_moves": "Moves that failed in a row.",
    "Copy.forced": "Whether a user took data for it that may lack acknowledged operations.",
    "UnassignedInfo.reason": "What took its node from it.",
    "UnassignedInfo.at": "When, in milliseconds since 1970.",
    "UnassignedInfo.details": "What was said then.",
    "UnassignedInfo.failed_attempts": "Attempts to allocate it that failed in a row.",
    "UnassignedInfo.delayed": "Whether its node is waited for.",
    "UnassignedInfo.last_allocation_status": "What came of the last attempt.",
    "UnassignedInfo.last_node": "The node that had it last.",
}
"""Of the structs of the model that stand in resources as they are."""
