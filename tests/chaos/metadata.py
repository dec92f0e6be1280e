"""Clients that change a cluster's metadata while it suffers, and the judgement of what they were told.

Several clients create and delete the same few indices, set and take aliases and add fields to a mapping, each through any node. What they
heard goes into histories; at the end every node is asked, and the histories together with the writes in etcd must be explicable.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import math
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.support.client import Client
from tests.support.cluster import Running, until
from tests.support.linearizable import UNKNOWN, Operation, alias_name, impossible, impossible_alone, index_name
from tests.support.write_history import Commit, Recorder, lost, problems

BASE = "base"
"""The index whose mapping grows and that the aliases belong to; nobody deletes it."""
_WAIT = "timeout=10s&cluster_manager_timeout=10s"
_NEW = {"settings": {"number_of_shards": 1, "number_of_replicas": 0}}
_HTTP_SECONDS = 15.0
_Heard = tuple[int, Any]


class Workload:
    """The clients. `names` are what they fight for; `enter` is called first in each client's thread."""

    def __init__(
        self,
        urls: Mapping[str, str],
        seed: int,
        *,
        clients: int = 5,
        names: int = 4,
        prefix: str = "race",
        enter: Callable[[], None] = lambda: None,
    ) -> None:
        self._urls = dict(urls)
        self._readable = dict(urls)
        self._avoided: frozenset[str] = frozenset()
        self._seed = seed
        self._prefix = prefix
        self._names = [f"{prefix}-{number}" for number in range(names)]
        self._enter = enter
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._numbers = itertools.count()
        self.histories: dict[str, list[Operation]] = defaultdict(list)
        self.aliases: dict[str, list[Operation]] = defaultdict(list)
        self.fields: dict[str, bool] = {}
        self.answers: Counter[str] = Counter()
        self.surprises: list[str] = []
        self._shaken: list[tuple[float, float]] = []
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True, name=f"client-{number}")
            for number in range(clients)
        ]

    @contextlib.contextmanager
    def running(self, unread: Iterable[str] = ()) -> Iterator[Workload]:
        """`unread` are the nodes that nobody reads from, since they answer from a state that they no longer follow."""
        self._readable = {name: url for name, url in self._urls.items() if name not in set(unread)}
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in self._threads:
                thread.join()

    @contextlib.contextmanager
    def avoiding(self, *nodes: str) -> Iterator[None]:
        """Asks these no more: they would keep every client waiting."""
        self._avoided = frozenset(nodes)
        try:
            yield
        finally:
            self._avoided = frozenset()

    @contextlib.contextmanager
    def shaken(self) -> Iterator[None]:
        """Within this a leader goes; ends when changes are acknowledged again. See :func:`sent_again`."""
        began = time.monotonic()
        yield
        self.more(1)
        self._shaken.append((began, time.monotonic()))

    def heard(self, history: Iterable[Operation]) -> list[Operation]:
        """The history as it can be judged: an operation under way when a leader went may have been sent twice."""
        return [
            part
            for op in history
            for part in (
                sent_again(op)
                if any(op.called <= end and op.answered >= began for began, end in self._shaken)
                else [op]
            )
        ]

    def more(self, count: int) -> None:
        """Waits until so many more changes were acknowledged."""
        wanted = self.acknowledged + count
        until(lambda: self.acknowledged >= wanted or not any(thread.is_alive() for thread in self._threads))
        assert self.acknowledged >= wanted, self.surprises

    @property
    def acknowledged(self) -> int:
        return self.answers["created"] + self.answers["deleted"] + self.answers["done"]

    # --- one client -------------------------------------------------------------------------------------------------

    def _client(self, number: int) -> None:
        self._enter()
        chance = random.Random(f"{self._seed}/{number}")
        connections: dict[str, Client] = {}
        actions: Sequence[Callable[[random.Random, Callable[..., _Heard]], None]] = (
            self._create,
            self._delete,
            self._exists,
            self._alias,
            self._field,
        )
        while not self._end.is_set():
            action = chance.choices(actions, (30, 30, 20, 12, 8))[0]
            nodes = self._readable if action == self._exists else self._urls
            url = nodes[chance.choice(sorted(nodes.keys() - self._avoided))]
            client = connections.setdefault(url, Client(url, _HTTP_SECONDS))
            try:
                action(chance, lambda *request, client=client: _asked(client, *request))
            except Exception as error:
                self.surprises.append(f"{action.__name__}: {error!r}")
                raise
        for client in connections.values():
            client.close()

    def _create(self, chance: random.Random, ask: Callable[..., _Heard]) -> None:
        name = chance.choice(self._names)
        self._noted(
            self.histories[name],
            "create",
            lambda: ask("PUT", f"/{name}?wait_for_active_shards=0&{_WAIT}", _NEW),
            {(200, ""): "created", (400, "resource_already_exists_exception"): "exists"},
        )

    def _delete(self, chance: random.Random, ask: Callable[..., _Heard]) -> None:
        name = chance.choice(self._names)
        self._noted(
            self.histories[name],
            "delete",
            lambda: ask("DELETE", f"/{name}?{_WAIT}"),
            {(200, ""): "deleted", (404, "index_not_found_exception"): "missing"},
        )

    def _exists(self, chance: random.Random, ask: Callable[..., _Heard]) -> None:
        name = chance.choice(self._names)
        self._noted(
            self.histories[name],
            "exists",
            lambda: ask("HEAD", f"/{name}"),
            {(200, ""): "yes", (404, ""): "no"},
        )

    def _alias(self, chance: random.Random, ask: Callable[..., _Heard]) -> None:
        alias = f"{self._prefix}-alias-{chance.randrange(4)}"
        action = chance.choice(("add", "remove"))
        body = {
            "actions": [
                {action: {"index": BASE, "alias": alias, **({"must_exist": True} if action == "remove" else {})}}
            ]
        }
        self._noted(
            self.aliases[alias],
            action,
            lambda: ask("POST", f"/_aliases?{_WAIT}", body),
            {(200, ""): "done", (404, "aliases_not_found_exception"): "missing"},
        )

    def _field(self, _chance: random.Random, ask: Callable[..., _Heard]) -> None:
        field = f"{self._prefix}_{next(self._numbers)}"
        heard: list[Operation] = []
        self.fields[field] = False
        self._noted(
            heard,
            "put",
            lambda: ask("PUT", f"/{BASE}/_mapping?{_WAIT}", {"properties": {field: {"type": "keyword"}}}),
            {(200, ""): "done"},
        )
        self.fields[field] = bool(heard) and heard[0].known

    def _noted(
        self,
        history: list[Operation],
        action: str,
        ask: Callable[[], _Heard],
        answers: Mapping[tuple[int, str], str],
    ) -> None:
        """One operation, with what the client heard. A read without an answer tells nothing."""
        called = time.monotonic()
        status, body = ask()
        answered = time.monotonic()
        error = body.get("error") if isinstance(body, dict) else None
        kind = str(error["type"]) if isinstance(error, dict) else ""
        if body == ConnectionRefusedError.__name__:
            self._end.wait(0.02)
            return  # nobody got it
        answer = answers.get((status, kind), UNKNOWN)
        if isinstance(body, dict) and body.get("acknowledged") is False:
            answer = UNKNOWN  # decided, but not applied everywhere within the time that it had
        with self._lock:
            self.answers[answer] += 1
            if answer == UNKNOWN:
                self.answers[f"{action}: {status} {kind or body}"] += 1
                if status and status not in (503, 504):
                    self.surprises.append(f"{action}: {status} {body}")
            if answer != UNKNOWN:
                history.append(Operation(action, answer, called, answered, f"{status} {kind}"))
            elif action != "exists":
                history.append(Operation(action, UNKNOWN, called))


