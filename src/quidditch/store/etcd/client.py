"""Calls to an etcd cluster: several endpoints with failover, deadlines, TLS, credentials. Knows nothing of objects.

What is repeatable (reads) goes to the next endpoint when one fails. A write is sent once: when its answer is lost, whether it happened
is unknown, and the caller is told so (:class:`~quidditch.store.api.Unavailable`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import grpc
import grpc.aio
import msgspec
from google.protobuf.message import Message

from quidditch.lib.metrics import Metrics
from quidditch.store import api
from quidditch.store.etcd import wire_pb2 as pb

_Request = TypeVar("_Request", bound=Message)
_Response = TypeVar("_Response", bound=Message)

MAX_RESPONSE = 16 * 1024 * 1024
"""Bytes of one answer; lists are cut into smaller ones."""
_SUSPECT_SECONDS = 5.0
_POLL_SECONDS = 0.01
_PAUSE_SECONDS = 0.05
_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.max_receive_message_length", MAX_RESPONSE),
    ("grpc.max_send_message_length", -1),
    # etcd closes connections that ping more often than every 5 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_UNKNOWN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
)


class Tls(msgspec.Struct, frozen=True):
    """Files in PEM form: the authority that signed etcd's certificates (default: the system's), and this client's own pair."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises :class:`OSError`."""
        ca, cert, key = (None if path is None else path.read_bytes() for path in (self.ca, self.cert, self.key))
        return grpc.ssl_channel_credentials(ca, key, cert)


class Credentials(msgspec.Struct, frozen=True):
    """A user of etcd's own authentication."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


class Rpc(Generic[_Request, _Response]):
    """One method of etcd's API."""

    def __init__(self, path: str, response: Callable[[bytes], _Response]) -> None:
        self.path = path
        self.response = response


RANGE: Rpc[pb.RangeRequest, pb.RangeResponse] = Rpc("/etcdserverpb.KV/Range", pb.RangeResponse.FromString)
TXN: Rpc[pb.TxnRequest, pb.TxnResponse] = Rpc("/etcdserverpb.KV/Txn", pb.TxnResponse.FromString)
COMPACT: Rpc[pb.CompactionRequest, pb.CompactionResponse] = Rpc(
    "/etcdserverpb.KV/Compact", pb.CompactionResponse.FromString
)
GRANT: Rpc[pb.LeaseGrantRequest, pb.LeaseGrantResponse] = Rpc(
    "/etcdserverpb.Lease/LeaseGrant", pb.LeaseGrantResponse.FromString
)
REVOKE: Rpc[pb.LeaseRevokeRequest, pb.LeaseRevokeResponse] = Rpc(
    "/etcdserverpb.Lease/LeaseRevoke", pb.LeaseRevokeResponse.FromString
)
KEEP_ALIVE: Rpc[pb.LeaseKeepAliveRequest, pb.LeaseKeepAliveResponse] = Rpc(
    "/etcdserverpb.Lease/LeaseKeepAlive", pb.LeaseKeepAliveResponse.FromString
)
WATCH: Rpc[pb.WatchRequest, pb.WatchResponse] = Rpc("/etcdserverpb.Watch/Watch", pb.WatchResponse.FromString)
STATUS: Rpc[pb.StatusRequest, pb.StatusResponse] = Rpc("/etcdserverpb.Maintenance/Status", pb.StatusResponse.FromString)
_AUTHENTICATE: Rpc[pb.AuthenticateRequest, pb.AuthenticateResponse] = Rpc(
    "/etcdserverpb.Auth/Authenticate", pb.AuthenticateResponse.FromString
)


class TooBigAnswer(api.Refused):
    """The answer would pass :data:`MAX_RESPONSE`: ask for less."""


class Endpoint:
    """One member's address and the channel to it."""

    def __init__(self, address: str, channel: grpc.aio.Channel) -> None:
        self.address = address
        self.channel = channel
        self._methods: dict[str, Callable[..., Any]] = {}
        self._suspect_until = 0.0

    def connected(self) -> bool:
        """Also begins to connect if it is not."""
        return self.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    def suspect(self) -> None:
        """It failed just now: others come first for a while."""
        self._suspect_until = asyncio.get_running_loop().time() + _SUSPECT_SECONDS

    def suspected_for(self, now: float) -> float:
        return max(0.0, self._suspect_until - now)

    def unary(self, rpc: Rpc[Any, Any]) -> Callable[..., Any]:
        return self._method(rpc, self.channel.unary_unary)

    def stream(self, rpc: Rpc[Any, Any]) -> Callable[..., Any]:
        return self._method(rpc, self.channel.stream_stream)

    def _method(self, rpc: Rpc[Any, Any], kind: Callable[..., Any]) -> Callable[..., Any]:
        method = self._methods.get(rpc.path)
        if method is None:
            method = self._methods[rpc.path] = kind(
                rpc.path, request_serializer=_serialize, response_deserializer=rpc.response
            )
        return method


