"""The transport over TCP: length-prefixed frames, one connection per direction of calls and pair of nodes, kept open.

Addresses come from whoever knows the cluster; a connection greets with the cluster's uuid (empty before a node has joined one) and
the two node ids, so that neither a node of another cluster nor a new tenant of an old address is taken for the one that was meant.
"""

from __future__ import annotations

import asyncio
import ssl as tls
from collections.abc import Callable

from quidditch.transport import errors, frames
from quidditch.transport.api import (
    Handler,
    NotSent,
    Overloaded,
    Remote,
    TimedOut,
    TransportError,
    UnknownAction,
    Unreachable,
)
from quidditch.transport.connection import Connection, Silence, Traffic
from quidditch.transport.listener import Listener, Refusals
from quidditch.transport.serving import Serving, handled

_HUNG_UP = "perhaps TLS at one end only, or a certificate that it refuses: its log says"


class TcpTransport:
    """One node's way to the others. `addresses` answers a node's `host:port`, None for a node that it does not know.

    A call to `@host:port` goes to whoever answers there: how a node that knows nobody yet reaches its first master. `silence_allowed`
    is asked again and again.
    """

    def __init__(
        self,
        node_id: str,
        cluster_uuid: Callable[[], str],
        addresses: Callable[[str], str | None],
        *,
        max_calls: int = 10_000,
        server_tls: tls.SSLContext | None = None,
        client_tls: tls.SSLContext | None = None,
        silence_allowed: Callable[[], Silence] = Silence,
    ) -> None:
        self._silence_allowed = silence_allowed
        self.traffic = Traffic()
        self._node_id = node_id
        self._cluster = cluster_uuid
        self._addresses = addresses
        self._serving = Serving(node_id, max_calls)
        self._client_tls = client_tls
        self._refusals = Refusals()
        self._listener = Listener(self._accepted, server_tls, self._refusals)
        self._dialled: dict[str, Connection] = {}
        self._dialling: dict[str, asyncio.Task[Connection]] = {}
        self._dialling_since: dict[str, float] = {}
        self._connections: set[Connection] = set()
        self.scratch = frames.scratch()

    @property
    def node_id(self) -> str:
        return self._node_id

    @property
    def taken(self) -> int:
        """Connections that others have made to this node and that are open."""
        return sum(not connection.dialled for connection in self._connections)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Takes calls from now on; the address that was bound. Raises OSError."""
        return await self._listener.open(host, port)

    def serve(self, action: str, handler: Handler) -> None:
        self._serving.add(action, handler)

    async def call(self, node: str, action: str, payload: bytes, timeout: float) -> bytes:
        if self._serving.closed:
            raise NotSent(f"node [{self._node_id}] is closed")
        if node == self._node_id:
            return await self._serving.local(action, payload, timeout)
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            connection = self._dialled.get(node)
            if connection is None or not connection.open:
                connection = await asyncio.wait_for(self._connect(node), timeout)
            return await connection.ask(action, payload, deadline)
        except TimeoutError:
            raise TimedOut(f"[{node}][{action}] did not answer within {timeout:g} s") from None

    def silence(self, node: str) -> float:
        connection = self._dialled.get(node)
        if connection is not None and connection.open:
            return connection.silence
        since = self._dialling_since.get(node)
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    async def close(self) -> None:
        """Answers no more, and fails the calls under way."""
        await self._listener.close()
        await self._serving.close()
        for task in list(self._dialling.values()):
            task.cancel()
        for connection in list(self._connections):
            connection.abort(f"node [{self._node_id}] is closed")

    # --- dialling ---------------------------------------------------------------------------------------------------

    async def _connect(self, node: str) -> Connection:
        """The open connection to a node; callers that come together share one attempt, and none of them can end it."""
        task = self._dialling.get(node)
        if task is None:
            task = self._dialling[node] = asyncio.ensure_future(self._dial(node))
            self._dialling_since[node] = asyncio.get_running_loop().time()
            task.add_done_callback(lambda done: self._dialled_out(node, done))
        try:
            return await asyncio.shield(task)
        except Unreachable as error:
            raise NotSent(str(error)) from None
        except asyncio.CancelledError:
            if task.cancelled():
                raise NotSent(f"node [{self._node_id}] is closed") from None
            raise

    def _dialled_out(self, node: str, task: asyncio.Task[Connection]) -> None:
        self._dialling.pop(node, None)
        self._dialling_since.pop(node, None)
        if not task.cancelled() and task.exception() is None:
            self._dialled[node] = task.result()

    async def _dial(self, node: str) -> Connection:
        anybody = node.startswith("@")
        address = node[1:] if anybody else self._addresses(node)
        if not address:
            raise Unreachable(f"node [{node}] is not known")
        host, _, port = address.rpartition(":")
        connection = Connection(
            self,
            lambda: frames.greeting(self._cluster(), self._node_id, "" if anybody else node),
            peer=node,
            allowed=self._silence_allowed,
        )
        loop, patience = asyncio.get_running_loop(), self._silence_allowed().dead
        try:
            async with asyncio.timeout(patience):
                await loop.create_connection(lambda: connection, host.strip("[]"), int(port), ssl=self._client_tls)
                self._connections.add(connection)
                await asyncio.shield(connection.ready)
        except TimeoutError:
            connection.abort("no greeting in time")
            raise Unreachable(f"node [{node}] at [{address}] did not answer within {patience:g} s") from None
        except Unreachable:
            if (
                connection.hung_up
            ):  # also how a certificate is refused, without a word, once this end's handshake is over
                self._refusals.tell(
                    "another node hung up before its greeting; its log says why", address, "TLS perhaps"
                )
            raise
        except OSError as error:
            self._refusals.failed("another node cannot be trusted: the TLS handshake failed", address, error)
            raise Unreachable(f"node [{node}] at [{address}]: {error.strerror or error}") from None
        return connection

    # --- as the host of connections ---------------------------------------------------------------------------------

    def _accepted(self) -> Connection:
        connection = Connection(
            self, lambda: frames.greeting(self._cluster(), self._node_id), allowed=self._silence_allowed
        )
        self._connections.add(connection)
        return connection

    def accept(self, connection: Connection, greeting: frames.Greeting) -> str | None:
        if greeting.version != frames.VERSION:
            return f"node [{greeting.node}] speaks version {greeting.version}, this node {frames.VERSION}"
        ours = self._cluster()
        if greeting.cluster and ours and greeting.cluster != ours:
            return f"node [{greeting.node}] belongs to cluster [{greeting.cluster}], this node to [{ours}]"
        if connection.dialled and greeting.node != connection.peer and not connection.peer.startswith("@"):
            return f"node [{greeting.node}] answers at the address of [{connection.peer}]"
        if greeting.to and greeting.to != self._node_id:
            return f"node [{greeting.to}] was meant, this is [{self._node_id}]"
        return None

    def serve_request(self, connection: Connection, call: int, body: memoryview) -> None:
        _, action, payload = frames.read_request(body)
        try:
            handler = self._serving.handler(action)
        except Overloaded as error:
            connection.refuse(frames.OVERLOADED, call, str(error))
        except UnknownAction as error:
            connection.refuse(frames.UNKNOWN_ACTION, call, str(error))
        except TransportError as error:
            connection.abort(str(error))
        else:
            self._serving.start(_answer(connection, call, handler, payload))

    def ended(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._dialled.get(connection.peer) is connection:
            del self._dialled[connection.peer]


async def _answer(connection: Connection, call: int, handler: Handler, payload: bytes) -> None:
    """Works on a call and sends what became of it; it counts as in work until a slow caller has taken the answer."""
    try:
        kind, body = frames.ANSWER, await handled(handler, payload)
    except Remote as error:
        kind, body = frames.ERROR, errors.encode(error)
    await connection.answer(kind, call, body)