def _asked(client: Client, method: str, path: str, body: Any = None) -> _Heard:
    """Status and body; status 0 where the connection ended or stayed silent."""
    try:
        answer = client.call(method, path, body, repeat=False)
        return answer.status, answer.json if answer.data else None
    except (OSError, http.client.HTTPException) as error:
        client.close()
        return 0, type(error).__name__


def sent_again(op: Operation) -> list[Operation]:
    """A node that lost its leader sends what it was asked to the next one, and does not know what became of the first. So there may have
    been a first one that nobody heard of. That a deletion was done says only that what was meant is gone.
    """
    if not op.known or op.action == "exists":
        return [op]
    first = replace(op, answer=UNKNOWN, answered=math.inf, note="a first try")
    if op.action in ("delete", "remove"):
        return [replace(op, answer="gone")] if op.answer in ("deleted", "done") else [first, op]
    return [first, op]


# --- judgement ------------------------------------------------------------------------------------------------------


def prepare(cluster: Running) -> None:
    """The index that aliases and fields go to."""
    node = cluster.names("data")[0]
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "index.mapping.total_fields.limit": 100_000}
    status, body = cluster.call(node, "PUT", f"/{BASE}?timeout=60s", {"settings": settings})
    assert (status, body["acknowledged"]) == (200, True), body


