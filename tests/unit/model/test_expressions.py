from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.unit.model import states

from quidditch.model import datemath, expressions, wildcard
from quidditch.model.errors import ApiError
from quidditch.model.expressions import IndicesOptions

NOW = int(datetime(2024, 3, 22, 23, 30, 5, tzinfo=UTC).timestamp() * 1000)
STATE = states.state(
    states.index("logs-a"),
    states.index("logs-b"),
    states.index("logs-closed", state="close"),
    states.index("logs-hidden", hidden=True),
    states.index(".dot", hidden=True),
    states.index("other"),
    states.index("2024.03.22"),
    states.alias("all-logs", {"logs-a": {}, "logs-b": {"filter": {"term": {"x": 1}}, "search_routing": "1,2"}}),
    states.alias("one", {"other": {"index_routing": "r", "search_routing": "r", "filter": {"match_all": {}}}}),
    states.alias("writes", {"logs-a": {}, "logs-b": {"is_write_index": True}}),
    states.alias("no-writes", {"other": {"is_write_index": False}}),
)


def names(expression: str, **options: bool) -> list[str]:
    found = expressions.resolve(STATE, expressions.split(expression), IndicesOptions(**options), NOW)
    return [index.name for index in found]


@pytest.mark.parametrize(
    ("expression", "options", "expected"),
    [
        ("logs-a", {}, ["logs-a"]),
        ("logs-a,other,logs-a", {}, ["logs-a", "other"]),
        ("logs-*", {}, ["logs-a", "logs-b"]),
        ("logs-*", {"expand_closed": True}, ["logs-a", "logs-b", "logs-closed"]),
        ("logs-*", {"expand_open": False, "expand_closed": True}, ["logs-closed"]),
        ("logs-*", {"expand_hidden": True}, ["logs-a", "logs-b", "logs-hidden"]),
        ("logs-*,-logs-a", {}, ["logs-b"]),
        ("*,-logs-*", {}, ["2024.03.22", "other"]),
        ("", {}, ["2024.03.22", "logs-a", "logs-b", "other"]),
        ("_all", {}, ["2024.03.22", "logs-a", "logs-b", "other"]),
        ("*", {"expand_hidden": True}, [".dot", "2024.03.22", "logs-a", "logs-b", "logs-hidden", "other"]),
        (".d*", {}, [".dot"]),
        ("all-logs", {}, ["logs-a", "logs-b"]),
        ("all-*", {}, ["logs-a", "logs-b"]),
        ("all-*,nothing*", {}, ["logs-a", "logs-b"]),
        ("logs-closed", {}, ["logs-closed"]),
        ("logs-closed", {"forbid_closed": True, "ignore_unavailable": True}, []),
        ("missing,other", {"ignore_unavailable": True}, ["other"]),
        ("<{now/d}>", {}, ["2024.03.22"]),
        ("<{now/d}>,o*", {}, ["2024.03.22", "other"]),
    ],
)
def test_expressions(expression: str, options: dict[str, bool], expected: list[str]) -> None:
    assert names(expression, **options) == expected


