"""`kill -9` while many clients change the same documents in every way, and flushes, merges, settings and fields come and go.

Every attempt carries a token. After each kill a document must hold the acknowledged attempt with the greatest sequence number, or one of
those under way; whole, with the version that was answered, and the same by get and by search. An index that is deleted and made again
under its name must never show documents of its predecessor.

`QUIDDITCH_KILLS` and `QUIDDITCH_SEED` make the run longer and different.
"""

from __future__ import annotations

import http.client
import itertools
import os
import random
import threading
import time
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.node import Node

KILLS = int(os.environ.get("QUIDDITCH_KILLS", "8"))
SEED = int(os.environ.get("QUIDDITCH_SEED", "1"))
CLIENTS = 6
DOCUMENTS = 40
SETTINGS = {
    "number_of_shards": 2,
    "number_of_replicas": 0,
    "refresh_interval": "50ms",
    "translog.flush_threshold_size": "16kb",
    "mapping.total_fields.limit": 10_000,
}


@dataclass(order=True, frozen=True)
class Acknowledged:
    seq_no: int
    version: int
    token: str
    deletes: bool


@dataclass
class Ledger:
    """What was answered and what is in doubt, by document."""

    acknowledged: dict[str, list[Acknowledged]] = field(default_factory=lambda: defaultdict(list))
    doubtful: dict[str, dict[str, bool]] = field(default_factory=lambda: defaultdict(dict))
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, id: str, token: str, deletes: bool) -> None:
        with self.lock:
            self.doubtful[id][token] = deletes

    def end(self, id: str, token: str, answer: dict[str, Any]) -> None:
        with self.lock:
            deletes = self.doubtful[id].pop(token)
            if answer["status"] in (200, 201) or (deletes and answer["status"] == 404):
                self.acknowledged[id].append(Acknowledged(answer["_seq_no"], answer["_version"], token, deletes))
            elif answer["status"] not in (404, 409):
                self.problems.append(f"{id}: {answer}")


class Worker(threading.Thread):
    """Repeats `step` while `running` is set; a broken connection ends it until the next round."""

    def __init__(self, url: str, seed: int, running: threading.Event, ledger: Ledger) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.client = Client(url, timeout=60)
        self.ledger = ledger
        self.running = running
        self.idle = threading.Event()
        self.idle.set()
        self.ended = False

    def run(self) -> None:
        while not self.ended:
            if not self.running.wait(0.02):
                continue
            self.idle.clear()
            try:
                while self.running.is_set():
                    self.step()
            except (OSError, http.client.HTTPException):
                while self.running.is_set():
                    time.sleep(0.002)
            except Exception as error:
                self.ledger.problems.append(f"{type(self).__name__}: {error!r}")
                self.running.clear()
            self.idle.set()
        self.client.close()

    def step(self) -> None:
        raise NotImplementedError

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self.client.call(method, path, body, repeat=False)


