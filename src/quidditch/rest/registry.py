"""The families of endpoints. A new module is added to the list; its `ROUTES` are the rest."""

from __future__ import annotations

from importlib import import_module

from quidditch.rest.route import Route

FAMILIES = [
    "info",
    "documents",
    "update",
    "bulk",
    "mget",
    "indices_admin",
    "indices_aliases",
    "indices_mapping",
    "indices_settings",
    "indices_shards",
    "indices_stats",
    "indices_recovery",
    "shard_stores",
    "rollover",
    "templates",
    "template_simulate",
    "analyze",
    "tasks",
    "by_query",
    "reindex",
    "cluster_health",
    "cluster_state",
    "cluster_settings",
    "cluster_voting",
    "cluster_stats",
    "cluster_allocation",
    "metrics",
    "nodes_info",
    "nodes_shutdown",
    "nodes_usage",
    "nodes_stats",
    "hot_threads",
    "cat_cluster",
    "cat_indices",
    "cat_shards",
    "cat_nodes",
    "search",
    "scroll",
    "msearch",
    "pit",
    "count",
    "explain",
    "validate",
    "field_caps",
    "elastic",
    "data_streams",
]


def all_routes() -> list[Route]:
    return [route for family in FAMILIES for route in import_module(f"quidditch.rest.{family}").ROUTES]
