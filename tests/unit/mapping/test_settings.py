"""Index settings: parsing, errors, updates and the shown forms (texts recorded from OpenSearch 3.6)."""

from __future__ import annotations

from typing import Any

import pytest

from quidditch.mapping import settings
from quidditch.mapping.settings import Target
from quidditch.model.errors import ApiError

NO_IDEA = "please check that any required plugins are installed, or check the breaking changes documentation for removed settings"


def _refused(body: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        settings.check_create(settings.normalize(body))
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ({"index.x": 1}, "settings_exception", f"unknown setting [index.x] {NO_IDEA}"),
        ({"foo": {"bar": 1}}, "settings_exception", f"unknown setting [index.foo.bar] {NO_IDEA}"),
        (
            {"index": {"number_of_shards": {"x": 1}}},
            "settings_exception",
            "unknown setting [index.number_of_shards.x] did you mean [index.number_of_shards]?",
        ),
        (
            {"index.numer_of_replicas": 1},
            "settings_exception",
            "unknown setting [index.numer_of_replicas] did you mean any of "
            "[index.number_of_replicas, index.number_of_search_replicas]?",
        ),
        (
            {"number_of_shards": 0},
            "illegal_argument_exception",
            "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1",
        ),
        (
            {"number_of_shards": 2000},
            "illegal_argument_exception",
            "Failed to parse value [2000] for setting [index.number_of_shards] must be <= 1024",
        ),
        (
            {"refresh_interval": "5"},
            "illegal_argument_exception",
            "failed to parse setting [index.refresh_interval] with value [5] as a time value: "
            "unit is missing or unrecognized",
        ),
        (
            {"refresh_interval": "-5s"},
            "illegal_argument_exception",
            "failed to parse setting [index.refresh_interval] with value [-5s] as a time value: "
            "negative durations are not supported",
        ),
        (
            {"translog.sync_interval": "1ms"},
            "illegal_argument_exception",
            "failed to parse value [1ms] for setting [index.translog.sync_interval], must be >= [100ms]",
        ),
        (
            {"translog.flush_threshold_size": "1b"},
            "illegal_argument_exception",
            "failed to parse value [1b] for setting [index.translog.flush_threshold_size], must be >= [56b]",
        ),
        (
            {"codec": "foo"},
            "illegal_argument_exception",
            "unknown value for [index.codec] must be one of [default, lz4, best_compression, zlib] but was: foo",
        ),
        (
            {"translog.durability": "foo"},
            "illegal_argument_exception",
            "No enum constant org.opensearch.index.translog.Translog.Durability.FOO",
        ),
        (
            {"index.uuid": "x"},
            "validation_exception",
            "Validation Failed: 1: private index setting [index.uuid] can not be set explicitly;",
        ),
        (
            {"number_of_routing_shards": 7, "number_of_shards": 2},
            "illegal_argument_exception",
            "the number of source shards [2] must be a factor of [7]",
        ),
        (
            {"write.wait_for_active_shards": 5},
            "illegal_argument_exception",
            "invalid index.write.wait_for_active_shards[5]: cannot be greater than number of shard copies [2]",
        ),
        ({"similarity.x.type": "foo"}, "illegal_argument_exception", "Unknown Similarity type [foo] for [x]"),
        (
            {"blocks.write": "x"},
            "illegal_argument_exception",
            "Failed to parse value [x] as only [true] or [false] are allowed.",
        ),
    ],
)
def test_refused_at_creation(body: dict[str, Any], kind: str, reason: str) -> None:
    error = _refused(body)
    assert (error.type, error.reason) == (kind, reason)


def test_a_number_that_is_none_names_its_cause() -> None:
    error = _refused({"number_of_shards": "x"})
    assert error.details["caused_by"] == {"type": "number_format_exception", "reason": 'For input string: "x"'}


def test_values_become_text_and_keys_get_their_prefix() -> None:
    body = {"number_of_shards": 2, "index": {"blocks": {"write": True}}, "analysis.filter.x.words": ["a", 1]}
    assert settings.check_create(settings.normalize(body)) == {
        "index.analysis.filter.x.words": ["a", "1"],
        "index.blocks.write": "true",
        "index.number_of_shards": "2",
    }


