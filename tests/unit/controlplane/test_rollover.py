"""Rollover as OpenSearch 3.6.0 has it; names, texts and what becomes of the alias were observed on a real node."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.controlplane.cluster import NOW, Cluster

from quidditch.controlplane.core.commands import AddBlock, IndexCreated, PutTemplate, Rollover
from quidditch.controlplane.core.decide import decide, upkeep
from quidditch.controlplane.core.rollover import next_name
from quidditch.model.errors import ApiError


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("logs-1", "logs-000002"),
        ("logs-000009", "logs-000010"),
        ("a-2020-7", "a-2020-000008"),
        ("logs-1234567", "logs-1234568"),
        ("<logs-{now/d}-1>", "<logs-{now/d}-000002>"),
    ],
)
def test_names_count_on(name: str, following: str) -> None:
    assert next_name(name, NOW) == following


@pytest.mark.parametrize("name", ["logs", "logs-1x", "logs-", "<logs-{now/d}>", "logs-٣"])
def test_names_without_a_number(name: str) -> None:
    with pytest.raises(ApiError, match=r"does not match pattern '\^\.\*-\\d\+\$'"):
        next_name(name, NOW)


@pytest.mark.parametrize("number", ["9999999999", "2147483647"])
def test_a_number_that_cannot_grow(number: str) -> None:
    with pytest.raises(ApiError, match=f'For input string: "{number}"') as caught:
        next_name(f"logs-{number}", NOW)
    assert caught.value.type == "number_format_exception"


def rolled(cluster: Cluster, alias: str, **rest: Any) -> str:
    result = cluster.run(Rollover(alias=alias, **rest)).result
    assert isinstance(result, IndexCreated)
    return result.index


def members(cluster: Cluster, alias: str) -> dict[str, Any]:
    return {name: member.to_json() for name, member in cluster.state.aliases[alias].spec.indices.items()}


def test_a_plain_alias_moves() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {"filter": {"match_all": {}}}, "all": {}})
    met = {"max_docs": 1}
    assert rolled(cluster, "w", met_conditions=met, aliases={"w": {}, "more": {}}) == "logs-000002"
    assert members(cluster, "w") == {"logs-000002": {"filter": {"match_all": {}}}}
    assert set(members(cluster, "more")) == {"logs-000002"}
    assert set(members(cluster, "all")) == {"logs-1"}
    assert cluster.state.indices["logs-1"].spec.rollover == {"w": {"met_conditions": met, "time": NOW}}
    assert cluster.state.indices["logs-000002"].spec.takes_over is None
    assert upkeep(cluster.state, cluster.env).ops == ()


def test_a_write_index_stays_readable() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {"is_write_index": True, "index_routing": "1"}})
    cluster.create("logs-0", aliases={"w": {}})
    rolled(cluster, "w")
    assert members(cluster, "w") == {
        "logs-0": {},
        "logs-1": {"index_routing": "1", "is_write_index": False},
        "logs-000002": {"index_routing": "1", "is_write_index": True},
    }
    assert rolled(cluster, "w", new_index="<other-{now/d{yyyy}}-7>") == "other-2023-7"
    assert rolled(cluster, "w") == "other-2023-000008"
    assert cluster.state.aliases["w"].write_index == "other-2023-000008"


def test_a_command_that_comes_twice_rolls_over_once() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {}})
    command = Rollover(alias="w", source="logs-1", uuid="mine")
    first = cluster.run(command)
    again = cluster.run(command)
    assert again.ops == ()
    assert again.result == first.result
    assert sorted(cluster.state.indices) == ["logs-000002", "logs-1"]


def test_of_two_at_once_one_is_told() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {}})
    rolled(cluster, "w", source="logs-1")
    with pytest.raises(ApiError, match=r"Concurrent modification of alias \[w\] during rollover") as caught:
        cluster.run(Rollover(alias="w", source="logs-1"))
    assert caught.value.status == 409


def refused(cluster: Cluster, alias: str, **rest: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        decide(cluster.state, Rollover(alias=alias, **rest), cluster.env)
    return caught.value


def test_what_cannot_be_rolled_over() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {}, "never": {"is_write_index": False}, "many": {}})
    cluster.create("logs-2", aliases={"many": {}})
    reasons = {
        "nix": "rollover target [nix] does not exist",
        "logs-1": "rollover target is a [concrete index] but one of [alias,data_stream] was expected",
        "never": "rollover target [never] does not point to a write index",
        "many": "rollover target [many] does not point to a write index",
    }
    for alias, reason in reasons.items():
        error = refused(cluster, alias)
        assert (error.status, error.type, error.reason) == (400, "illegal_argument_exception", reason)
    assert refused(cluster, "w", new_index="logs-2").type == "resource_already_exists_exception"
    assert refused(cluster, "w", new_index="BAD").type == "invalid_index_name_exception"
    assert refused(cluster, "w", new_index="many").reason == "Invalid index name [many], already exists as alias"


def test_a_template_may_not_have_the_alias() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {}})
    body = {"index_patterns": ["logs-*"], "template": {"aliases": {"w": {}}}}
    cluster.run(PutTemplate(template_kind="index", name="t", body=body))
    assert refused(cluster, "w").reason == (
        "Rollover alias [w] can point to multiple indices, found duplicated alias [[w]] in index template [t]"
    )


def test_a_block_on_metadata_forbids_it() -> None:
    cluster = Cluster()
    cluster.create("logs-1", aliases={"w": {}})
    cluster.run(AddBlock(indices=("logs-1",), block="read_only"))
    assert (refused(cluster, "w").status, refused(cluster, "w").type) == (403, "cluster_block_exception")
