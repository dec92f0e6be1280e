"""Node-to-node calls: bytes in, bytes out, with a deadline.

A call names a node and an action. What the other side refuses comes back as :class:`Remote` with its error; that it could not be
reached, or did not answer in time, are errors of their own: then it is unknown whether the call had an effect. Only of
:class:`NotSent`, :class:`UnknownAction` and :class:`Overloaded` is it certain that it had none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from quidditch.model.errors import ApiError

Handler = Callable[[bytes], Awaitable[bytes]]
"""Serves one action. An :class:`ApiError` travels to the caller as it is; anything else is a fault there and here."""


class TransportError(Exception):
    """Base of what a call raises besides the other side's errors."""


class Unreachable(TransportError):
    """Nobody answers there: the node is gone, or the way to it is cut."""


class NotSent(Unreachable):
    """Nobody answers there, and certainly nobody got the request: it may be made elsewhere or again."""


class TimedOut(TransportError):
    """No answer before the deadline."""


class UnknownAction(TransportError):
    """The node does not serve this action: it is of another version, or has another role."""


class Overloaded(TransportError):
    """The node has as many calls in work as it takes; try later or elsewhere."""


class Remote(ApiError):
    """An error that the other side answered."""


class Transport(Protocol):
    """One node's way to the others, itself included: a call to oneself takes the short way."""

    @property
    def node_id(self) -> str: ...

    def serve(self, action: str, handler: Handler) -> None:
        """From now on answers calls of this action. Raises ValueError if it is served already."""

    async def call(self, node: str, action: str, payload: bytes, timeout: float) -> bytes:
        """The answer of the node. Raises :class:`Remote` or another :class:`TransportError`."""

    def silence(self, node: str) -> float:
        """Seconds since anything was heard of a node that is connected, or has not yet answered the attempt; 0 for others. A node
        that lives is pinged.
        """

    async def close(self) -> None:
        """Answers no more, and fails the calls under way."""
