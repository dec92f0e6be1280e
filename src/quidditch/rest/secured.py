"""The application where there are users: nobody is answered, and no body is kept, before it is known who asks and that he may."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter

from quidditch.model.errors import ApiError
from quidditch.rest import body as bodies
from quidditch.rest.errors import response_of
from quidditch.rest.logins import Logins
from quidditch.rest.node import Node
from quidditch.rest.request import JSON_MEDIA
from quidditch.rest.route import Route
from quidditch.rest.server import MAX_BODY_BYTES, App, Client, Reply, Scope, Send, client_address, send_reply
from quidditch.rest.traffic import UNROUTED
from quidditch.rest.users import User

_Headers = dict[bytes, bytes]


class SecuredApp(App):
    """Each way into :class:`App` asks here first."""

    __slots__ = ("_logins",)

    def __init__(
        self, node: Node, routes: Iterable[Route], max_body_bytes: int = MAX_BODY_BYTES, *, logins: Logins
    ) -> None:
        routes = list(routes)
        for route in routes:
            if route.at_once is not None and not route.reads:
                raise ValueError(f"{route} is answered at once, which everybody who is known may ask for")
        super().__init__(node, routes, max_body_bytes)
        self._logins = logins

    async def __call__(self, scope: Scope, receive: bodies.Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: _Headers = dict(scope["headers"])
        refusal = await self._refusal(scope["method"], scope["raw_path"], headers, client_address(scope))
        if refusal is None:
            await super().__call__(scope, receive, send)
            return
        if b"expect" in headers or not await bodies.pass_over(receive, self._max_body):
            refusal[1].append((b"connection", b"close"))
        await send_reply(send, refusal)

    async def respond(
        self, method: str, raw_path: bytes, raw_query: bytes, headers: _Headers, content: bytes, client: Client
    ) -> Reply:
        user = self._logins.known(headers.get(b"authorization"))
        if user is not None and user.role == "admin":
            return await super().respond(method, raw_path, raw_query, headers, content, client)
        refusal = await self._refusal(method, raw_path, headers, client.address)
        if refusal is not None:
            return refusal
        # What had to wait for a login is a task from its beginning: nobody will ask again whether it takes time.
        patient, client.patient = client.patient, client.patient and user is not None
        try:
            return await super().respond(method, raw_path, raw_query, headers, content, client)
        finally:
            client.patient = patient

    def at_once(
        self, method: str, raw_path: bytes, raw_query: bytes, headers: _Headers, content: bytes
    ) -> Reply | None:
        if self._logins.known(headers.get(b"authorization")) is None:
            return None
        return super().at_once(method, raw_path, raw_query, headers, content)

    async def _refusal(self, method: str, raw_path: bytes, headers: _Headers, address: str) -> Reply | None:
        """The answer to who is not known or may not ask this."""
        started = perf_counter()
        path = raw_path.decode("latin-1")
        header = headers.get(b"authorization")
        try:
            user = self._logins.known(header) or await self._logins.verify(header, address, path)
            self._check_role(user, method, path)
            return None
        except ApiError as error:
            response = response_of(error, "a login", trace=False)
        self.requests += 1
        self.traffic.note(method, UNROUTED, response.status, perf_counter() - started)
        return self._written(response, True, JSON_MEDIA, headers, {})

    def _check_role(self, user: User, method: str, path: str) -> None:
        found = self._router.find(method, [part for part in path.split("/") if part])
        if found is not None and not user.may(found[0]):
            what = found[0].action or f"{method} {path}"
            reason = f"no permissions for [{what}] and User [name={user.name}, roles=[{user.role}]]"
            raise ApiError(403, "security_exception", reason)