class Client:
    """An etcd cluster as one thing to call. Lives on the event loop that made it.

    `timeout` (seconds) bounds every call. One of several members is waited for half as long: enough for an election, and then the
    next call goes to another.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        tls: Tls | None,
        credentials: Credentials | None,
        timeout: float,
        metrics: Metrics | None = None,
    ) -> None:
        if not endpoints:
            raise ValueError("no etcd endpoint is given")
        self.timeout = timeout
        self.closed = asyncio.Event()
        self._credentials = credentials
        self._token: str | None = None
        metrics = metrics or Metrics()
        self._took = metrics.duration("etcd_request", "time to answer a request to etcd, by method", ("method",))
        self._failed = metrics.counter(
            "etcd_request_failures", "requests to etcd that failed, by method and gRPC status", ("method", "status")
        )
        self._endpoints = [Endpoint(address, _channel(address, tls)) for address in endpoints]

    async def call(
        self,
        rpc: Rpc[_Request, _Response],
        request: _Request,
        *,
        repeatable: bool = False,
        patience: float = math.inf,
    ) -> _Response:
        """`patience` (seconds) bounds the first attempt, half as much again the second, and so on.

        A member that has not noticed yet that the Raft leader is dead sends it what is proposed and waits in vain until its own limit
        (`ReqTimeout`, 7 s); who proposes in such a moment has to ask again.
        Raises :class:`Unavailable`, :class:`Refused`, :class:`Expired`.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.timeout
        renewed = False
        while True:
            endpoint = await self.ready(deadline)
            left = max(deadline - loop.time(), _POLL_SECONDS)
            bound = min(left, patience, self.timeout / 2 if len(self._endpoints) > 1 else left)
            patience *= 1.5
            try:
                metadata = await self.metadata(endpoint)
                return await self._unary(endpoint, rpc, request, bound, metadata)
            except grpc.aio.AioRpcError as error:
                if _token_is_over(error) and not renewed:
                    renewed = True
                    self.forget_token()
                    continue
                if error.code() in _UNKNOWN:
                    endpoint.suspect()
                    if repeatable and loop.time() + _PAUSE_SECONDS < deadline:
                        await asyncio.sleep(_PAUSE_SECONDS)
                        continue
                raise translated(error, endpoint) from error

    async def ready(self, deadline: float) -> Endpoint:
        """An endpoint that is connected. Raises :class:`Unavailable` when none is until `deadline` (of the loop's clock)."""
        loop = asyncio.get_running_loop()
        while True:
            if self.closed.is_set():
                raise api.Unavailable("the store is closed")
            now = loop.time()
            connected = [endpoint for endpoint in self._endpoints if endpoint.connected()]
            if connected:
                return min(connected, key=lambda endpoint: endpoint.suspected_for(now))
            if now >= deadline:
                addresses = ", ".join(endpoint.address for endpoint in self._endpoints)
                raise api.Unavailable(f"no etcd endpoint can be reached: {addresses}")
            await asyncio.sleep(_POLL_SECONDS)

    async def metadata(self, endpoint: Endpoint) -> grpc.aio.Metadata:
        """What goes with every call: a member that knows no leader shall say so, not wait; and the user's token.

        Raises :class:`grpc.aio.AioRpcError`.
        """
        pairs = [("hasleader", "true")]
        if self._credentials is not None:
            if self._token is None:
                request = pb.AuthenticateRequest(name=self._credentials.user, password=self._credentials.password)
                metadata = grpc.aio.Metadata(*pairs)
                answer = await self._unary(endpoint, _AUTHENTICATE, request, self.timeout, metadata)
                self._token = answer.token
            pairs.append(("token", self._token))
        return grpc.aio.Metadata(*pairs)

    def forget_token(self) -> None:
        self._token = None

    async def close(self) -> None:
        self.closed.set()
        await asyncio.gather(*(endpoint.channel.close() for endpoint in self._endpoints))

    async def _unary(
        self,
        endpoint: Endpoint,
        rpc: Rpc[_Request, _Response],
        request: _Request,
        timeout: float,
        metadata: grpc.aio.Metadata,
    ) -> _Response:
        method = rpc.path.rpartition("/")[2]
        try:
            with self._took.labels(method).time():
                response: _Response = await endpoint.unary(rpc)(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            self._failed.labels(method, error.code().name).inc()
            raise
        except (asyncio.CancelledError, grpc.aio.UsageError):
            # A channel that is closed cancels its calls; that is no cancellation of who waits for them.
            task = asyncio.current_task()
            if self.closed.is_set() and not (task is not None and task.cancelling()):
                raise api.Unavailable("the store is closed") from None
            raise
        return response


def translated(error: grpc.aio.AioRpcError, endpoint: Endpoint) -> api.StoreError:
    """The store's error for one of gRPC or etcd."""
    text = f"etcd {endpoint.address}: {error.details() or error.code().name}"
    if error.code() is grpc.StatusCode.OUT_OF_RANGE and "compacted" in (error.details() or ""):
        return api.Expired(text)
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
        return TooBigAnswer(text)
    return api.Unavailable(text) if error.code() in _UNKNOWN else api.Refused(text)


def _token_is_over(error: grpc.aio.AioRpcError) -> bool:
    details = error.details() or ""
    return "invalid auth token" in details or "revision of auth store is old" in details


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _channel(address: str, tls: Tls | None) -> grpc.aio.Channel:
    scheme, separator, target = address.rpartition("://")
    if separator and scheme not in ("http", "https"):
        raise ValueError(f"etcd endpoint [{address}] must be host:port, http://host:port or https://host:port")
    if scheme == "https" and tls is None:
        tls = Tls()
    if tls is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    if scheme == "http":
        raise ValueError(f"etcd endpoint [{address}] is without TLS, but TLS is configured")
    return grpc.aio.secure_channel(target, tls.credentials(), options=_OPTIONS)
