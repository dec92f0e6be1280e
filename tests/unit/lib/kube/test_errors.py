"""What an answer of the API server means."""

from __future__ import annotations

import json

import pytest

from quidditch.lib.kube import errors


def status(code: int, reason: str = "", message: str = "it is so", **details: object) -> bytes:
    tree = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code}
    return json.dumps({**tree, "reason": reason, "message": message, "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (405, "MethodNotAllowed", errors.ApiError),
        (409, "Conflict", errors.Conflict),
        (409, "AlreadyExists", errors.AlreadyExists),
        (410, "Expired", errors.Gone),
        (413, "RequestEntityTooLarge", errors.TooLarge),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ServerError),
        (503, "ServiceUnavailable", errors.ServerError),
    ],
)
def test_each_status_has_its_exception(code: int, reason: str, kind: type[errors.ApiError]) -> None:
    error = errors.from_answer(code, status(code, reason))
    assert type(error) is kind
    assert (error.code, error.reason, error.message) == (code, reason, "it is so")
    assert str(error) == f"it is so ({code} {reason})"
    assert error.retry_after is None


def test_when_to_ask_again_stands_in_the_header_or_in_the_details() -> None:
    body = status(429, "TooManyRequests", retryAfterSeconds=7)
    assert errors.from_answer(429, body).retry_after == 7
    assert errors.from_answer(429, body, "2").retry_after == 2
    assert errors.from_answer(429, b"", "Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


def test_causes_name_the_fields() -> None:
    cause = {"reason": "FieldValueInvalid", "message": "must be positive", "field": "spec.shards"}
    error = errors.from_answer(422, status(422, "Invalid", name="products", causes=[cause]))
    assert error.status.details is not None
    assert error.status.details.name == "products"
    assert error.status.details.causes == (errors.Cause("FieldValueInvalid", "must be positive", "spec.shards"),)


@pytest.mark.parametrize("body", [b"404 page not found\n", b"", b"\xff", b"[]", b'{"code": "x"}'])
def test_an_answer_that_is_no_status_is_repeated(body: bytes) -> None:
    error = errors.from_answer(404, body)
    assert isinstance(error, errors.NotFound)
    assert error.reason == ""
    assert error.message == body.decode(errors="replace").strip()


def test_an_object_that_is_too_big_for_etcd_is_too_large() -> None:
    error = errors.from_answer(500, status(500, "InternalError", "etcdserver: request is too large"))
    assert isinstance(error, errors.TooLarge)
