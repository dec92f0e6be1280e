"""Index life as OpenSearch has it; texts were observed on a real node."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.controlplane.cluster import NOW, Cluster

from quidditch.controlplane.core.commands import (
    AddBlock,
    CloseIndices,
    CreateIndex,
    DeleteIndices,
    GrowMapping,
    OpenIndices,
    PutClusterSettings,
    PutMapping,
    UpdateIndexSettings,
)
from quidditch.model.errors import ApiError
from quidditch.model.expressions import IndicesOptions

FORBIDDEN = 'must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("P1x", "must be lowercase"),
        ("p1,x", FORBIDDEN),
        ('p1"x', FORBIDDEN),
        ("p1 x", FORBIDDEN),
        ("p1*", FORBIDDEN),
        ("_p1", "must not start with '_', '-', or '+'"),
        ("-p1", "must not start with '_', '-', or '+'"),
        ("+p1", "must not start with '_', '-', or '+'"),
        ("p1#x", "must not contain '#'"),
        ("p1:x", "must not contain ':'"),
        ("..", "must not be '.' or '..'"),
        ("x" * 256, "index name is too long, (256 > 255)"),
        ("ü" * 128, "index name is too long, (256 > 255)"),
    ],
)
def test_names_that_cannot_be(name: str, problem: str) -> None:
    with pytest.raises(ApiError) as caught:
        Cluster().create(name)
    assert caught.value.type == "invalid_index_name_exception"
    assert caught.value.reason == f"Invalid index name [{name}], {problem}"
    assert caught.value.details == {"index": name, "index_uuid": "_na_"}


def test_a_new_index_has_its_settings() -> None:
    cluster = Cluster()
    cluster.create("a", {"number_of_shards": 2, "index": {"refresh_interval": "5s"}, "index.hidden": None})
    index = cluster.state.indices["a"]
    assert index.spec.settings["index.number_of_shards"] == "2"
    assert index.spec.settings["index.number_of_replicas"] == "1"
    assert index.spec.settings["index.refresh_interval"] == "5s"
    assert index.spec.settings["index.creation_date"] == str(NOW)
    assert index.spec.settings["index.provided_name"] == "a"
    assert index.spec.settings["index.uuid"] == index.uuid
    assert "index.hidden" not in index.spec.settings


@pytest.mark.parametrize(("shards", "expected"), [(1, 1024), (2, 1024), (3, 768), (5, 640), (513, 1026), (1024, 2048)])
def test_routing_shards_leave_room_for_splits(shards: int, expected: int) -> None:
    cluster = Cluster()
    cluster.run(PutClusterSettings(persistent={"cluster.max_shards_per_node": 100_000}))
    cluster.create("a", {"number_of_shards": shards})
    assert cluster.state.indices["a"].spec.routing_num_shards == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"number_of_shards": 0}, "Failed to parse value [0] for setting [index.number_of_shards] must be >= 1"),
        (
            {"number_of_shards": 2000},
            "Failed to parse value [2000] for setting [index.number_of_shards] must be <= 1024",
        ),
        ({"number_of_replicas": -1}, "Failed to parse value [-1] for setting [index.number_of_replicas] must be >= 0"),
        (
            {"number_of_routing_shards": 3, "number_of_shards": 2},
            "the number of source shards [2] must be a factor of [3]",
        ),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], reason: str) -> None:
    cluster = Cluster()
    with pytest.raises(ApiError) as caught:
        cluster.create("a", settings)
    assert caught.value.reason == reason
    assert not cluster.state.indices


def test_an_index_or_alias_of_the_name_is_in_the_way() -> None:
    cluster = Cluster()
    cluster.create("a", aliases={"l": {}})
    with pytest.raises(ApiError) as caught:
        cluster.create("a")
    assert caught.value.type == "resource_already_exists_exception"
    with pytest.raises(ApiError) as caught:
        cluster.create("l")
    assert caught.value.reason == "Invalid index name [l], already exists as alias"
    with pytest.raises(ApiError) as caught:
        cluster.create("b", aliases={"b": {}})
    assert (caught.value.status, caught.value.type) == (400, "illegal_state_exception")
    assert "conflicts with index" in str(caught.value.reason)


def test_auto_creation() -> None:
    cluster = Cluster()
    made = cluster.create("a", auto=True).result
    again = cluster.create("a", auto=True).result
    assert not made.existed  # type: ignore[union-attr]
    assert again.existed  # type: ignore[union-attr]
    assert made.uuid == again.uuid  # type: ignore[union-attr]
    cluster.run(PutClusterSettings(persistent={"action.auto_create_index": "+yes*,-no*"}))
    cluster.create("yes-1", auto=True)
    for name, problem in (
        ("no-1", "[action.auto_create_index] contains [-no*] which forbids automatic creation of the index"),
        ("other", "[action.auto_create_index] ([+yes*,-no*]) doesn't match"),
    ):
        with pytest.raises(ApiError) as caught:
            cluster.create(name, auto=True)
        assert caught.value.reason == f"no such index [{name}] and {problem}"
    cluster.create("other")


def test_date_math_names() -> None:
    cluster = Cluster()
    cluster.create("<logs-{now/d}>")
    assert "logs-2023.11.14" in cluster.state.indices
    assert cluster.state.indices["logs-2023.11.14"].setting("index.provided_name") == "<logs-{now/d}>"


def test_deletion_takes_everything_along() -> None:
    cluster = Cluster()
    cluster.create("a", aliases={"l": {}, "only": {}})
    cluster.create("b", aliases={"l": {}})
    decision = cluster.run(DeleteIndices(indices=("a",)))
    assert [op.action for op in decision.ops if op.target == ("Index", "a")] == ["remove", "release"]
    assert set(cluster.state.routing) == {"b"}
    assert {name: set(alias.spec.indices) for name, alias in cluster.state.aliases.items()} == {"l": {"b"}}
    with pytest.raises(ApiError, match="matches an alias"):
        cluster.run(DeleteIndices(indices=("l",)))
    cluster.run(DeleteIndices(indices=("l",), options=IndicesOptions(ignore_unavailable=True)))
    cluster.run(DeleteIndices(indices=("*",)))
    assert not cluster.state.indices


def test_destructive_requires_name() -> None:
    cluster = Cluster()
    cluster.create("a")
    cluster.run(PutClusterSettings(persistent={"action.destructive_requires_name": True}))
    for names in (("_all",), ("a*",), ()):
        with pytest.raises(ApiError, match="Wildcard expressions or all indices are not allowed"):
            cluster.run(DeleteIndices(indices=names))
    cluster.run(DeleteIndices(indices=("a",)))


def test_closing_and_opening() -> None:
    cluster = Cluster()
    cluster.create("a", {"number_of_replicas": 0})
    before = cluster.state.routing["a"].spec.shards[0]
    cluster.run(CloseIndices(indices=("a",)))
    index = cluster.state.indices["a"]
    assert not index.open
    assert index.setting("index.verified_before_close") == "true"
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"analysis.analyzer.x.type": "keyword"}))
    cluster.run(OpenIndices(indices=("a",)))
    index = cluster.state.indices["a"]
    after = cluster.state.routing["a"].spec.shards[0]
    assert index.open
    assert "index.verified_before_close" not in index.spec.settings
    assert after.primary_term == before.primary_term + 1
    assert after.primary.allocation_id == before.primary.allocation_id
    with pytest.raises(ApiError) as caught:
        cluster.run(UpdateIndexSettings(indices=("a",), settings={"analysis.analyzer.x.type": "standard"}))
    assert caught.value.reason == (
        f"Can't update non dynamic settings [[index.analysis.analyzer.x.type]] for open indices [[a/{index.uuid}]]"
    )


def test_mappings_merge_or_nothing_changes() -> None:
    cluster = Cluster()
    cluster.create("a", mappings={"properties": {"x": {"type": "long"}}})
    cluster.create("b", mappings={"properties": {"y": {"type": "keyword"}}})
    cluster.run(PutMapping(indices=("*",), mapping={"properties": {"z": {"type": "text"}}}))
    assert set(cluster.state.indices["a"].spec.mappings["properties"]) == {"x", "z"}
    assert cluster.state.indices["a"].spec.mapping_version == 2
    with pytest.raises(ApiError):
        cluster.run(PutMapping(indices=("*",), mapping={"properties": {"x": {"type": "keyword"}}}))
    assert set(cluster.state.indices["b"].spec.mappings["properties"]) == {"y", "z"}
    cluster.run(PutMapping(indices=("a",), mapping={"properties": {"x": {"type": "long"}}}))
    assert cluster.state.indices["a"].spec.mapping_version == 2
    with pytest.raises(ApiError) as caught:
        cluster.run(GrowMapping(index="a", uuid="another", mapping={"properties": {"q": {"type": "long"}}}))
    assert caught.value.type == "index_not_found_exception"


def test_replicas_follow_the_setting_and_the_nodes() -> None:
    cluster = Cluster(nodes=3)
    cluster.create("a", {"number_of_replicas": 1})
    cluster.create("auto", {"auto_expand_replicas": "0-all"})
    assert [copy.state for copy in cluster.state.routing["a"].spec.shards[0].copies] == ["STARTED", "STARTED"]
    assert len(cluster.state.routing["auto"].spec.shards[0].copies) == 3
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 3}))
    states = [copy.state for copy in cluster.state.routing["a"].spec.shards[0].copies]
    assert sorted(states) == ["STARTED", "STARTED", "STARTED", "UNASSIGNED"]
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"number_of_replicas": 0}))
    assert len(cluster.state.routing["a"].spec.shards[0].copies) == 1
    cluster.join(3)
    assert cluster.state.indices["auto"].number_of_replicas == 3
    assert len(cluster.state.routing["auto"].spec.shards[0].copies) == 4


def test_blocks() -> None:
    cluster = Cluster()
    cluster.create("a")
    cluster.run(AddBlock(indices=("a",), block="metadata"))
    with pytest.raises(ApiError) as caught:
        cluster.run(PutMapping(indices=("a",), mapping={"properties": {"x": {"type": "long"}}}))
    assert (caught.value.status, caught.value.reason) == (
        403,
        "index [a] blocked by: [FORBIDDEN/9/index metadata (api)];",
    )
    cluster.run(UpdateIndexSettings(indices=("a",), settings={"index.blocks.metadata": False}))
    cluster.run(AddBlock(indices=("a",), block="read_only_allow_delete"))
    cluster.run(DeleteIndices(indices=("a",)))
    cluster.run(PutClusterSettings(transient={"cluster.blocks.read_only": True}))
    with pytest.raises(ApiError, match="cluster read-only"):
        cluster.create("b")


def test_wait_for_active_shards_must_be_possible() -> None:
    cluster = Cluster()
    with pytest.raises(ApiError) as caught:
        cluster.create("a", {"number_of_replicas": 1}, wait_for_active_shards="3")
    assert caught.value.reason == "invalid wait_for_active_shards[3]: cannot be greater than number of shard copies [2]"
    made = cluster.run(CreateIndex(name="a", settings={"index.write.wait_for_active_shards": "2"})).result
    assert made.wait_for_active_shards == "2"  # type: ignore[union-attr]


def test_mappings_parsed_before_are_not_taken_for_others() -> None:
    cluster = Cluster()
    cluster.create("a")
    uuid = cluster.state.indices["a"].uuid
    before = cluster.state
    cluster.run(GrowMapping(index="a", uuid=uuid, mapping={"properties": {"x": {"type": "long"}}}))
    cluster.state = before
    cluster.run(GrowMapping(index="a", uuid=uuid, mapping={"properties": {"x": {"type": "keyword"}}}))
    assert cluster.state.indices["a"].spec.mappings == {"properties": {"x": {"type": "keyword"}}}
    cluster.run(GrowMapping(index="a", uuid=uuid, mapping={"properties": {"y": {"type": "long"}}}))
    assert set(cluster.state.indices["a"].spec.mappings["properties"]) == {"x", "y"}
