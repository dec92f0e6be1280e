"""The two languages: precedence, operators, escapes."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.query.support import context

from quidditch.query.errors import ShardError
from quidditch.query.ops import Op
from quidditch.query.plan import compile_query


def shown(op: Op) -> str:
    """A short form: + must, - must not, # filter."""
    ((kind, arguments),) = op.items()
    boost = f"^{arguments['boost']:g}" if "boost" in arguments else ""
    if kind == "bool":
        marks = (("must", "+"), ("filter", "#"), ("should", ""), ("must_not", "-"))
        return (
            "(" + " ".join(mark + shown(part) for name, mark in marks for part in arguments.get(name, ())) + ")" + boost
        )
    if kind == "phrase":
        return '"' + " ".join(terms[0] for _, terms in arguments["terms"]) + f'"~{arguments["slop"]}{boost}'
    if kind == "range":
        return "range" + "".join(f" {key}{value}" for key, value in arguments.items() if key != "field")
    if kind == "all":
        return "*:*" + boost
    if kind == "exists":
        return f"exists {arguments['field']}"
    if kind == "fuzzy":
        return f"{arguments['value']}~{arguments['edits']}"
    value = (
        f"{arguments['value']}*"
        if kind == "prefix"
        else f"/{arguments['value']}/"
        if kind == "regexp"
        else str(arguments["value"])
    )
    return value + boost


def query(text: str, **options: Any) -> str:
    return shown(compile_query({"query_string": {"query": text, "default_field": "title", **options}}, context()))


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("a", "a"),
        ("a b", "(a b)"),
        ("a AND b", "(+a +b)"),
        ("a AND b OR c", "(+a +b c)"),
        ("a OR b AND c", "(+b +c a)"),
        ("a b AND c d", "(+b +c a d)"),
        ("+a -b c", "(+a c -b)"),
        ("NOT a", "(#*:* -a)"),
        ("a && b || !c", "(+a +b -c)"),
        ("(a b) c", "((a b) c)"),
        ("(+a -b)^2 c^3", "((+a -b)^2 c^3)"),
        ('"a b"~2', '"a b"~2'),
        ("hel* w?rld", "(hel* w?rld)"),
        ("hello~ world~1", "(hello~1 world~1)"),
        ("/AB.c/", "/ab.c/"),
        ("n:[1 TO 5}", "range gte1 lte4"),
        ("n:>5", "range gte6"),
        ("n:<=5", "range lte5"),
        ("_exists_:tag", "exists tag"),
        ("tag:*", "exists tag"),
        ("*:*", "*:*"),
        (r"a\:b", "(a b)"),
    ],
)
def test_query_string(text: str, op: str) -> None:
    assert query(text) == op


@pytest.mark.parametrize(
    ("text", "op"),
    [("a b", "(+a +b)"), ("a OR b", "(a b)"), ("a AND b OR c", "(+a b c)"), ("a -b", "(+a -b)")],
)
def test_and_as_default(text: str, op: str) -> None:
    assert query(text, default_operator="and") == op


@pytest.mark.parametrize("text", ["foo(", "(a", "a)", "[1 TO", '"a', "a:", "AND", "a^", "user.*:b", "\\"])
def test_broken_texts(text: str) -> None:
    with pytest.raises(ShardError, match="Failed to parse query") as caught:
        query(text)
    assert caught.value.details["caused_by"]["type"] == "parse_exception"


def simple(text: str, **options: Any) -> str:
    return shown(compile_query({"simple_query_string": {"query": text, "fields": ["title"], **options}}, context()))


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("a b", "(a b)"),
        ("a + b", "(+a +b)"),
        ("a + b | c", "((+a +b) c)"),
        ("-a", "(*:* -a)"),
        ('"a b"~3', '"a b"~3'),
        ("(a | b) + c", "(+(a b) +c)"),
        ("hel*", "hel*"),
        ("hello~1", "hello~1"),
        ("(a", "a"),
        ("a)", "a"),
        ('"a b', "(a b)"),
        ("*", "*:*"),
    ],
)
def test_simple_query_string(text: str, op: str) -> None:
    assert simple(text) == op


def test_operators_can_be_switched_off() -> None:
    assert simple("a + b", flags="OR|WHITESPACE") == "(a b)"
    assert simple("a b", default_operator="and") == "(+a +b)"
