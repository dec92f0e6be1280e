"""Following the changes of a range of keys, over broken connections and changes of members.

What etcd promises of a watch is kept: changes come in order, each once, none is left out, those of one revision together; a new connection
goes on after the last revision that was handed out. A stream is asked for its progress every second: the answer is both a bookmark
and the sign that it lives. One that stays silent is given up for another member's.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc.aio
import msgspec

from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb
from quidditch.store.etcd.client import WATCH, Client, Endpoint, translated

_BEAT_SECONDS = 1.0
_FIRST_BEAT_SECONDS = 0.02
_PAUSE_SECONDS = 0.05


class Batch(msgspec.Struct, frozen=True):
    """Changes up to and including `revision`; without events a bookmark."""

    revision: int
    events: Sequence[pb.Event]


class Watch:
    """One watch of `[start, end)` for what changes after revision `after`."""

    def __init__(self, client: Client, start: bytes, end: bytes, after: int) -> None:
        self._client = client
        self._range = (start, end)
        self._at = after
        self._patience = client.timeout * 0.6
        self._caught_up = False
        self._closed: asyncio.Task[Any] | None = None
        self._alive = 0.0
        """When etcd last sent changes or said that there are none. That it made the watch is no sign yet."""

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Ends when the client is closed. Raises :class:`Expired`; :class:`Unavailable` when no member serves the watch within the
        client's timeout.
        """
        loop = asyncio.get_running_loop()
        self._alive = loop.time()
        self._closed = asyncio.create_task(self._client.closed.wait())
        try:
            while not self._client.closed.is_set():
                try:
                    endpoint = await self._client.ready(self._alive + self._client.timeout)
                    async with contextlib.aclosing(self._from(endpoint)) as stream:
                        async for batch in stream:
                            yield batch
                except api.Unavailable:
                    if loop.time() >= self._alive + self._client.timeout and not self._client.closed.is_set():
                        raise
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._closed.cancel()

    async def _from(self, endpoint: Endpoint) -> AsyncGenerator[Batch, None]:
        """Until the stream to this member ends, which raises."""
        try:
            call = endpoint.stream(WATCH)(metadata=await self._client.metadata(endpoint))
            try:
                await self._send(call, endpoint, self._create())
                async with contextlib.aclosing(self._read(call, endpoint)) as batches:
                    async for batch in batches:
                        yield batch
            finally:
                call.cancel()
        except grpc.aio.AioRpcError as error:
            endpoint.suspect()
            self._client.forget_token()
            raise translated(error, endpoint) from error
        except (asyncio.InvalidStateError, grpc.aio.UsageError) as error:
            self._client.forget_token()
            raise api.Unavailable(f"etcd {endpoint.address}: the watch has ended: {error}") from error

    def _create(self) -> pb.WatchRequest:
        # From the revision that is known already, not the one after: etcd answers for the progress of a watch only once its first
        # revision is there. What was handed out already is left out below.
        create = pb.WatchCreateRequest(
            key=self._range[0],
            range_end=self._range[1],
            start_revision=max(1, self._at),
            progress_notify=True,
            prev_kv=True,
            fragment=True,
        )
        return pb.WatchRequest(create_request=create)

    async def _read(self, call: Any, endpoint: Endpoint) -> AsyncGenerator[Batch, None]:
        loop = asyncio.get_running_loop()
        fragments: list[pb.Event] = []
        heard = loop.time()
        beat = heard + _FIRST_BEAT_SECONDS
        reading = asyncio.ensure_future(call.read())
        try:
            while True:
                answered = await self._next(reading, beat - loop.time())
                if self._client.closed.is_set():
                    return
                now = loop.time()
                if answered:
                    response = _checked(reading.result(), endpoint)
                    reading = asyncio.ensure_future(call.read())
                    heard = now
                    fragments.extend(response.events)
                    if not response.fragment and (batch := self._taken(response, fragments, now)) is not None:
                        yield batch
                        # How long the consumer took is no silence of etcd's.
                        self._alive = heard = loop.time()
                    if not response.fragment:
                        fragments = []
                elif now - heard > self._patience:
                    endpoint.suspect()
                    raise api.Unavailable(f"etcd {endpoint.address}: the watch is silent")
                if now >= beat:
                    await self._send(call, endpoint, pb.WatchRequest(progress_request=pb.WatchProgressRequest()))
                    beat = loop.time() + (_BEAT_SECONDS if self._caught_up else _FIRST_BEAT_SECONDS)
        finally:
            # Not awaited, so that no cancellation of the watch is taken for that of the read.
            reading.cancel()
            reading.add_done_callback(_looked_at)

    async def _send(self, call: Any, endpoint: Endpoint, request: pb.WatchRequest) -> None:
        try:
            # Not wait_for, which can lose a cancellation (before Python 3.12).
            async with asyncio.timeout(self._patience):
                await call.write(request)
        except TimeoutError:
            endpoint.suspect()
            raise api.Unavailable(f"etcd {endpoint.address}: the watch takes no requests") from None

    async def _next(self, reading: asyncio.Future[Any], seconds: float) -> bool:
        """Waits for an answer, the end of the client, or so long."""
        assert self._closed is not None
        await asyncio.wait({reading, self._closed}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        return reading.done()

    def _taken(self, response: pb.WatchResponse, events: Sequence[pb.Event], now: float) -> Batch | None:
        """What a whole response has to hand out."""
        if response.created:
            return None
        self._alive = now
        revision = response.header.revision
        if events:
            news = [event for event in events if event.kv.mod_revision > self._at]
            if not news:
                return None
            self._at = news[-1].kv.mod_revision
            return Batch(self._at, news)
        if revision < self._at or (self._caught_up and revision == self._at):
            return None
        self._caught_up = True
        self._at = revision
        return Batch(revision, ())


def _checked(response: Any, endpoint: Endpoint) -> pb.WatchResponse:
    if response is grpc.aio.EOF:
        raise api.Unavailable(f"etcd {endpoint.address}: the watch has ended")
    assert isinstance(response, pb.WatchResponse)
    if response.compact_revision:
        raise api.Expired(f"changes before revision {response.compact_revision} are no longer kept")
    if response.canceled:
        raise api.Unavailable(f"etcd {endpoint.address}: the watch was cancelled: {response.cancel_reason}")
    return response


def _looked_at(reading: asyncio.Future[Any]) -> None:
    if not reading.cancelled():
        reading.exception()
