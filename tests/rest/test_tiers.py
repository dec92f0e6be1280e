"""Nodes that hold the data of one tier: their roles, and what is placed on them."""

from __future__ import annotations

from tests.support.node import Node


def test_a_node_of_a_tier_holds_what_prefers_it() -> None:
    with Node.temporary(args=["-E", "node.roles=cluster_manager,data_hot,ingest"]) as node, node.client() as client:
        (row,) = client.call("GET", "/_cat/nodes?h=node.role,node.roles&format=json").json
        assert row == {"node.role": "him", "node.roles": "cluster_manager,data_hot,ingest"}
        assert len(client.call("GET", "/_nodes/data:true").json["nodes"]) == 1
        for name, tiers in (("preferred", "data_warm,data_hot"), ("elsewhere", "data_cold"), ("any", None)):
            preference = {} if tiers is None else {"index.routing.allocation.include._tier_preference": tiers}
            body = {"settings": {"number_of_replicas": 0, **preference}}
            assert client.call("PUT", f"/{name}?wait_for_active_shards=0", body).status == 200
        client.call("GET", "/_cluster/health/preferred,any?wait_for_status=green&timeout=30s")
        states = {row["index"]: row["state"] for row in client.call("GET", "/_cat/shards?format=json").json}
        assert states == {"any": "STARTED", "preferred": "STARTED", "elsewhere": "UNASSIGNED"}