@pytest.mark.parametrize(
    ("expression", "options", "type", "reason"),
    [
        ("missing", {}, "index_not_found_exception", "no such index [missing]"),
        ("-logs-a", {}, "index_not_found_exception", "no such index [-logs-a]"),
        ("nothing*", {"allow_no_indices": False}, "index_not_found_exception", "no such index [nothing*]"),
        ("_x", {}, "invalid_index_name_exception", "Invalid index name [_x], must not start with '_'."),
        ("logs-closed", {"forbid_closed": True}, "index_closed_exception", "closed"),
        (
            "all-logs",
            {"allow_multiple": False},
            "illegal_argument_exception",
            "alias [all-logs] has more than one index associated with it [logs-a, logs-b], can't execute a single "
            "index op",
        ),
        (
            "one",
            {"ignore_aliases": True},
            "illegal_argument_exception",
            "The provided expression [one] matches an alias, specify the corresponding concrete indices instead.",
        ),
    ],
)
def test_refusals(expression: str, options: dict[str, bool], type: str, reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        names(expression, **options)
    assert (caught.value.type, caught.value.reason) == (type, reason)


def test_nothing_at_all() -> None:
    with pytest.raises(ApiError) as caught:
        expressions.resolve(states.state(), [], IndicesOptions(allow_no_indices=False))
    assert caught.value.status == 404
    assert expressions.resolve(states.state(), ["*"], IndicesOptions()) == []


def test_parse_options() -> None:
    parsed = expressions.parse_options(
        {"expand_wildcards": "closed,hidden", "ignore_unavailable": "true"}, IndicesOptions()
    )
    assert parsed == IndicesOptions(ignore_unavailable=True, expand_open=False, expand_closed=True, expand_hidden=True)
    assert expressions.parse_options({"expand_wildcards": "none"}, IndicesOptions()).expand_open is False
    with pytest.raises(ApiError, match="No valid expand wildcard value \\[some\\]"):
        expressions.parse_options({"expand_wildcards": "some"}, IndicesOptions())
    with pytest.raises(ApiError, match="Could not convert \\[ignore_unavailable\\] to boolean"):
        expressions.parse_options({"ignore_unavailable": "maybe"}, IndicesOptions())


def test_write_index() -> None:
    assert expressions.write_index(STATE, "new") is None
    index = expressions.write_index(STATE, "writes")
    assert index is not None
    assert index.name == "logs-b"
    for name in ("all-logs", "no-writes"):
        with pytest.raises(ApiError, match=f"no write index is defined for alias \\[{name}\\]"):
            expressions.write_index(STATE, name)


def test_routing_of_aliases() -> None:
    assert expressions.index_routing(STATE, "one", None) == "r"
    assert expressions.index_routing(STATE, "other", "x") == "x"
    with pytest.raises(ApiError, match="rejecting operation"):
        expressions.index_routing(STATE, "one", "x")
    assert expressions.search_routing(STATE, ["all-logs"], None) == {"logs-a": None, "logs-b": {"1", "2"}}
    assert expressions.search_routing(STATE, ["all-logs"], "2,3") == {"logs-a": {"2", "3"}, "logs-b": {"2"}}
    assert expressions.search_routing(STATE, ["one"], "x") == {}
    assert expressions.search_routing(STATE, ["one", "other"], None) == {"other": None}


def test_filters_of_aliases() -> None:
    assert expressions.alias_filters(STATE, "logs-b", ["all-logs"]) == [{"term": {"x": 1}}]
    assert expressions.alias_filters(STATE, "logs-a", ["all-logs"]) is None
    assert expressions.alias_filters(STATE, "logs-b", ["all-logs", "logs-b"]) is None


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("<logs-{now/d}>", "logs-2024.03.22"),
        ("<logs-{now/M{yyyy.MM}}-x>", "logs-2024.03-x"),
        ("<logs-{now/d-1d{uuuu-MM-dd}}>", "logs-2024-03-21"),
        ("<logs-{now/d{yyyy.MM.dd|+12:00}}>", "logs-2024.03.23"),
        ("<logs-{now/d{yyyy.MM.dd|America/New_York}}>", "logs-2024.03.22"),
        ("<elastic\\{ON\\}-{now/M}>", "elastic{ON}-2024.03.01"),
        ("<{now+1M-2w{dd 'of' MMM HH:mm}}>", "08 of Apr 23:30"),
        ("<{now/w{YYYY-'W'ww}}>", "2024-W12"),
        ("plain", "plain"),
    ],
)
def test_date_math(expression: str, expected: str) -> None:
    assert datemath.resolve(expression, NOW) == expected


@pytest.mark.parametrize(
    "expression",
    ["<{now>", "<a}>", "<{now{yyyy}>", "<{then}>", "<{now*2d}>", "<{now+2q}>", "<{now{}}>", "<{now{yy|}}>"],
)
def test_bad_date_math_is_refused(expression: str) -> None:
    with pytest.raises(ApiError):
        datemath.resolve(expression, NOW)


def test_select() -> None:
    known = ["a", "ab", "abc", "b"]
    assert list(wildcard.select("a*", known)) == ["a", "ab", "abc"]
    assert list(wildcard.select("a*c", known)) == ["abc"]
    assert list(wildcard.select("*b*", known)) == ["ab", "abc", "b"]
    assert list(wildcard.select("b", known)) == ["b"]
    assert list(wildcard.select("c", known)) == []
