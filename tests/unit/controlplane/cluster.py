"""Pure decisions for tests: a cluster of one node on which commands are decided and its shards start at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quidditch.controlplane.core.allocation.info import UNKNOWN
from quidditch.controlplane.core.allocation.memory import Memory
from quidditch.controlplane.core.commands import (
    Command,
    CreateIndex,
    HeldShard,
    RegisterNode,
    ShardStarted,
    UpdateAliases,
)
from quidditch.controlplane.core.decide import bootstrap, decide
from quidditch.controlplane.core.draft import Checks, Decision, Env, ParsedMappings
from quidditch.lib.ids import CountedIds
from quidditch.model.objects import NodeSpec
from quidditch.model.state import ClusterState

NOW = 1_700_000_000_000


class Cluster:
    """`run` decides a command and keeps the outcome; `starting=False` leaves copies initializing."""

    def __init__(self, *, nodes: int = 1, starting: bool = True, checks: Checks | None = None) -> None:
        self.ids = CountedIds()
        self.checks = checks or Checks()
        self.parsed = ParsedMappings()
        self.memory = Memory()
        self.info = UNKNOWN
        self.copies = True
        self.starting = starting
        self.now = NOW
        self.state = ClusterState()
        self._keep(bootstrap(self.state, "test", self.env))
        for number in range(nodes):
            self.join(number)

    @property
    def env(self) -> Env:
        return Env(
            self.now,
            self.ids,
            self.checks,
            parsed=self.parsed,
            info=self.info,
            copies=self.copies,
            memory=self.memory,
        )

    def join(
        self, number: int, ephemeral_id: str = "e", held: tuple[HeldShard, ...] | None = None, **more: Any
    ) -> None:
        spec = NodeSpec(
            **{
                "id": f"n{number}",
                "name": f"node-{number}",
                "roles": ("data",),
                "ephemeral_id": ephemeral_id,
                "host": f"h{number}",
                **more,
            }
        )
        self.run(RegisterNode(node=spec, held=held))

    def run(self, command: Command) -> Decision:
        decision = decide(self.state, command, self.env)
        self._keep(decision)
        if self.starting:
            self.start_all()
        return decision

    def _keep(self, decision: Decision) -> None:
        self.state = decision.state.apply([], self.state.version + 1)

    def start_all(self) -> None:
        while True:
            command = self._next_start()
            if command is None:
                return
            self._keep(decide(self.state, command, self.env))

    def _next_start(self) -> ShardStarted | None:
        for name, routing in self.state.routing.items():
            for number, shard in enumerate(routing.spec.shards):
                for copy in shard.placed:
                    if copy.state == "INITIALIZING":
                        return ShardStarted(
                            index=name, uuid=routing.spec.uuid, shard=number, allocation_id=copy.allocation_id or ""
                        )
        return None

    # --- shorthands -------------------------------------------------------------------------------------------------

    def create(self, name: str, settings: Mapping[str, Any] | None = None, **rest: Any) -> Decision:
        return self.run(CreateIndex(name=name, settings=dict(settings or {}), **rest))

    def aliases(self, *actions: Any) -> Decision:
        return self.run(UpdateAliases(actions=actions))
