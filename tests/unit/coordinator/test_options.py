import msgspec
import pytest

from quidditch.controlplane.core.blocks import blocked
from quidditch.coordinator.get import Found, check_preference
from quidditch.coordinator.options import WriteOptions, parse_active_shards, parse_refresh
from quidditch.model.errors import ApiError
from quidditch.model.objects import Index, IndexSpec, Settings, SettingsSpec, metadata_for
from quidditch.model.state import ClusterState


def _index(**settings: str) -> Index:
    flat = {"index." + key.replace("__", "."): value for key, value in settings.items()}
    return Index(metadata=metadata_for("i"), spec=IndexSpec(name="i", uuid="u", settings=flat))


@pytest.mark.parametrize(
    ("text", "value"), [(None, "false"), ("", "true"), ("true", "true"), ("false", "false"), ("wait_for", "wait_for")]
)
def test_refresh(text: str | None, value: str) -> None:
    assert parse_refresh(text) == value


@pytest.mark.parametrize(("text", "value"), [(None, None), ("all", -1), ("0", 0), ("2", 2)])
def test_active_shards(text: str | None, value: int | None) -> None:
    assert parse_active_shards(text) == value


@pytest.mark.parametrize(
    ("text", "reason"), [("x", "cannot parse ActiveShardCount[x]"), ("-2", "shard count cannot be a negative value")]
)
def test_bad_options(text: str, reason: str) -> None:
    with pytest.raises(ApiError, match=reason.replace("[", r"\[")):
        parse_active_shards(text)
    with pytest.raises(ApiError, match=r"Unknown value for refresh: \[x\]"):
        parse_refresh("x")


def test_timeouts_are_shown_as_opensearch_does() -> None:
    assert [WriteOptions(timeout_ms=ms).timeout for ms in (60_000, 100, 1500, 0)] == ["1m", "100ms", "1.5s", "0ms"]


def test_blocks_of_indices() -> None:
    state = ClusterState()
    assert blocked(state, _index(), "write") is None
    assert blocked(state, _index(blocks__write="false"), "write") is None
    write = blocked(state, _index(blocks__write="true"), "write")
    assert write is not None
    assert (write.status, write.reason) == (403, "index [i] blocked by: [FORBIDDEN/8/index write (api)];")
    assert blocked(state, _index(blocks__write="true"), "read") is None
    full = blocked(state, _index(blocks__read_only_allow_delete="true"), "write")
    assert full is not None
    assert full.status == 429


def test_blocks_of_the_cluster() -> None:
    spec = SettingsSpec(persistent={"cluster.blocks.read_only": "true"})
    settings = msgspec.structs.replace(Settings(metadata=metadata_for(Settings.NAME)), spec=spec)
    state = ClusterState().apply([settings], 1)
    error = blocked(state, _index(), "write")
    assert error is not None
    assert error.reason == "blocked by: [FORBIDDEN/6/cluster read-only (api)];"
    assert blocked(state, _index(), "read") is None


def test_found_documents() -> None:
    found = Found("i", 'a"', b'"_version":1,"found":true,"_source":{"x":"\\"_source\\":"}')
    assert found.body() == b'{"_index":"i","_id":"a\\"","_version":1,"found":true,"_source":{"x":"\\"_source\\":"}}'
    assert found.source() == b'{"x":"\\"_source\\":"}'
    assert Found("i", "b", None).body() == b'{"_index":"i","_id":"b","found":false}'


def test_preferences() -> None:
    for known in (
        None,
        "",
        "custom",
        "_local",
        "_primary",
        "_shards:1,2",
        "_shards:0|_local",
        "_shards:0|_only_nodes:a",
    ):
        check_preference(known)
    for unknown, named in (
        ("_foo", "_foo"),
        ("_shards:0|_foo", "_foo"),
        ("_shards:0|abc", "abc"),
        ("_shards", "_shards"),
    ):
        with pytest.raises(ApiError, match=rf"no Preference for \[{named}\]"):
            check_preference(unknown)
