"""Rollovers while leaders are killed: each that was acknowledged is there, and the alias always has one index to write to."""

from __future__ import annotations

import threading

from tests.support.client import Client
from tests.support.cluster import Running, until


def test_rollovers_survive_the_loss_of_leaders() -> None:
    with Running.temporary(masters=3, data=1, coordinators=1) as cluster:
        aliases = {"write": {"is_write_index": True}, "moved": {}}
        settings = {"number_of_replicas": 0}
        status, _ = cluster.call("coordinator-1", "PUT", "/roll-1", {"aliases": aliases, "settings": settings})
        assert status == 200
        acknowledged: list[tuple[str, str]] = []
        over = threading.Event()

        def roll() -> None:
            with Client(cluster.cluster["coordinator-1"].url) as client:
                while not over.is_set():
                    body = {"settings": settings}
                    answer = client.call("POST", "/write/_rollover?cluster_manager_timeout=60s", body, repeat=False)
                    assert answer.status == 200, answer.data
                    acknowledged.append((answer.json["old_index"], answer.json["new_index"]))

        worker = threading.Thread(target=roll)
        worker.start()
        try:
            for _ in range(2):
                before = len(acknowledged)
                until(lambda known=before: len(acknowledged) > known + 3)
                leader = cluster.leader()
                cluster.kill(leader)
                cluster.start(leader)
            before = len(acknowledged)
            until(lambda: len(acknowledged) > before + 3)
        finally:
            over.set()
            worker.join()

        # A chain: each rollover went from the index of the one before to the next number, none twice, none left out.
        assert [old for old, _ in acknowledged] == ["roll-1", *(new for _, new in acknowledged[:-1])]
        assert [new for _, new in acknowledged] == [f"roll-{number:06d}" for number in range(2, len(acknowledged) + 2)]
        _, state = cluster.call("data-1", "GET", "/_cluster/state/metadata/roll-*")
        indices = state["metadata"]["indices"]
        assert set(indices) == {"roll-1", *(new for _, new in acknowledged)}
        last = acknowledged[-1][1]
        assert {name for name, index in indices.items() if "write" in index["rollover_info"]} == set(indices) - {last}
        _, found = cluster.call("data-1", "GET", "/_alias/write")
        writers = [name for name, each in found.items() if each["aliases"]["write"]["is_write_index"]]
        assert (writers, len(found)) == ([last], len(indices))

        # The same with an alias that moves along.
        status, answer = cluster.call("coordinator-1", "POST", "/moved/_rollover/roll-moved", {"settings": settings})
        assert (status, answer["rolled_over"]) == (200, True)
        assert set(cluster.call("data-1", "GET", "/_alias/moved")[1]) == {"roll-moved"}
