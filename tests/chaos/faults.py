"""What happens to a cluster's nodes while clients use it; each fault ends with the nodes there again."""

from __future__ import annotations

import contextlib
import functools
import random
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from tests.support import disk
from tests.support.cluster import Running, until

_DURING = 40
_AFTER = 20
"""Changes that are acknowledged meanwhile and afterwards."""
_MOMENTS = (0.5, 0.8, 1.0, 1.5, 0.7, 2.1, 0.9, 2.5, 1.2, 3.0)
"""Seconds around those after which a silent node leads no more, and has left."""


Silence: TypeAlias = Callable[[Running, Sequence[str]], contextlib.AbstractContextManager[None]]
"""Within it the nodes say nothing."""


class Workload(Protocol):
    """Clients that change something."""

    def running(self, unread: Iterable[str] = ()) -> contextlib.AbstractContextManager[Any]:
        """Within this they run; `unread` are the nodes that may answer from a state that they no longer follow."""

    def avoiding(self, *nodes: str) -> contextlib.AbstractContextManager[None]:
        """Within this nobody asks these: they would keep every client waiting."""

    def shaken(self) -> contextlib.AbstractContextManager[None]:
        """Within this a leader or a primary goes; ends when changes are acknowledged again."""

    def more(self, count: int) -> None:
        """Waits until so many more changes were acknowledged."""


@dataclass(frozen=True)
class Fault:
    """`whom` names the nodes that it meets. `copies`: some copy of each shard lives all the time, if each has two."""

    whom: Callable[[Running, random.Random], list[str]]
    happen: Callable[[Running, Workload, Sequence[str]], None]
    needs_networks: bool = False
    needs_disk: bool = False
    copies: bool = True


def _leader(cluster: Running, _chance: random.Random) -> list[str]:
    return [cluster.leader()]


def _follower(cluster: Running, chance: random.Random) -> list[str]:
    leader = cluster.leader()
    return [chance.choice([name for name in cluster.names("master") if name != leader])]


def _data_node(cluster: Running, chance: random.Random) -> list[str]:
    return [chance.choice(cluster.names("data"))]


def _two_data_nodes(cluster: Running, chance: random.Random) -> list[str]:
    return chance.sample(cluster.names("data"), 2)


def _leader_and_data_node(cluster: Running, chance: random.Random) -> list[str]:
    return [cluster.leader(), *_data_node(cluster, chance)]


def _data_nodes(cluster: Running, _chance: random.Random) -> list[str]:
    return cluster.names("data")


def _small_disk(cluster: Running, _chance: random.Random) -> list[str]:
    return [cluster.names("data")[-1]]


def _all(cluster: Running, _chance: random.Random) -> list[str]:
    return [member.name for member in cluster.cluster.members]


def _masters_and_one(cluster: Running, chance: random.Random) -> list[str]:
    return [*chance.sample(cluster.names("master"), len(cluster.names("master"))), *_data_node(cluster, chance)]


def _another(cluster: Running, names: Sequence[str]) -> str:
    """A data node to which nothing happens."""
    return next(name for name in cluster.names("data") if name not in names)


def _nobody(_cluster: Running, _chance: random.Random) -> list[str]:
    return []


def _calm(_cluster: Running, workload: Workload, _names: Sequence[str]) -> None:
    workload.more(2 * _DURING)