OPEN = Target("i", "u1", True, {"index.number_of_shards": "1", "index.number_of_replicas": "1", "index.priority": "3"})
CLOSED = Target("c", "u2", False, OPEN.settings)


@pytest.mark.parametrize(
    ("target", "body", "reason"),
    [
        (
            OPEN,
            {"codec": "default", "number_of_shards": 3},
            "Can't update non dynamic settings [[index.codec, index.number_of_shards]] for open indices [[i/u1]]",
        ),
        (CLOSED, {"number_of_shards": 3}, "final c setting [index.number_of_shards], not updateable"),
        (
            CLOSED,
            {"uuid": "x"},
            "can not update private setting [index.uuid]; this setting is managed by OpenSearch",
        ),
        (OPEN, {"foo": None}, f"unknown setting [index.foo] {NO_IDEA}"),
    ],
)
def test_refused_updates(target: Target, body: dict[str, Any], reason: str) -> None:
    with pytest.raises(ApiError) as caught:
        settings.apply_update([target], settings.normalize(body))
    assert caught.value.reason == reason


def test_updates() -> None:
    changed = settings.apply_update([OPEN], settings.normalize({"refresh_interval": "7s", "priority": None}))
    assert changed == {
        "i": {"index.number_of_shards": "1", "index.number_of_replicas": "1", "index.refresh_interval": "7s"}
    }
    kept = settings.apply_update([OPEN], settings.normalize({"priority": 5, "hidden": True}), preserve_existing=True)
    assert (kept["i"]["index.priority"], kept["i"]["index.hidden"]) == ("3", "true")
    reset = settings.apply_update([OPEN], settings.normalize({"index": {"prior*": None}}))
    assert "index.priority" not in reset["i"]
    static = settings.apply_update([CLOSED], settings.normalize({"codec": "best_compression"}))
    assert static["c"]["index.codec"] == "best_compression"


def test_analysis_is_checked_with_all_settings() -> None:
    seen: list[Any] = []
    settings.check_create(settings.normalize({"analysis.analyzer.x.type": "simple"}), seen.append)
    settings.check_create(settings.normalize({"number_of_shards": 1}), seen.append)
    assert seen == [{"index.analysis.analyzer.x.type": "simple"}]


@pytest.mark.parametrize(
    ("key", "stored", "value"),
    [
        ("index.refresh_interval", {}, 1000.0),
        ("index.refresh_interval", {"index.refresh_interval": "-1"}, -1.0),
        ("index.refresh_interval", {"index.refresh_interval": "2m"}, 120_000.0),
        ("index.translog.flush_threshold_size", {}, 512 * 1024 * 1024),
        ("index.max_result_window", {}, 10_000),
        ("index.blocks.write", {"index.blocks.write": "true"}, True),
        ("index.query.default_field", {}, ["*"]),
        ("index.query.default_field", {"index.query.default_field": "a,b"}, ["a", "b"]),
    ],
)
def test_typed_values(key: str, stored: dict[str, str], value: Any) -> None:
    assert settings.value(stored, key) == value


def test_every_default_parses() -> None:
    for key in settings.defaults({}):
        settings.value({}, key)


def test_shown_nested() -> None:
    stored = {
        "index.number_of_shards": "1",
        "index.blocks.write": "true",
        "index.merge.policy": "a",
        "index.merge.policy.b": "c",
    }
    assert settings.shown(stored, flat=True) == stored
    assert settings.shown(stored, flat=False) == {
        "index": {
            "number_of_shards": "1",
            "blocks": {"write": "true"},
            "merge": {"policy": "a", "policy.b": "c"},
        }
    }


def test_names_that_a_mapping_may_use() -> None:
    context = settings.parse_context({"index.analysis.analyzer.mine.type": "custom", "index.similarity.s.type": "BM25"})
    assert context.analyzers is not None
    assert {"mine", "standard", "english"} <= context.analyzers
    assert context.similarities == {"BM25", "boolean", "s"}
