"""What happens to a cluster's nodes while clients change its metadata; each fault ends with the cluster whole again."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.support.chaos import Workload
from tests.support.cluster import Running

_DURING = 40
_AFTER = 20
"""Changes that are acknowledged meanwhile and afterwards."""


@dataclass(frozen=True)
class Fault:
    """`whom` names the nodes that it meets, which nobody reads from: they may answer from a state that they no longer follow."""

    whom: Callable[[Running, random.Random], list[str]]
    happen: Callable[[Running, Workload, Sequence[str]], None]
    needs_networks: bool = False


def _leader(cluster: Running, _chance: random.Random) -> list[str]:
    return [cluster.leader()]


def _follower(cluster: Running, chance: random.Random) -> list[str]:
    leader = cluster.leader()
    return [chance.choice([name for name in cluster.names("master") if name != leader])]


def _data_node(cluster: Running, chance: random.Random) -> list[str]:
    return [chance.choice(cluster.names("data")[1:])]


def _all(cluster: Running, _chance: random.Random) -> list[str]:
    return [member.name for member in cluster.cluster.members]


def _masters_and_one(cluster: Running, chance: random.Random) -> list[str]:
    return [*chance.sample(cluster.names("master"), len(cluster.names("master"))), *_data_node(cluster, chance)]


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


def _paused(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """Long enough for another to lead; a leader that wakes finds itself deposed."""
    led = cluster.leader() in names
    with workload.shaken():
        for name in names:
            cluster.kill(name, signal.SIGSTOP)
        try:
            with workload.avoiding(*names):
                workload.more(_DURING)
                assert not led or cluster.leader() not in names
        finally:
            for name in names:
                cluster.kill(name, signal.SIGCONT)


def _cut_off(cluster: Running, workload: Workload, names: Sequence[str]) -> None:
    """Nothing passes between the node and the others; its own etcd is cut off with it."""
    assert cluster.networks is not None
    led = cluster.leader() in names
    with workload.shaken():
        for name in names:
            cluster.networks.cut(name)
        try:
            with workload.avoiding(*names):
                workload.more(_DURING)
                assert not led or cluster.leader() not in names
        finally:
            for name in names:
                cluster.networks.mend(name)


FAULTS = {
    "nothing": Fault(_nobody, _calm),
    "leader killed": Fault(_leader, _killed),
    "follower killed": Fault(_follower, _killed),
    "data node killed": Fault(_data_node, _killed),
    "leader paused": Fault(_leader, _paused),
    "follower paused": Fault(_follower, _paused),
    "data node paused": Fault(_data_node, _paused),
    "all killed": Fault(_all, _all_killed),
    "rolling restart": Fault(_masters_and_one, _restarted),
    "leader cut off": Fault(_leader, _cut_off, needs_networks=True),
    "follower cut off": Fault(_follower, _cut_off, needs_networks=True),
    "data node cut off": Fault(_data_node, _cut_off, needs_networks=True),
}


def happen(name: str, cluster: Running, workload: Workload, chance: random.Random) -> list[str]:
    """Lets it happen among the clients; the nodes that it met."""
    fault = FAULTS[name]
    names = fault.whom(cluster, chance)
    with workload.running(unread=() if len(names) == len(cluster.cluster.members) else names):
        workload.more(_AFTER)
        fault.happen(cluster, workload, names)
        workload.more(_AFTER)
    return names
