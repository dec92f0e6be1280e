"""What an error of the Kubernetes API means to who uses the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import orjson

from quidditch.lib.kube import errors
from quidditch.lib.kube.client import Tree
from quidditch.store import api

LARGEST = 1_572_864
"""Bytes that etcd takes in one request unless told otherwise (`--max-request-bytes`)."""


@contextmanager
def translated(kind: str = "", name: str = "", sent: Tree | None = None) -> Iterator[None]:
    """Errors of calls about an object (`sent` was its resource) as those of the store's contract."""
    try:
        yield
    except errors.KubeError as error:
        raise _meaning(error, kind, name, sent) from error


def _meaning(error: errors.KubeError, kind: str, name: str, sent: Tree | None) -> api.StoreError:
    match error:
        case errors.AlreadyExists():
            return api.AlreadyExists(kind, name, "exists already")
        case errors.Conflict():
            return api.Conflict(kind, name, "is at another version than was expected")
        case errors.NotFound() if not error.reason:
            return api.Refused(
                "the API server does not know Quidditch's resources: are the CRDs of deploy/crds installed?"
            )
        case errors.NotFound() if error.status.details is not None and error.status.details.kind == "namespaces":
            return api.Refused(f"Kubernetes: {error.message}")
        case errors.NotFound():
            return api.NotFound(kind, name)
        case errors.Gone():
            return api.Expired(error.message)
        case errors.TooLarge():
            return api.TooLarge(kind, name, len(orjson.dumps(sent)), LARGEST)
        case errors.TooManyRequests() | errors.ServerError() | errors.Unreachable() | errors.ConfigError():
            return api.Unavailable(str(error))
        case errors.ApiError():
            return api.Refused(f"Kubernetes: {error.message}")
    return api.Unavailable(str(error))