def judge(cluster: Running, workload: Workload, recorder: Recorder) -> None:
    """Everything that the clients heard, what every node says now and what etcd was told agree. The cluster is whole again."""
    assert not workload.surprises, workload.surprises[:5]
    commits = recorder.everything()
    names = [member.name for member in cluster.cluster.members]
    for name, history in workload.histories.items():
        reads = [op for op in history if op.action == "exists"]
        changes = workload.heard(op for op in history if op.action != "exists")
        finals = [_final(cluster, node, f"/{name}") for node in names]
        written = [commit for commit in commits if any(key == f"Index/{name}" for key, _ in commit.objects)]
        unexplained = impossible([*changes, *finals], index_name, False)
        assert unexplained is None, _told(name, [*changes, *finals], unexplained, written)
        unexplained = impossible_alone(changes, reads, index_name, False)
        assert unexplained is None, _told(name, changes, unexplained, written)
    for name, history in workload.aliases.items():
        finals = [_final(cluster, node, f"/_alias/{name}") for node in names]
        written = [commit for commit in commits if any(key == f"Alias/{name}" for key, _ in commit.objects)]
        unexplained = impossible([*workload.heard(history), *finals], alias_name, False)
        assert unexplained is None, _told(name, [*history, *finals], unexplained, written)
    for node in names:
        _, body = cluster.call(node, "GET", f"/{BASE}/_mapping")
        found = body[BASE]["mappings"].get("properties", {})
        missing = {field for field, acknowledged in workload.fields.items() if acknowledged} - set(found)
        assert not missing, f"{node} has lost acknowledged fields: {sorted(missing)}"
    assert problems(commits) == []
    created = {f"Index/{name}" for name, ops in workload.histories.items() if any(op.answer == "created" for op in ops)}
    assert lost(commits, created) == set()


def _final(cluster: Running, node: str, path: str) -> Operation:
    called = time.monotonic()
    status, _ = cluster.call(node, "HEAD", path)
    assert status in (200, 404)
    return Operation("exists", "yes" if status == 200 else "no", called, time.monotonic(), f"by {node} at the end")


def _told(name: str, history: Sequence[Operation], unexplained: Operation, written: Sequence[Commit]) -> str:
    """The operations and writes around one that nothing explains."""
    since, until_then = unexplained.called - 10, unexplained.answered + 0.5
    near = sorted(
        [(op.called, str(op)) for op in history if op.called <= until_then and op.answered >= since]
        + [(commit.seen, f"    {commit}") for commit in written if since <= commit.seen <= until_then]
    )
    lines = "\n".join(line for _, line in near[-80:])
    return f"no order of the operations on [{name}] explains {unexplained}:\n{lines}"
