"""`kill -9` at any moment loses no acknowledged write.

Writers change documents of their own, one after the other, and note what was acknowledged. The node is killed again and
again and started on the same folder; then every document must have its last acknowledged content, or that of the one
write that was under way when it died.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.client import Client
from tests.support.node import Node

WRITERS = 4
DOCUMENTS = 8
KILLS = 20
MISSING = None


class Writer(threading.Thread):
    """Writes its documents until told to stop; keeps per document the acknowledged content and the one under way."""

    def __init__(self, url: str, name: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.client = Client(url, timeout=10)
        self.prefix = name
        self.acknowledged: dict[str, int | None] = {}
        self.pending: dict[str, int | None] = {}
        self.writes = 0
        self.counter = 0
        self.running = threading.Event()
        self.busy = threading.Lock()
        self.end = False

    def run(self) -> None:
        while not self.end:
            self.running.wait(0.05)
            with self.busy:
                if not self.running.is_set():
                    continue
                try:
                    self.step()
                except (OSError, http.client.HTTPException):
                    self.running.clear()

    def rest(self) -> None:
        """Returns when no request is under way and none will follow."""
        self.running.clear()
        with self.busy:
            pass

    def step(self) -> None:
        if self.random.random() < 0.5:
            self._bulk()
        else:
            self._single()

    def _next(self) -> tuple[str, int]:
        self.counter += 1
        return f"{self.prefix}-{self.random.randrange(DOCUMENTS)}", self.counter

    def _single(self) -> None:
        id, value = self._next()
        deletes = self.random.random() < 0.2
        self.pending = {id: MISSING if deletes else value}
        if deletes:
            answer = self.client.call("DELETE", f"/kill/_doc/{id}", repeat=False)
            assert answer.status in (200, 404), answer
        else:
            answer = self.client.call("PUT", f"/kill/_doc/{id}", {"value": value}, repeat=False)
            assert answer.status in (200, 201), answer
        self._acknowledge()

    def _bulk(self) -> None:
        lines: list[Any] = []
        self.pending = {}
        for _ in range(self.random.randrange(1, 6)):
            id, value = self._next()
            if id not in self.pending:
                self.pending[id] = value
                lines += [{"index": {"_index": "kill", "_id": id}}, {"value": value}]
        answer = self.client.call("POST", "/_bulk", lines, repeat=False)
        assert answer.status == 200, answer
        assert not answer.json["errors"], answer
        self._acknowledge()

    def _acknowledge(self) -> None:
        self.acknowledged.update(self.pending)
        self.pending = {}
        self.writes += 1


def _check(client: Client, writer: Writer) -> list[str]:
    problems = []
    for id in {*writer.acknowledged, *writer.pending}:
        answer = client.call("GET", f"/kill/_doc/{id}").json
        found = answer["_source"]["value"] if answer["found"] else MISSING
        allowed = [writer.acknowledged.get(id, MISSING)]
        if id in writer.pending:
            allowed.append(writer.pending[id])
        if found not in allowed:
            problems.append(f"{id}: {found}, expected one of {allowed}")
        writer.acknowledged[id] = found
    writer.pending = {}
    return problems


@pytest.mark.timeout(600)
def test_acknowledged_writes_survive_kills(tmp_path: Path) -> None:
    node = Node(tmp_path)
    node.start()
    client = Client(node.url)
    settings = {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "100ms"}
    assert client.call("PUT", "/kill", {"settings": settings}).status == 200
    writers = [Writer(node.url, f"w{number}", number) for number in range(WRITERS)]
    moments = random.Random(7)
    try:
        for writer in writers:
            writer.start()
        for kill in range(KILLS):
            before = sum(writer.writes for writer in writers)
            for writer in writers:
                writer.running.set()
            deadline = time.monotonic() + 30
            target = before + moments.randrange(1, 120)
            while sum(writer.writes for writer in writers) < target and time.monotonic() < deadline:
                if kill % 4 == 3 and moments.random() < 0.05:
                    client.call("POST", "/kill/_flush")
                time.sleep(0.001)
            node.kill()
            for writer in writers:
                writer.rest()
            node.start()
            problems = [problem for writer in writers for problem in _check(client, writer)]
            assert not problems, f"after kill {kill + 1}"
        assert all(writer.writes > KILLS for writer in writers)
    finally:
        for writer in writers:
            writer.end = True
        for writer in writers:
            writer.join()
            writer.client.close()
        client.close()
        node.stop()
