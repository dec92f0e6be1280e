"""The shards that this node has open, by index."""

from __future__ import annotations

from dataclasses import dataclass, field

from quidditch.datanode.replication.primary import Primary
from quidditch.datanode.replication.replica import Replica
from quidditch.model.objects import Index
from quidditch.transport.recovery import Kind, Progress
from quidditch_kernel import Mapping, Shard


@dataclass(slots=True)
class LocalShard:
    """One copy of a shard: the kernel's shard, what the control plane knows it by, and its role: one of `primary` and `replica`.

    `recovery` says where its data came from; `opened_at_ms` and `opening_ms`, when and how long that took.
    """

    number: int
    allocation_id: str
    kernel: Shard
    recovery: Kind = "EXISTING_STORE"
    opened_at_ms: int = 0
    opening_ms: int = 0
    primary: Primary | None = None
    replica: Replica | None = None

    @property
    def primary_term(self) -> int:
        """The newest term that the copy knows."""
        role = self.primary or self.replica
        return role.primary_term if role is not None else 0

    def refuse(self, error: Exception) -> None:
        """No operation is taken from now on."""
        for role in (self.primary, self.replica):
            if role is not None:
                role.close(error)

    @property
    def progress(self) -> Progress:
        """How it came to be open, as far as it was here already."""
        return Progress(self.recovery, "DONE", self.opened_at_ms, self.opened_at_ms + self.opening_ms)


@dataclass(slots=True)
class LocalIndex:
    """An index of which this node holds shards. `failed` remembers attempts (allocation and term) that could not be opened."""

    index: Index
    mapping: Mapping
    shards: dict[int, LocalShard] = field(default_factory=dict)
    failed: set[tuple[str, int]] = field(default_factory=set)
