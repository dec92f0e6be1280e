"""What a data node makes of states that come while its copies fail, or that were made before it started."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from quidditch.controlplane.core.commands import ShardFailed, ShardStarted
from quidditch.datanode.folder import DataFolder
from quidditch.datanode.node import DataNode
from quidditch.model.objects import Copy, Index, IndexSpec, Routing, RoutingSpec, ShardRouting, metadata_for
from quidditch.model.state import ClusterState
from tests.sim.loop import Life, simulated
from tests.sim.machines import Data, SimulatedPool
from tests.sim.model import Runtime
from tests.sim.net import Network
from tests.sim.trace import Trace
from tests.sim.twins import twins

_INDEX = Index(metadata=metadata_for("i"), spec=IndexSpec(name="i", uuid="u"))


class _Control:
    """Hears reports."""

    def __init__(self) -> None:
        self.state = ClusterState()
        self.heard: list[Any] = []

    async def submit(self, command: Any, wait_seconds: float = 30) -> None:
        del wait_seconds
        self.heard.append(command)


class _Rig:
    """A data node with one copy of one shard, the primary."""

    def __init__(self, net: Network) -> None:
        self.control = _Control()
        self.version = 0
        self.net = net
        self.disk = Data("d0", net, []).disk
        self.start()

    def start(self) -> None:
        pool: Any = SimulatedPool("shards", 1)
        runtime: Any = Runtime(self.disk)
        control: Any = self.control
        transport: Any = self.net.join("d0", Life("d0"))
        self.folder = DataFolder(Path("d0"))
        self.node = DataNode(self.folder, runtime, Data.mapping, control, transport, self.net.loop, pool, pool)

    async def routed(self, state: Any, term: int, recovery: Any = None) -> None:
        """What the control plane has the copy for from now on."""
        copy = Copy(primary=True, state=state, node="d0", allocation_id="a", recovery=recovery)
        shard = ShardRouting(primary_term=term, in_sync=("a",), copies=(copy,))
        routing = Routing(metadata=metadata_for("i"), spec=RoutingSpec(index="i", uuid="u", shards=(shard,)))
        self.version += 1
        self.node.apply(
            self.node.state, ClusterState({"Index": {"i": _INDEX}, "Routing": {"i": routing}}, self.version)
        )
        await asyncio.sleep(1)


def _play(folder: Path, monkeypatch: pytest.MonkeyPatch, test: Callable[[_Rig], Coroutine[Any, Any, None]]) -> None:
    monkeypatch.chdir(folder)
    disks: dict[str, Any] = {}
    with twins(disks), simulated(0) as loop:
        rig = _Rig(Network(loop, Trace(loop.time), 0, lambda _: False))
        loop.run_until_complete(test(rig))


def test_a_primary_that_is_not_open_is_not_opened_in_its_old_term(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state of before the node started: what the copy had not on disk is gone, other copies may have it under the same numbers."""

    async def test(rig: _Rig) -> None:
        await rig.routed("INITIALIZING", 1, "EMPTY_STORE")
        rig.folder.close()
        rig.start()
        await rig.routed("STARTED", 1)
        assert not rig.node.has("u", 0)
        started, failed = rig.control.heard
        assert isinstance(started, ShardStarted)
        assert isinstance(failed, ShardFailed)
        assert failed.primary_term == 1
        await rig.routed("INITIALIZING", 2, "EXISTING_STORE")
        assert rig.node.copy("u", 0).primary_term == 2

    _play(tmp_path, monkeypatch, test)


def test_a_primary_that_fails_while_a_new_term_wants_it_is_opened_in_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control plane does not decide on a failure in an old term, so no newer state comes that would have the copy opened."""

    async def test(rig: _Rig) -> None:
        await rig.routed("INITIALIZING", 1, "EMPTY_STORE")
        await rig.routed("STARTED", 1)
        shard = rig.node.copy("u", 0)

        async def promote(*_: Any) -> Any:
            await asyncio.sleep(0.1)
            raise TimeoutError

        monkeypatch.setattr(rig.node.copies, "promote", promote)
        rig.control.heard.clear()
        await rig.routed("INITIALIZING", 2, "EXISTING_STORE")
        assert rig.node.copy("u", 0) is not shard
        started = [each for each in rig.control.heard if isinstance(each, ShardStarted)]
        assert [each.primary_term for each in started] == [2]

    _play(tmp_path, monkeypatch, test)