class Writer(Worker):
    count = 0

    def _document(self, token: str) -> dict[str, Any]:
        fill = "y" * self.random.choice([3, 50, 400, 3000])
        document: dict[str, Any] = {"token": token, "fill": fill, "sum": zlib.crc32((token + fill).encode())}
        if self.random.random() < 0.03:
            values: list[Any] = ["text", 5, 1.5, True, {"deep": 1}]
            number = self.random.randrange(400)
            document[f"grown{number}"] = values[number % len(values)]
        return document

    def _token(self) -> str:
        self.count += 1
        return f"{self.name}:{self.count}"

    def step(self) -> None:
        if self.random.random() < 0.3:
            self._bulk()
        else:
            self._single()

    def _single(self) -> None:
        id, token, kind = f"d{self.random.randrange(DOCUMENTS)}", self._token(), self.random.random()
        method, path, body = "PUT", f"/shared/_doc/{id}", self._document(token)
        if kind < 0.2:
            method, path = "POST", f"/shared/_update/{id}"
            body = {"doc": body, "doc_as_upsert": self.random.random() < 0.5}
        elif kind < 0.35:
            method, body = "DELETE", {}
        elif kind < 0.5:
            path = f"/shared/_create/{id}"
        elif kind < 0.65:
            now = self.call("GET", path).json
            if now.get("found"):
                path += f"?if_seq_no={now['_seq_no']}&if_primary_term={now['_primary_term']}"
        self.ledger.begin(id, token, method == "DELETE")
        answer = self.call(method, path, body or None)
        self.ledger.end(id, token, {**answer.json, "status": answer.status})

    def _bulk(self) -> None:
        lines: list[Any] = []
        items = []
        for _ in range(self.random.randrange(1, 25)):
            id, token = f"d{self.random.randrange(DOCUMENTS)}", self._token()
            action = self.random.choice(["index", "index", "create", "update", "delete"])
            lines.append({action: {"_index": "shared", "_id": id}})
            if action != "delete":
                document = self._document(token)
                lines.append({"doc": document, "doc_as_upsert": True} if action == "update" else document)
            items.append((id, token))
            self.ledger.begin(id, token, action == "delete")
        answer = self.call("POST", "/_bulk", lines).json
        for (id, token), item in zip(items, answer["items"], strict=True):
            self.ledger.end(id, token, next(iter(item.values())))


class Disturber(Worker):
    def step(self) -> None:
        chance = self.random
        settings = {
            "refresh_interval": chance.choice(["20ms", "200ms", "-1"]),
            "translog.flush_threshold_size": chance.choice(["16kb", "64kb", "1mb"]),
        }
        fields = {f"put{chance.randrange(300)}": {"type": "keyword"}}
        method, path, body = chance.choice(
            [
                ("POST", "/shared/_flush", None),
                ("POST", "/shared/_refresh", None),
                ("POST", f"/shared/_forcemerge?max_num_segments={chance.randrange(1, 4)}", None),
                ("PUT", "/shared/_settings", settings),
                ("PUT", "/shared/_mapping", {"properties": fields}),
            ]
        )
        self.call(method, path, body)
        time.sleep(chance.random() * 0.1)


class Flipper(Worker):
    """Deletes an index and makes it again under its name."""

    generation = 0
    state = "unknown"
    values: dict[str, str] = {}  # noqa: RUF012
    under_way: dict[str, str] = {}  # noqa: RUF012

    def step(self) -> None:
        if self.state != "there":
            if self.state == "unknown":
                self.call("DELETE", "/flipped")
            self.generation += 1
            self.state, self.values, self.under_way = "unknown", {}, {}
            assert self.call("PUT", "/flipped", {"settings": {"number_of_replicas": 0}}).status == 200
            self.state = "there"
        for _ in range(self.random.randrange(1, 8)):
            id, value = str(self.random.randrange(5)), f"{self.generation}:{self.random.random()}"
            self.under_way[id] = value
            assert self.call("PUT", f"/flipped/_doc/{id}", {"value": value}).status in (200, 201)
            self.values[id] = self.under_way.pop(id)
        if self.random.random() < 0.5:
            self.state = "unknown"
            assert self.call("DELETE", "/flipped").status == 200
            self.state = "gone"

    def check(self, client: Client) -> list[str]:
        if self.state == "gone":
            return [] if client.call("GET", "/flipped").status == 404 else ["the deleted index is back"]
        problems = []
        for id in map(str, range(5)) if self.state == "there" else ():
            answer = client.call("GET", f"/flipped/_doc/{id}").json
            found = answer["_source"]["value"] if answer.get("found") else None
            if found not in (self.values.get(id), self.under_way.get(id, self.values.get(id))):
                problems.append(f"flipped {id}: {found}, not {self.values.get(id)} or {self.under_way.get(id)}")
            if found is not None:
                self.values[id] = found
        self.under_way = {}
        return problems


