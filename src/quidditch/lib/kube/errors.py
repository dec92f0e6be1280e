"""What goes wrong between this process and an API server, as exceptions that carry what it said (a `Status` object)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class KubeError(Exception):
    """Base of what the client raises."""


class ConfigError(KubeError):
    """The configuration or the credentials cannot be used; the message names file and field."""


class Unreachable(KubeError):
    """No answer. `sent` tells whether the request may have reached the server: if so, whether it was carried out is unknown."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Cause(msgspec.Struct, frozen=True):
    """One of several reasons: `field` is where in the object."""

    reason: str = ""
    message: str = ""
    field: str = ""


class Details(msgspec.Struct, frozen=True, rename="camel"):
    """What the answer is about."""

    name: str = ""
    kind: str = ""
    causes: tuple[Cause, ...] | None = None
    retry_after_seconds: int = 0


class Status(msgspec.Struct, frozen=True):
    """The answer of the API server where it is no object. Its `reason` is one CamelCase word, `message` a sentence."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: Details | None = None


class ApiError(KubeError):
    """The API server answered with an error."""

    def __init__(self, status: Status, retry_after: float | None = None) -> None:
        super().__init__(f"{status.message or 'no message'} ({status.code}{status.reason and ' ' + status.reason})")
        self.status = status
        self.retry_after = retry_after
        """Seconds after which the server asks to be asked again; None where it said nothing of the kind."""

    @property
    def code(self) -> int:
        return self.status.code

    @property
    def reason(self) -> str:
        return self.status.reason

    @property
    def message(self) -> str:
        return self.status.message


class BadRequest(ApiError):
    """400: the request makes no sense to the server."""


class Unauthorized(ApiError):
    """401: the credentials are not known, or over."""


class Forbidden(ApiError):
    """403: no right to do it, or an admission rule or a quota refuses it."""


class NotFound(ApiError):
    """404: the object is not there. Without a `reason`: the server has no such path, so no such kind of resource."""


class Conflict(ApiError):
    """409: the object is not at the version that was given, or preconditions do not hold."""


class AlreadyExists(ApiError):
    """409 of a create: there is an object of that name."""


class Gone(ApiError):
    """410: that version is no longer kept; list again."""


class TooLarge(ApiError):
    """413: the object or the request is bigger than the server takes."""


class Invalid(ApiError):
    """422: the object is refused by its schema or a rule; `status.details.causes` name the fields."""


class TooManyRequests(ApiError):
    """429: the server has too much to do. Nothing was carried out."""


class ServerError(ApiError):
    """5xx: whether a write was carried out is unknown."""


_BY_CODE: Mapping[int, type[ApiError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
}
_decode = msgspec.json.Decoder(Status).decode
_SHOWN = 500
"""Characters of an answer that is no Status which the message repeats."""


def from_answer(code: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """The error of an HTTP answer; proxies and old paths answer with text instead of a Status.

    `retry_after` is the header of that name; a date in it is not looked at.
    """
    try:
        status = _decode(body)
    except msgspec.DecodeError:
        status = Status(message=body[:_SHOWN].decode(errors="replace").strip())
    if status.code != code:
        status = msgspec.structs.replace(status, code=code)
    seconds = float(retry_after) if retry_after is not None and retry_after.isdigit() else None
    return from_status(status, seconds)


def from_status(status: Status, retry_after: float | None = None) -> ApiError:
    """The error that a Status means, also one that comes as an event of a watch."""
    if retry_after is None and status.details is not None and status.details.retry_after_seconds > 0:
        retry_after = float(status.details.retry_after_seconds)
    kind = _BY_CODE.get(status.code, ServerError if status.code >= 500 else ApiError)
    if status.reason == "AlreadyExists":
        kind = AlreadyExists
    elif "etcdserver: request is too large" in status.message:  # older API servers pass it on with 500
        kind = TooLarge
    return kind(status, retry_after)
