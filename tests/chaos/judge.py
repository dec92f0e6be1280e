"""What every copy of every shard holds when all is well again, against what was acknowledged."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.documents import WRITTEN
from tests.chaos.ledger import Ledger
from tests.chaos.reader import FIXED
from tests.support.cluster import Running

_PAGE = 10_000
Found = dict[str, Any]
"""Hits by id."""


def problems(cluster: Running, ledger: Ledger, generated: str) -> list[str]:
    """What must not be; in the ledger the documents are from now on as they were found."""
    found: list[str] = []
    written = _index(cluster, WRITTEN, found)
    places = {id: (hit["_source"]["n"], (hit["_seq_no"], hit["_primary_term"])) for id, hit in written.items()}
    found += ledger.compare(places)
    found += _by_id(cluster, ledger)
    new = _index(cluster, generated, found)
    found += ledger.compare_keys(Counter(hit["_source"]["key"] for hit in new.values()))
    fixed = {id: hit["_source"] for id, hit in _index(cluster, FIXED.index, found).items()}
    if fixed != {str(number): FIXED.source(number) for number in range(FIXED.count)}:
        found.append(f"of the {FIXED.count} documents that nobody changes there are {len(fixed)}, or others")
    return found


def _index(cluster: Running, index: str, found: list[str]) -> Found:
    """All documents of an index; where copies differ `found` grows."""
    asked = cluster.names("data")[0]
    status, answer = cluster.call(asked, "POST", f"/{index}/_refresh")
    if status != 200 or answer["_shards"]["failed"]:
        found.append(f"refresh of [{index}]: {status} {answer}")
    _, rows = cluster.call(asked, "GET", f"/_cat/shards/{index}?format=json&h=shard,prirep,node,state")
    everything: Found = {}
    for shard in sorted({row["shard"] for row in rows}):
        copies = {
            row["node"]: _copy(cluster, index, shard, row["node"], found) for row in rows if row["shard"] == shard
        }
        primary = next(row["node"] for row in rows if row["shard"] == shard and row["prirep"] == "p")
        for node, copy in copies.items():
            different = [id for id in copies[primary].keys() | copy.keys() if copies[primary].get(id) != copy.get(id)]
            for id in different[:3]:
                found.append(f"[{index}][{shard}] differs: {primary} {copies[primary].get(id)}, {node} {copy.get(id)}")
        for id in everything.keys() & copies[primary].keys():
            found.append(f"[{index}] has [{id}] in two shards")
        everything |= copies[primary]
    return everything


def _copy(cluster: Running, index: str, shard: str, node: str, found: list[str]) -> Found:
    """The documents of one copy, by pages."""
    path = f"/{index}/_search?preference=_shards:{shard}|_only_nodes:{node}"
    hits: Found = {}
    after: list[Any] = []
    while True:
        body: Any = {"size": _PAGE, "sort": ["_id"], "version": True, "seq_no_primary_term": True}
        status, answer = cluster.call(node, "POST", path, {**body, **({"search_after": after} if after else {})})
        if status != 200 or answer["_shards"]["failed"]:
            found.append(f"[{index}][{shard}] of {node} is not searched: {status} {answer}")
            return hits
        page = answer["hits"]["hits"]
        for hit in page:
            if hit["_id"] in hits:
                found.append(f"[{index}][{shard}] of {node} has [{hit['_id']}] twice")
            hits[hit["_id"]] = {key: hit[key] for key in ("_source", "_version", "_seq_no", "_primary_term")}
        if len(page) < _PAGE:
            return hits
        after = page[-1]["sort"]


def _by_id(cluster: Running, ledger: Ledger) -> list[str]:
    """Where a document by its id is another than the one that was found."""
    wrong = []
    for node in cluster.names("data"):
        ids = list(ledger.documents)
        _, answer = cluster.call(node, "POST", f"/{WRITTEN}/_mget", {"ids": ids})
        for id, each in zip(ids, answer["docs"], strict=True):
            content = each["_source"]["n"] if each.get("found") else None
            if content != ledger.documents[id].content:
                wrong.append(f"[{id}] by {node} is {content}, found by search: {ledger.documents[id].content}")
    return wrong
