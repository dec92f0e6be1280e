"""Laws that hold for every mapping and every set of settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quidditch.mapping import compose, merge, parse
from quidditch.mapping import settings as index_settings
from quidditch.model.errors import ApiError

_NAMES = st.sampled_from(["a", "b", "c", "long name", "ü", "x-1"])
_LEAVES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"type": st.just("text")},
        optional={
            "analyzer": st.sampled_from(["default", "simple", "english"]),
            "search_analyzer": st.sampled_from(["default", "simple", "english"]),
            "search_quote_analyzer": st.sampled_from(["default", "simple", "english"]),
            "norms": st.booleans(),
            "fields": st.dictionaries(_NAMES, st.just({"type": "keyword"}), max_size=2),
            "copy_to": st.lists(st.just("elsewhere"), max_size=1),
        },
    ),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["long", "byte", "float", "unsigned_long"])},
        optional={"index": st.booleans(), "coerce": st.booleans(), "null_value": st.integers(0, 100)},
    ),
    st.fixed_dictionaries({"type": st.just("keyword")}, optional={"ignore_above": st.integers(0, 300)}),
    st.fixed_dictionaries({"type": st.just("date")}, optional={"format": st.just("yyyy"), "null_value": st.just("1")}),
    st.sampled_from([{"type": kind} for kind in ("boolean", "ip", "binary", "date_nanos", "wildcard")]),
)


def _objects(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"type": st.sampled_from(["object", "nested"]), "properties": st.dictionaries(_NAMES, children, max_size=3)},
        optional={"dynamic": st.sampled_from(["strict", True, "false"]), "enabled": st.booleans()},
    )


_MAPPINGS = st.fixed_dictionaries(
    {"properties": st.dictionaries(_NAMES, st.recursive(_LEAVES, _objects, max_leaves=6), max_size=4)},
    optional={
        "dynamic": st.sampled_from(["strict", True, False, "strict_allow_templates"]),
        "_meta": st.dictionaries(_NAMES, st.integers()),
        "date_detection": st.booleans(),
        "_source": st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "includes": st.just(["a*"])}),
    },
)


@given(_MAPPINGS)
def test_what_is_shown_parses_to_the_same_mapping(body: dict[str, Any]) -> None:
    mapping = parse(body)
    again = parse(mapping.to_json())
    assert again.to_json() == mapping.to_json()
    assert parse(again.to_json()) == again


@given(_MAPPINGS)
def test_merging_a_mapping_into_itself_changes_nothing(body: dict[str, Any]) -> None:
    mapping = parse(parse(body).to_json())
    assert merge(mapping, mapping.to_json()) == mapping


@given(_MAPPINGS, _MAPPINGS)
def test_an_update_is_taken_whole_or_refused(first: dict[str, Any], second: dict[str, Any]) -> None:
    old, new = parse(first), parse(second)
    if _refused_as_the_users_fault(lambda: merge(old, second)) is not None:
        return
    merged = merge(old, second)
    assert set(merged.leaves) == set(old.leaves) | set(new.leaves)
    assert merge(merged, second) == merged


@given(st.lists(_MAPPINGS, max_size=3))
def test_composing_keeps_every_field_of_the_last(bodies: list[dict[str, Any]]) -> None:
    if bodies and _refused_as_the_users_fault(lambda: compose(list(bodies))) is None:
        mapping = compose(list(bodies))
        assert set(parse(bodies[-1]).leaves) <= set(mapping.leaves)


_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=3))
_JSON = st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), _SCALARS, max_size=2))
_KEYS = st.sampled_from(
    [
        "properties",
        "dynamic",
        "_source",
        "type",
        "fields",
        "dynamic_templates",
        "_meta",
        "enabled",
        "copy_to",
        "null_value",
    ]
)
_ODD = st.one_of(_JSON, st.dictionaries(_KEYS, st.one_of(_JSON, st.dictionaries(_KEYS, _JSON, max_size=3)), max_size=3))


def _refused_as_the_users_fault(call: Callable[[], Any]) -> ApiError | None:
    """The error of a call that may succeed; it must be one that names a problem of the request."""
    try:
        call()
    except ApiError as caught:
        error = caught
    else:
        return None
    assert error.status == 400
    assert error.reason
    return error


@given(st.dictionaries(_KEYS, _ODD, max_size=5))
def test_nonsense_is_refused_with_an_error_of_the_user(body: dict[str, Any]) -> None:
    _refused_as_the_users_fault(lambda: parse(body))


@given(st.dictionaries(st.text(max_size=8), _JSON, max_size=4))
def test_nonsense_settings_are_refused_with_an_error_of_the_user(body: dict[str, Any]) -> None:
    _refused_as_the_users_fault(lambda: index_settings.check_create(index_settings.normalize(body)))


@given(st.dictionaries(st.sampled_from(["a.b", "a", "a.b.c", "d", "d.e"]), st.text(max_size=3), max_size=5))
def test_flat_settings_survive_nesting(flat: dict[str, str]) -> None:
    assert index_settings.flatten(index_settings.nest(flat)) == flat