def _wait_for_green(client: Client) -> None:
    deadline = time.monotonic() + 60
    while client.call("GET", "/_cluster/health").json["status"] != "green":
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _check(client: Client, ledger: Ledger) -> list[str]:
    client.call("POST", "/shared/_refresh")
    body = {"size": 10_000, "version": True, "seq_no_primary_term": True, "track_total_hits": True}
    hits = client.call("POST", "/shared/_search", body).json["hits"]
    by_id = {hit["_id"]: hit for hit in hits["hits"]}
    problems = [] if len(by_id) == hits["total"]["value"] else ["a document is there twice"]
    found = 0
    for id in {*ledger.acknowledged, *ledger.doubtful, *by_id}:
        answer = client.call("GET", f"/shared/_doc/{id}").json
        found += answer["found"]
        problems += [f"{id}: {problem}" for problem in _judge(answer, by_id.get(id), ledger, id)]
    if found != len(by_id) or found != client.call("GET", "/shared/_count").json["count"]:
        problems.append(f"{found} found by get, {len(by_id)} by search")
    return problems


def _judge(answer: dict[str, Any], hit: dict[str, Any] | None, ledger: Ledger, id: str) -> list[str]:
    """Compares a document with the ledger, which then takes it as it is."""
    known, doubtful = sorted(ledger.acknowledged[id]), ledger.doubtful.pop(id, {})
    last = known[-1] if known else None
    problems = []
    for one, next_one in itertools.pairwise(known):
        if one.seq_no == next_one.seq_no or (not one.deletes and one.version >= next_one.version):
            problems.append(f"{one} and then {next_one}")
    if not answer["found"]:
        if hit is not None:
            problems.append("found by search only")
        if last is not None and not last.deletes and not any(doubtful.values()):
            problems.append(f"lost {last}")
        ledger.acknowledged[id] = [last] if last is not None and last.deletes else []
        return problems
    source = answer["_source"]
    now = Acknowledged(answer["_seq_no"], answer["_version"], source["token"], deletes=False)
    if source["sum"] != zlib.crc32((source["token"] + source["fill"]).encode()):
        problems.append(f"torn: {source}")
    if now != last and (now.token not in doubtful or (last is not None and now.seq_no < last.seq_no)):
        problems.append(f"{now}, but acknowledged was {last} and in doubt {doubtful}")
    if hit is None or (hit["_seq_no"], hit["_version"], hit["_source"]) != (now.seq_no, now.version, source):
        problems.append(f"search shows {hit}")
    ledger.acknowledged[id] = [now]
    return problems


@pytest.mark.timeout(120 + KILLS * 30)
def test_shared_documents_survive_kills(tmp_path: Path) -> None:
    node, ledger, running = Node(tmp_path), Ledger(), threading.Event()
    node.start()
    client = Client(node.url)
    assert client.call("PUT", "/shared", {"settings": SETTINGS}).status == 200
    flipper = Flipper(node.url, SEED, running, ledger)
    workers: list[Worker] = [Writer(node.url, SEED * 100 + n, running, ledger) for n in range(CLIENTS)]
    workers += [Disturber(node.url, SEED, running, ledger), flipper]
    moments = random.Random(SEED)
    written = 0
    try:
        for worker in workers:
            worker.start()
        for kill in range(KILLS):
            running.set()
            time.sleep(moments.uniform(0.02, 1.2))
            node.kill()
            running.clear()
            for worker in workers:
                worker.idle.wait()
            written += sum(map(len, ledger.acknowledged.values()))
            node.start()
            _wait_for_green(client)
            problems = ledger.problems + _check(client, ledger) + flipper.check(client)
            assert not problems, f"after kill {kill + 1}"
        assert written > KILLS
    finally:
        for worker in workers:
            worker.ended = True
        for worker in workers:
            worker.join()
        client.close()
        node.stop()