def _killed(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    with workload.shaken():
        for name in names:
            cluster.kill(name)
    workload.more(_DURING)
    cluster.start(*names)


def _all_killed(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    with workload.shaken():
        for name in names:
            cluster.kill(name)
        cluster.start(*names)


def _restarted(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    for name in names:
        with workload.shaken():
            cluster.stop(name)
        cluster.start(name)


@contextlib.contextmanager
def _stopped(cluster: Running, names: Sequence[str]) -> Iterator[None]:
    for name in names:
        cluster.kill(name, signal.SIGSTOP)
    try:
        yield
    finally:
        for name in names:
            cluster.kill(name, signal.SIGCONT)


@contextlib.contextmanager
def _cut(cluster: Running, names: Sequence[str]) -> Iterator[None]:
    """Nothing passes between the node and the others; its own etcd is cut off with it."""
    assert cluster.networks is not None
    for name in names:
        cluster.networks.cut(name)
    try:
        yield
    finally:
        for name in names:
            cluster.networks.mend(name)


def _silent(silence: Silence, cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """Long enough for another to lead; a leader that comes back finds itself deposed."""
    led, other = cluster.leader() in names, _another(cluster, names)
    with workload.shaken(), silence(cluster, names), workload.avoiding(*names):
        workload.more(_DURING)
        assert not led or cluster.leader(other) not in names


_paused = functools.partial(_silent, _stopped)
_cut_off = functools.partial(_silent, _cut)


def _apart(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """The two do not reach each other; all others reach both."""
    assert cluster.networks is not None
    with workload.shaken():
        cluster.networks.part(*names)
        try:
            workload.more(_DURING)
        finally:
            cluster.networks.join(*names)


def _killed_again(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """A second time while its copies come back."""
    _killed(cluster, workload, names)
    workload.more(1)
    _killed(cluster, workload, names)


def _restarted_in_turn(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """As an operator does it: the next one when all copies are there again."""
    for name in names:
        with workload.avoiding(name):
            cluster.stop(name)
            workload.more(_AFTER)
            cluster.start(name)
            green(cluster, [name])


def _killed_in_turn(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """Nobody waits until the copies of the one are there again before the next is killed."""
    for name in names:
        with workload.shaken():
            cluster.kill(name)
            cluster.start(name)


def _by_moments(silence: Silence, cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """For a moment again and again: others take over from it, and it goes on as if nothing had been."""
    for seconds in _MOMENTS:
        with silence(cluster, names):
            time.sleep(seconds)
        workload.more(4)


_stutters = functools.partial(_by_moments, _stopped)
_flaps = functools.partial(_by_moments, _cut)


def _filled(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """The node's copies cannot take another write; where there is room again they come back."""
    folder = cluster.cluster.folder / names[0]
    with workload.shaken():
        ballast = disk.fill(folder)
        try:
            workload.more(5 * _DURING)
        finally:
            ballast.unlink()


FAULTS = {
    "nothing": Fault(_nobody, _calm),
    "leader killed": Fault(_leader, _killed),
    "follower killed": Fault(_follower, _killed),
    "data node killed": Fault(_data_node, _killed),
    "leader paused": Fault(_leader, _paused),
    "follower paused": Fault(_follower, _paused),
    "data node paused": Fault(_data_node, _paused),
    "all killed": Fault(_all, _all_killed, copies=False),
    "rolling restart": Fault(_masters_and_one, _restarted),
    "leader cut off": Fault(_leader, _cut_off, needs_networks=True),
    "follower cut off": Fault(_follower, _cut_off, needs_networks=True),
    "data node cut off": Fault(_data_node, _cut_off, needs_networks=True),
}
"""Those that metadata and documents both live through."""
DOCUMENT_FAULTS = {
    **{name: fault for name, fault in FAULTS.items() if fault.happen is not _restarted},
    "all restarted in turn": Fault(_all, _restarted_in_turn),
    "data node stutters": Fault(_data_node, _stutters),
    "leader stutters": Fault(_leader, _stutters),
    "data node flaps": Fault(_data_node, _flaps, needs_networks=True),
    "data nodes killed in turn": Fault(_data_nodes, _killed_in_turn, copies=False),
    "all data nodes killed": Fault(_data_nodes, _all_killed, copies=False),
    "leader and data node killed": Fault(_leader_and_data_node, _killed),
    "data node killed again": Fault(_data_node, _killed_again),
    "two data nodes apart": Fault(_two_data_nodes, _apart, needs_networks=True),
    "leader and data node apart": Fault(_leader_and_data_node, _apart, needs_networks=True),
    "disk full": Fault(_small_disk, _filled, needs_disk=True),
}


def happen(fault: Fault, cluster: Running, workload: Workload, chance: random.Random) -> list[str]:
    """Lets it happen among the clients; the nodes that it met."""
    names = fault.whom(cluster, chance)
    with workload.running(unread=() if len(names) == len(cluster.cluster.members) else names):
        workload.more(_AFTER)
        fault.happen(cluster, workload, names)
        workload.more(_AFTER)
    return names


def healed(cluster: Running) -> None:
    """Waits until every node follows the leader and all shards are there."""
    # Copies that failed too often wait until they are told.
    cluster.call(cluster.names("data")[0], "POST", "/_cluster/reroute?retry_failed=true")
    green(cluster, [member.name for member in cluster.cluster.members])


def green(cluster: Running, names: Iterable[str]) -> None:
    """Waits until each of these follows the leader and sees all nodes and shards."""
    for name in names:
        until(functools.partial(cluster.answers, name))
        whole = f"wait_for_status=green&wait_for_nodes={len(cluster.cluster.members)}"
        path = f"/_cluster/health?{whole}&wait_for_no_relocating_shards=true&timeout=60s"
        status, body = cluster.call(name, "GET", path)
        assert (status, body.get("timed_out")) == (200, False), (name, body)
