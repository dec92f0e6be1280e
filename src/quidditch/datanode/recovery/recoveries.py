"""The recoveries of a node: those of copies that are built here, and those from primaries that are here."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from quidditch.datanode.local import LocalIndex, LocalShard
from quidditch.datanode.recovery.built import Around, BuiltCopy
from quidditch.datanode.recovery.source import Source
from quidditch.datanode.recovery.target import Settings, Target
from quidditch.datanode.recovery.throttle import Throttle
from quidditch.datanode.replication.engine import Peers
from quidditch.datanode.replication.primary import Primary
from quidditch.lib.clock import Clock
from quidditch.lib.units import parse_bytes, parse_millis
from quidditch.model import objects
from quidditch.model.objects import Copy
from quidditch.model.state import ClusterState
from quidditch.transport import recovery as wire
from quidditch.transport.shards import Moved, ShardMissing


class Recoveries:
    """`indices` are the open shards; `lost(uuid, shard, reason)` is told of a copy that cannot go on."""

    def __init__(
        self,
        node: str,
        *,
        around: Around,
        indices: dict[str, LocalIndex],
        state: Callable[[], ClusterState],
        peers: Peers,
        clock: Clock,
        lost: Callable[[str, LocalShard, str], None],
    ) -> None:
        self._node = node
        self._around = around
        self._indices = indices
        self._state = state
        self._peers = peers
        self._clock = clock
        self._lost = lost
        self._settings = _Settings()
        self._throttle = Throttle(self._rate, clock)
        self._progress: dict[tuple[str, int], tuple[str, wire.Progress]] = {}
        """The allocation id of each copy that is or was built here since the node started, and how far it is."""
        self._running: list[tuple[str, int]] = []
        """Copies that are being built here."""
        self._moved: dict[tuple[str, int], tuple[LocalShard, str]] = {}
        """Primaries that have been handed over, until they are closed, and to which allocation id."""
        self.source = Source(self, around.run, clock, Throttle(self._rate, clock))

    def _rate(self) -> float:
        return self._settings.of(self._state().settings).rate

    def progress(self, uuid: str, number: int) -> wire.Progress | None:
        """How far the copy here is, if it is or was built from a primary."""
        known = self._progress.get((uuid, number))
        return known[1] if known is not None else None

    def counts(self, uuid: str, number: int) -> Moved:
        """What of the copy here is under way, as source and as target."""
        key = (uuid, number)
        known = self._progress.get(key)
        throttled = self.source.throttled.get(key, 0.0) + (known[1].target_throttled if known is not None else 0)
        return Moved(self.source.sessions(uuid, number), self._running.count(key), int(throttled))

    # --- copies that are built here -------------------------------------------------------------------------------------

    async def recover(self, local: LocalIndex, number: int, copy: Copy, primary_term: int) -> None:
        """The copy is open, in `local` and in sync on return; a moving primary has taken over. Cancelled when the copy is wanted no
        more. Raises ValueError with the reason why it cannot be built.
        """
        uuid, allocation_id = local.index.uuid, str(copy.allocation_id)
        progress = wire.Progress("PEER")
        self._progress[uuid, number] = (allocation_id, progress)
        target = Target(
            BuiltCopy(self._around, local, number, copy, primary_term),
            wire.Start(uuid, number, allocation_id, self._node, "", 0),
            source=lambda: self._source_of(local, number),
            moves=copy.primary,
            run=self._around.run,
            peers=self._peers,
            clock=self._clock,
            throttle=self._throttle,
            settings=lambda: self._settings.of(self._state().settings).target,
            progress=progress,
        )
        self._running.append((uuid, number))
        try:
            await target.recover()
        finally:
            self._running.remove((uuid, number))

    def _source_of(self, local: LocalIndex, number: int) -> str | None:
        routing = self._around.routing(local.index.uuid, number)
        return routing.primary.node if routing is not None and routing.primary.active else None

    # --- recoveries from primaries here ---------------------------------------------------------------------------------

    def _shard(self, uuid: str, number: int) -> LocalShard | None:
        local = self._indices.get(uuid)
        return local.shards.get(number) if local is not None else None

    def primary(self, uuid: str, number: int) -> Primary | None:
        """The primary here, once the routing has it as started."""
        shard, routing = self._shard(uuid, number), self._around.routing(uuid, number)
        if shard is None or routing is None or not routing.primary.active:
            return None
        return shard.primary if routing.primary.allocation_id == shard.allocation_id else None

    def target(self, uuid: str, number: int, allocation_id: str) -> Copy | None:
        """The copy that is being built under this id, by the routing applied here."""
        routing = self._around.routing(uuid, number)
        placed = routing.placed if routing is not None else ()
        return next((c for c in placed if c.allocation_id == allocation_id and c.state == "INITIALIZING"), None)

    def mapping_version(self, uuid: str) -> int:
        """Which mapping operations need that are here now."""
        local = self._indices.get(uuid)
        return local.index.spec.mapping_version if local is not None else 0

    def relocated(self, uuid: str, number: int, target: str) -> None:
        """The primary here has been handed over: it refuses operations, so that they are tried at its new place."""
        shard = self._shard(uuid, number)
        if shard is not None and shard.primary is not None:
            shard.primary.close(ShardMissing(f"shard [{uuid}][{number}] has moved"))
            self._moved[uuid, number] = (shard, target)

    # --- life -----------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """After a newer state was applied: ends what it does not want any more."""
        self.source.look()
        for (uuid, number), (shard, target) in list(self._moved.items()):
            if self._shard(uuid, number) is not shard:
                del self._moved[uuid, number]
                continue
            routing = self._around.routing(uuid, number)
            if routing is not None and _stays(routing.primary, shard.allocation_id, target):
                del self._moved[uuid, number]
                self._lost(uuid, shard, "the shard was handed over, and its new place is lost: it begins a new term")
        for uuid, number in [key for key in self._progress if self._around.routing(*key) is None]:
            del self._progress[uuid, number]
        for key in [key for key in self.source.throttled if self._around.routing(*key) is None]:
            del self.source.throttled[key]

    async def close(self) -> None:
        """Ends the recoveries from primaries here."""
        await self.source.close()


def _stays(primary: Copy, allocation_id: str, target: str) -> bool:
    """Whether the primary of this id is no longer on its way to `target`, and has not arrived there."""
    return primary.allocation_id == allocation_id and primary.relocation_id != target


class _Read(msgspec.Struct, frozen=True):
    rate: float
    target: Settings


class _Settings:
    """The cluster's settings of recoveries, read anew when they change."""

    def __init__(self) -> None:
        self._of: objects.Settings | None = None
        self._read: _Read

    def of(self, settings: objects.Settings) -> _Read:
        if settings is not self._of:
            self._of, self._read = settings, _read(settings)
        return self._read


def _read(settings: objects.Settings) -> _Read:
    def value(name: str, default: str) -> str:
        return str(settings.get(f"indices.recovery.{name}") or default)

    rate = parse_bytes(value("max_bytes_per_sec", "40mb"))
    target = Settings(
        action=parse_millis(value("internal_action_timeout", "15m")) / 1000,
        activity=parse_millis(value("recovery_activity_timeout", "30m")) / 1000,
        chunks=int(value("max_concurrent_file_chunks", "2")),
    )
    return _Read(float(max(rate, 0)), target)
