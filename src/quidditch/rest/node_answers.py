"""What this node answers to questions that another node's endpoints ask of all nodes."""

from __future__ import annotations

from functools import partial

from quidditch.rest import (
    cat_nodes,
    cat_shards,
    cluster_stats,
    hot_threads,
    nodes_info,
    nodes_stats,
    nodes_usage,
    shard_stores,
    tasks,
)
from quidditch.rest.node import Node


def serve(node: Node) -> None:
    """From now on answers them."""
    for action, answer in (
        (nodes_info.INFO, nodes_info.tell),
        (nodes_stats.STATS, nodes_stats.tell),
        (nodes_usage.USAGE, nodes_usage.tell),
        (nodes_usage.RELOAD, nodes_usage.tell_reloaded),
        (hot_threads.HOT_THREADS, hot_threads.tell),
        (cat_nodes.CELLS, cat_nodes.tell),
        (cat_nodes.POOLS, cat_nodes.tell_pools),
        (cat_shards.DISK, cat_shards.disk),
        (shard_stores.STORES, shard_stores.tell),
        (cluster_stats.MACHINE, cluster_stats.tell),
        (tasks.LIST, tasks.tell),
        (tasks.CANCEL, tasks.tell_cancelled),
        (tasks.GET, tasks.tell_one),
    ):
        node.nodes.serve(action, partial(answer, node))
