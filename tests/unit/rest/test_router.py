import pytest

from quidditch.rest.node import Node
from quidditch.rest.request import Request
from quidditch.rest.response import Response
from quidditch.rest.route import Route
from quidditch.rest.router import Router


async def _handler(_request: Request, _node: Node) -> Response:
    return Response.empty()


def _router(*routes: str) -> Router:
    return Router(Route(*route.split(" "), _handler) for route in routes)


def _found(router: Router, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    parts = [part for part in path.split("/") if part]
    found = router.find(method, parts)
    return None if found is None else (found[0].path, {name: parts[at] for at, name in found[1]})


def test_a_literal_segment_comes_before_a_parameter() -> None:
    router = _router("GET /_search", "GET /{index}", "GET /{index}/_search", "GET /_cat/{what}")
    assert _found(router, "GET", "/_search") == ("/_search", {})
    assert _found(router, "GET", "/books") == ("/{index}", {"index": "books"})
    assert _found(router, "GET", "/books/_search") == ("/{index}/_search", {"index": "books"})
    assert _found(router, "GET", "/_cat/x/") == ("/_cat/{what}", {"what": "x"})


def test_goes_back_where_the_literal_branch_has_no_such_method() -> None:
    router = _router("GET /_search", "PUT /{index}", "GET /_all/_mapping", "GET /{index}/_settings")
    assert _found(router, "PUT", "/_search") == ("/{index}", {"index": "_search"})
    assert _found(router, "GET", "/_all/_settings") == ("/{index}/_settings", {"index": "_all"})


def test_one_position_may_have_several_parameter_names() -> None:
    router = _router("GET /{index}/_doc/{id}", "PUT /{target}/_block/{block}")
    assert _found(router, "PUT", "/a/_block/write") == ("/{target}/_block/{block}", {"target": "a", "block": "write"})
    assert _found(router, "GET", "/a/_doc/1") == ("/{index}/_doc/{id}", {"index": "a", "id": "1"})


def test_allowed_methods_are_those_of_all_matching_routes() -> None:
    router = _router("GET /_search", "POST /_search", "PUT /{index}", "DELETE /{index}")
    assert router.allowed(["_search"]) == ["GET", "DELETE", "PUT", "POST"]
    assert router.allowed(["x"]) == ["DELETE", "PUT"]
    assert router.allowed(["x", "y"]) == []


def test_two_routes_for_one_endpoint_are_an_error() -> None:
    with pytest.raises(ValueError, match=r"two routes for GET /\{b\}"):
        _router("GET /{a}", "GET /{b}")
