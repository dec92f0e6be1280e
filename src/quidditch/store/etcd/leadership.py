"""The leader lease: a key bound to an etcd lease, and an epoch that outlives it.

The lease runs out by etcd's clock (that of its Raft leader), in whole seconds, at the earliest after the duration that was asked for: etcd
raises a duration below its election timeout, and a change of its leader starts the duration anew. So a deposed holder learns late,
never early, that it could go on; that its writes fail is the business of the fence, which compares the epoch in the same transaction.
"""

from __future__ import annotations

import asyncio
import math

import grpc.aio
import msgspec

from quidditch.model.codec import FormatError
from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import GRANT, KEEP_ALIVE, REVOKE, TXN, Client, translated
from quidditch.store.etcd.keys import Keys, found, holds, put, read, remove, unchanged

_FORMAT = 1
_ATTEMPTS = 5
_PATIENCE_SECONDS = 0.5
"""How long the first attempt of a proposal is waited for: members take one to two seconds to know that their leader is gone."""


class _Held(msgspec.Struct, frozen=True):
    format: int
    holder: str
    epoch: int


class Leadership:
    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def acquire(self, holder: str, duration: float, least: int = 0) -> api.Lease | None:
        """As the contract says. `duration` is in seconds."""
        for _ in range(_ATTEMPTS):
            seen = await self._client.call(
                TXN, pb.TxnRequest(success=[read(self._keys.leader), read(self._keys.epoch)]), repeatable=True
            )
            leader, epoch = (found(op) for op in seen.responses)
            if leader is None:
                lease = await self._take(holder, duration, epoch, least)
                if lease is not None:
                    return lease
                continue
            held = _decoded(leader.value)
            if held.holder != holder:
                return None
            if await self._renew(leader.lease):
                return api.Lease(holder, held.epoch)
        return None

    async def leader(self) -> api.Lease | None:
        answer = await self._client.call(TXN, pb.TxnRequest(success=[read(self._keys.leader)]), repeatable=True)
        leader = found(answer.responses[0])
        if leader is None:
            return None
        held = _decoded(leader.value)
        return api.Lease(held.holder, held.epoch)

    async def epoch(self) -> int:
        answer = await self._client.call(TXN, pb.TxnRequest(success=[read(self._keys.epoch)]), repeatable=True)
        epoch = found(answer.responses[0])
        return 0 if epoch is None else int(epoch.value)

    async def release(self, lease: api.Lease) -> None:
        value = _encoded(lease.holder, lease.epoch)
        request = pb.TxnRequest(
            compare=[holds(self._keys.leader, value)],
            success=[read(self._keys.leader), remove(self._keys.leader)],
        )
        answer = await self._client.call(TXN, request, repeatable=True, patience=_PATIENCE_SECONDS)
        if answer.succeeded and (leader := found(answer.responses[0])) is not None:
            await self._revoke(leader.lease)

    async def _take(self, holder: str, duration: float, epoch: pb.KeyValue | None, least: int) -> api.Lease | None:
        """Becomes the leader of a new epoch; None if somebody was faster."""
        wanted = pb.LeaseGrantRequest(TTL=max(1, math.ceil(duration)))
        granted = await self._client.call(GRANT, wanted, repeatable=True, patience=_PATIENCE_SECONDS)
        number = max(least, 1 + (0 if epoch is None else int(epoch.value)))
        request = pb.TxnRequest(
            compare=[
                unchanged(self._keys.leader, 0),
                unchanged(self._keys.epoch, 0 if epoch is None else epoch.mod_revision),
            ],
            success=[
                put(self._keys.epoch, str(number).encode()),
                put(self._keys.leader, _encoded(holder, number), granted.ID),
            ],
        )
        # Not repeated here: whether it was done after all is read by who asks again.
        answer = await self._client.call(TXN, request, patience=_PATIENCE_SECONDS)
        if answer.succeeded:
            return api.Lease(holder, number)
        await self._revoke(granted.ID)
        return None

    async def _renew(self, lease: int) -> bool:
        """Starts the lease's time anew; False if it is over."""
        loop = asyncio.get_running_loop()
        endpoint = await self._client.ready(loop.time() + self._client.timeout)
        try:
            metadata = await self._client.metadata(endpoint)
            call = endpoint.stream(KEEP_ALIVE)(timeout=self._client.timeout, metadata=metadata)
            try:
                await call.write(pb.LeaseKeepAliveRequest(ID=lease))
                answer = await call.read()
            finally:
                call.cancel()
        except grpc.aio.AioRpcError as error:
            endpoint.suspect()
            self._client.forget_token()
            raise translated(error, endpoint) from error
        except asyncio.InvalidStateError as error:  # it ended before the request was sent
            endpoint.suspect()
            self._client.forget_token()
            raise api.Unavailable(f"etcd {endpoint.address}: {error}") from error
        if answer is grpc.aio.EOF:
            raise api.Unavailable(f"etcd {endpoint.address}: the renewal of the lease was not answered")
        return bool(answer.TTL > 0)

    async def _revoke(self, lease: int) -> None:
        try:
            await self._client.call(REVOKE, pb.LeaseRevokeRequest(ID=lease))
        except api.StoreError:
            pass  # nothing hangs on it any more; it runs out by itself


def _encoded(holder: str, epoch: int) -> bytes:
    return msgspec.json.encode(_Held(_FORMAT, holder, epoch))


def _decoded(value: bytes) -> _Held:
    try:
        held = msgspec.json.decode(value, type=_Held)
    except msgspec.DecodeError as error:
        raise FormatError(f"the leader key in etcd is not readable: {error}") from error
    if held.format > _FORMAT:
        raise FormatError(f"the leader key in etcd has format {held.format}, this version reads up to {_FORMAT}")
    return held
