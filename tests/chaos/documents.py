"""Writers and readers of documents while a cluster suffers.

Every writer has documents of its own: such with external versions, such that are changed only as they were seen (`if_seq_no`), and new
ones with generated ids, one by one and in bulks. Readers ask for a set of documents that nobody changes, which they must get whole from
whatever node answers, and look into what is being written for anything that is there twice.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tests.chaos.client import Actor, Heard
from tests.chaos.ledger import Document, Ledger
from tests.chaos.reader import FIXED, Reader
from tests.support.cluster import Running, until

WRITTEN = "documents"
_SERVER_SECONDS = 5
_CLIENT_SECONDS = 8.0
_IN_FLIGHT_SECONDS = 60.0
"""So long a request of which nobody heard may be under way."""
_KNOWN = ("No space left on device", "node_disconnected_exception")
"""What a write that met the fault may say with status 500."""
_PAUSE = 0.004
"""Seconds between two requests of a client: they leave the processor to the nodes."""


def prepare(cluster: Running, ledger: Ledger, writers: int = 4) -> None:
    """Makes the indices, and the documents that are there from the beginning."""
    node = cluster.names("data")[0]
    once = {"number_of_shards": 3, "number_of_replicas": 1, "refresh_interval": "200ms"}
    often = {**once, "gc_deletes": "1h", "translog.flush_threshold_size": "64kb"}
    for name, settings in ((FIXED.index, once), (WRITTEN, often)):
        status, body = cluster.call(node, "PUT", f"/{name}?timeout=60s", {"settings": settings})
        assert (status, body["shards_acknowledged"]) == (200, True), body
    lines: list[Any] = []
    for number in range(FIXED.count):
        lines += [{"index": {"_index": FIXED.index, "_id": str(number)}}, FIXED.source(number)]
    for writer in range(writers):
        for id in (*_versioned(writer), *_conditional(writer)):
            document = ledger.documents[id] = Document()
            number = document.begin()
            lines += [{"index": {"_index": WRITTEN, "_id": id, **_version(id, number)}}, {"n": number}]
            document.acknowledge(number)
    status, body = cluster.call(node, "POST", "/_bulk?refresh=true", lines)
    assert (status, body["errors"]) == (200, False), body


def _versioned(writer: int) -> list[str]:
    return [f"v{writer}-{number}" for number in range(12)]


def _conditional(writer: int) -> list[str]:
    return [f"c{writer}-{number}" for number in range(5)]


def _version(id: str, number: int) -> dict[str, Any]:
    return {"version": number, "version_type": "external"} if id.startswith("v") else {}


class Writer(Actor):
    """What is acknowledged are writes; `longest` is the longest time between two of them in seconds."""

    def __init__(self, workload: Workload, number: int, seed: int) -> None:
        super().__init__(f"writer-{number}", workload.urls, seed, _CLIENT_SECONDS)
        self._workload = workload
        self._number = number
        self._doubted: dict[str, float] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self._keys = 0
        self.longest = 0.0
        self.answers: Counter[str] = Counter()

    def go(self) -> None:
        acts = (self._put, self._delete, self._change, self._new, self._bulk)
        while not self._workload.end.wait(_PAUSE):
            began, before = time.monotonic(), self.acknowledged
            self.chance.choices(acts, (35, 10, 20, 20, 15))[0]()
            while self.acknowledged == before and not self._workload.end.is_set():
                self._put()
            self.longest = max(self.longest, time.monotonic() - began)

    def _ask(self, method: str, path: str, body: Any = None) -> Heard:
        return self.caller.ask(self.caller.choose(self._workload.avoided), method, path, body)

    # --- documents with external versions ---------------------------------------------------------------------------

    def _put(self) -> None:
        id = self.chance.choice(_versioned(self._number))
        document = self._workload.ledger.documents[id]
        number = document.begin()
        self._settle(
            id, number, self._ask("PUT", _at(id, f"version={number}&version_type=external"), self._body(number))
        )

    def _delete(self) -> None:
        """Only where no write may still be under way: a node that comes back does not know the versions of what is deleted."""
        safe = time.monotonic() - _IN_FLIGHT_SECONDS
        ids = [id for id in _versioned(self._number) if self._doubted.get(id, 0.0) < safe]
        if not ids:
            return
        id = self.chance.choice(ids)
        document = self._workload.ledger.documents[id]
        number = document.begin(deletes=True)
        self._settle(id, number, self._ask("DELETE", _at(id, f"version={number}&version_type=external")))

    def _body(self, number: int) -> dict[str, Any]:
        return {"n": number, "text": f"attempt {number} " + "x" * self.chance.randrange(400)}

    # --- documents that are changed as they were seen ---------------------------------------------------------------

    def _change(self) -> None:
        id = self.chance.choice(_conditional(self._number))
        document = self._workload.ledger.documents[id]
        seen = self._seen.pop(id, None)
        certain = seen is not None and not document.open
        if seen is None:
            heard = self._ask("GET", f"/{WRITTEN}/_doc/{id}")
            if not heard.fine:
                self._count(heard)
                return
            seen = heard.body["_seq_no"], heard.body["_primary_term"]
        number = document.begin()
        condition = f"if_seq_no={seen[0]}&if_primary_term={seen[1]}"
        if self.chance.random() < 0.5:
            heard = self._ask("PUT", _at(id, condition), self._body(number))
        else:
            heard = self._ask("POST", _at(id, condition, "_update"), {"doc": self._body(number)})
        self._settle(id, number, heard)
        if certain and heard.status == 409:
            self.surprises.append(f"[{id}] attempt {number} does not find what its writer wrote last: {heard.body}")
        if heard.fine:
            self._seen[id] = heard.body["_seq_no"], heard.body["_primary_term"]

    # --- documents with generated ids -------------------------------------------------------------------------------

    def _new(self) -> None:
        key = self._key()
        self._settle_key(
            key, self._ask("POST", f"/{self._workload.generated}/_doc?timeout={_SERVER_SECONDS}s", {"key": key})
        )

    def _key(self) -> str:
        self._keys += 1
        key = f"{self._number}-{self._keys}"
        self._workload.ledger.doubtful.add(key)
        return key

    def _settle_key(self, key: str, heard: Heard) -> None:
        if heard.fine:
            self._workload.ledger.written.add(key)
        self._count(heard)

    # --- bulks ------------------------------------------------------------------------------------------------------

    def _bulk(self) -> None:
        lines: list[Any] = []
        asked: list[tuple[str, int]] = []
        for id in self.chance.sample(_versioned(self._number), 3):
            number = self._workload.ledger.documents[id].begin()
            lines += [{"index": {"_index": WRITTEN, "_id": id, **_version(id, number)}}, self._body(number)]
            asked.append((id, number))
        for _ in range(3):
            key = self._key()
            lines += [{"index": {"_index": self._workload.generated}}, {"key": key}]
            asked.append((key, 0))
        heard = self._ask("POST", f"/_bulk?timeout={_SERVER_SECONDS}s", lines)
        items = heard.body["items"] if heard.fine else [{"index": None}] * len(asked)
        for (id, number), item in zip(asked, items, strict=True):
            answer = item["index"]
            of_item = heard if answer is None else Heard(heard.node, answer["status"], answer)
            if number:
                # Tried again by the node it may meet itself.
                self._settle(id, number, of_item, refusable=False)
            else:
                self._settle_key(id, of_item)

    # --- what was heard ---------------------------------------------------------------------------------------------

    def _settle(self, id: str, number: int, heard: Heard, refusable: bool = True) -> None:
        document = self._workload.ledger.documents[id]
        missing = heard.status == 404 and isinstance(heard.body, dict) and heard.body.get("result") == "not_found"
        if heard.fine or missing:
            document.acknowledge(number, (heard.body["_seq_no"], heard.body["_primary_term"]))
            if id.startswith("v") and heard.body["_version"] != number:
                self.surprises.append(f"[{id}] attempt {number} has version {heard.body['_version']}")
        elif not heard.sent or (refusable and heard.status == 409):
            document.refuse(number)
            if heard.status == 409 and id.startswith("v"):
                self.surprises.append(f"[{id}] attempt {number} of its only writer is refused: {heard.body}")
        else:
            self._doubted[id] = time.monotonic()
        self._count(heard, missing)

    def _count(self, heard: Heard, missing: bool = False) -> None:
        if heard.fine or missing:
            self.acknowledged += 1
            self.answers["acknowledged"] += 1
            return
        hung = f" by {heard.node}" if heard.error == "TimeoutError" else ""
        self.answers[f"{heard.status} {heard.error}{hung}"] += 1
        told = heard.status == 500 and any(known in str(heard.body) for known in _KNOWN)
        if heard.status not in (0, 409, 429, 503, 504) and not told:
            self.surprises.append(f"{heard.node}: {heard.status} {heard.body}")


def _at(id: str, parameters: str, verb: str = "_doc") -> str:
    return f"/{WRITTEN}/{verb}/{id}?timeout={_SERVER_SECONDS}s&{parameters}"


class Workload:
    """The clients of one round. `generated` is the index of its documents with generated ids; `avoided` are nodes that nobody asks;
    `hurt` are those that may answer with errors; `reads`: whether some copy of each shard always lives.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        seed: int,
        ledger: Ledger,
        generated: str,
        *,
        writers: int = 4,
        readers: int = 3,
        reads: bool = True,
    ) -> None:
        self.urls = dict(urls)
        self.ledger = ledger
        self.generated = generated
        self.avoided: frozenset[str] = frozenset()
        self.hurt: frozenset[str] = frozenset()
        self.end = threading.Event()
        self.writers = [Writer(self, number, seed) for number in range(writers)]
        self.readers = [Reader(self, number, seed) for number in range(readers if reads else 0)]

    @contextlib.contextmanager
    def running(self, unread: Iterable[str] = ()) -> Iterator[Workload]:
        """`unread`: the nodes that something happens to."""
        self.hurt = frozenset(unread)
        clients: list[Actor] = [*self.writers, *self.readers]
        for client in clients:
            client.start()
        try:
            yield self
        finally:
            self.end.set()
            for client in clients:
                client.join()

    @contextlib.contextmanager
    def avoiding(self, *nodes: str) -> Iterator[None]:
        """Asks these no more: they would keep every client waiting."""
        self.avoided = frozenset(nodes)
        try:
            yield
        finally:
            self.avoided = frozenset()

    @contextlib.contextmanager
    def shaken(self) -> Iterator[None]:
        """Ends when every writer's writes are acknowledged again."""
        yield
        self.more(1)

    def more(self, count: int) -> None:
        """Waits for so many more acknowledged writes, some of each writer, and for some more reads of each reader."""
        clients: list[Actor] = [*self.writers, *self.readers]
        wanted = {client: client.acknowledged + max(2, count // len(self.writers)) for client in clients}
        done = until(
            lambda: all(client.acknowledged >= number for client, number in wanted.items()) or self.surprises or "",
            120,
        )
        assert done is True, self.surprises[:5]

    @property
    def surprises(self) -> list[str]:
        return [surprise for client in (*self.writers, *self.readers) for surprise in client.surprises]

    @property
    def answers(self) -> Counter[str]:
        return sum((writer.answers for writer in self.writers), Counter[str]())
