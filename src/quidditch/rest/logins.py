"""Who a request is from: basic authentication, its passwords checked once and then known by a digest.

A check costs a quarter of a second of a core, on threads of its own; requests with credentials that were verified before cost
one digest. Failures are counted by the address they come from, and the checks that wait are bounded.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from time import monotonic

import structlog

from quidditch.model.errors import ApiError, rejected
from quidditch.rest.users import User, matches

_log = structlog.get_logger(__name__)
CHALLENGE = 'Basic realm="quidditch"'
MAX_FAILURES = 10
"""So many wrong passwords from one address are heard within :data:`WINDOW_SECONDS`."""
WINDOW_SECONDS = 60.0
_KEPT_CREDENTIALS = 1024
_KEPT_ADDRESSES = 4096
_WAITING_CHECKS = 64
_THREADS = 2
_NOBODY = "$2b$12$Rhu390glbHC5F4r2m1daKe2OsX2.kqKztco37Rw1izDc037J2um1K"
"""Compared with in place of the hash of a user that does not exist: how long an answer takes does not tell who does."""


class Logins:
    """Used from the event loop only. `now`: seconds of a clock that never goes back."""

    def __init__(self, users: Mapping[str, User], now: Callable[[], float] = monotonic) -> None:
        self._users = users
        self._failures = _Failures(now)
        self._secret = os.urandom(32)
        self._known: dict[bytes, User] = {}
        self._checks: dict[bytes, asyncio.Task[User | None]] = {}
        self._threads = ThreadPoolExecutor(_THREADS, "login")

    def replace(self, users: Mapping[str, User]) -> None:
        """Other users from now on; verified credentials stay so where the password is the same."""
        self._users = users
        self._known = {
            digest: users[user.name]
            for digest, user in self._known.items()
            if user.name in users and users[user.name].hash == user.hash
        }

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def known(self, header: bytes | None) -> User | None:
        """The user of an `Authorization` header that was verified before."""
        return None if header is None else self._known.get(self._digest(header))

    async def verify(self, header: bytes | None, address: str, path: str) -> User:
        """The user of an `Authorization` header. Raises :class:`ApiError` (401, or 429 where too many failed)."""
        if header is None:
            raise _unauthorized(f"missing authentication credentials for REST request [{path}]")
        credentials = _basic(header)
        if credentials is None:
            raise _unauthorized(f"the Authorization header of REST request [{path}] is not of basic authentication")
        name, password = credentials
        digest = self._digest(header)
        check = self._checks.get(digest)
        if check is None:
            if len(self._checks) >= _WAITING_CHECKS:
                raise rejected("too many logins are being checked, try again")
            self._failures.begin(address)
            check = self._checks[digest] = asyncio.create_task(self._check(digest, name, password, address))
            check.add_done_callback(lambda _: self._checks.pop(digest))
        user = await asyncio.shield(check)
        if user is None:
            raise _unauthorized(f"unable to authenticate user [{name}] for REST request [{path}]")
        return user

    async def _check(self, digest: bytes, name: str, password: bytes, address: str) -> User | None:
        user = self._users.get(name)
        hash = user.hash if user is not None else _NOBODY
        right = await asyncio.get_running_loop().run_in_executor(self._threads, matches, password, hash)
        now = self._users.get(name)  # the file may have changed meanwhile
        if not right or user is None or now is None or now.hash != hash:
            _log.warning("a login failed", user=name, address=address)
            return None
        self._failures.forgive(address)
        while len(self._known) >= _KEPT_CREDENTIALS:
            del self._known[next(iter(self._known))]
        self._known[digest] = now
        return now

    def _digest(self, header: bytes) -> bytes:
        return blake2b(header, key=self._secret, digest_size=32).digest()


class _Failures:
    """Attempts that did not succeed (yet), by address, within a window of time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._counts: dict[str, tuple[int, float]] = {}

    def begin(self, address: str) -> None:
        """Counts an attempt until it is forgiven. Raises :class:`ApiError` where there were too many."""
        network, now = _network(address), self._now()
        count, since = self._counts.pop(network, (0, now))
        if now - since >= WINDOW_SECONDS:
            count, since = 0, now
        if count >= MAX_FAILURES:
            self._counts[network] = (count, since)
            left = max(1, round(since + WINDOW_SECONDS - now))
            reason = f"too many logins from [{address}] have failed, the next is heard in [{left}s]"
            raise ApiError(429, "security_exception", reason, headers={"Retry-After": str(left)})
        while len(self._counts) >= _KEPT_ADDRESSES:
            del self._counts[next(iter(self._counts))]
        self._counts[network] = (count + 1, since)

    def forgive(self, address: str) -> None:
        network = _network(address)
        count, since = self._counts.get(network, (0, 0.0))
        if count > 1:
            self._counts[network] = (count - 1, since)
        else:
            self._counts.pop(network, None)


def _network(address: str) -> str:
    """The address; of IPv6 the network of 64 bits, all of which one machine can use."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address


def _basic(header: bytes) -> tuple[str, bytes] | None:
    """Name and password of a header of basic authentication."""
    scheme, _, token = header.partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (_text(name), _text(password).encode()) if colon else None


def _text(data: bytes) -> str:
    """As UTF-8, or else as Latin-1, in which some clients send."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unauthorized(reason: str) -> ApiError:
    return ApiError(401, "security_exception", reason, headers={"WWW-Authenticate": CHALLENGE})
