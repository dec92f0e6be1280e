"""Alias actions; texts were observed on a real node."""

from __future__ import annotations

import pytest
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.commands import AddAlias, RemoveAlias, RemoveIndex
from quidditch.model.errors import ApiError
from quidditch.model.objects import AliasMember


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.create("a")
    cluster.create("b")
    return cluster


def members(cluster: Cluster, alias: str) -> dict[str, AliasMember]:
    return cluster.state.aliases[alias].spec.indices


def test_a_swap_is_one_write(cluster: Cluster) -> None:
    cluster.aliases(AddAlias(indices=("a",), aliases=("l",)))
    decision = cluster.aliases(
        RemoveAlias(indices=("a",), aliases=("l",)),
        AddAlias(indices=("b",), aliases=("l",), routing="1", search_routing="1,2"),
    )
    assert [op.target for op in decision.ops if op.action == "put"][-1] == ("Alias", "l")
    assert members(cluster, "l") == {"b": AliasMember(index_routing="1", search_routing="1,2")}


def test_adding_replaces_what_was_said_of_the_index(cluster: Cluster) -> None:
    cluster.aliases(AddAlias(indices=("a", "b"), aliases=("l", "m"), filter={"term": {"x": 1}}))
    cluster.aliases(AddAlias(indices=("a",), aliases=("l",), is_write_index=True))
    assert members(cluster, "l") == {"a": AliasMember(is_write_index=True), "b": AliasMember(filter={"term": {"x": 1}})}
    assert set(members(cluster, "m")) == {"a", "b"}


@pytest.mark.parametrize(
    ("actions", "status", "type", "reason"),
    [
        (
            [AddAlias(indices=("a",), aliases=("a",))],
            400,
            "invalid_alias_name_exception",
            "Invalid alias name [a], an index exists with the same name as the alias",
        ),
        (
            [AddAlias(indices=("a",), aliases=("x y",))],
            400,
            "invalid_alias_name_exception",
            'Invalid alias name [x y]: must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]',
        ),
        (
            [AddAlias(indices=("a", "b"), aliases=("w",), is_write_index=True)],
            400,
            "illegal_state_exception",
            "alias [w] has more than one write index [a,b]",
        ),
        (
            [AddAlias(indices=("a",), aliases=("h",), is_hidden=True), AddAlias(indices=("b",), aliases=("h",))],
            400,
            "illegal_state_exception",
            "alias [h] has is_hidden set to true on indices [a] but does not have is_hidden set to true on indices [b]; alias"
            " must have the same is_hidden setting on all indices",
        ),
        (
            [RemoveAlias(indices=("a",), aliases=("nope",))],
            404,
            "aliases_not_found_exception",
            "aliases [nope] missing",
        ),
        (
            [RemoveAlias(indices=("a",), aliases=("nope*",))],
            404,
            "aliases_not_found_exception",
            "aliases [nope*] missing",
        ),
        ([AddAlias(indices=("c",), aliases=("l",))], 404, "index_not_found_exception", "no such index [c]"),
        ([RemoveIndex(indices=("c",))], 404, "index_not_found_exception", "no such index [c]"),
        (
            [AddAlias(indices=("a",), aliases=("l",)), RemoveIndex(indices=("a",))],
            404,
            "index_not_found_exception",
            "no such index [a]",
        ),
    ],
)
def test_refusals(cluster: Cluster, actions: list[AddAlias], status: int, type: str, reason: str) -> None:
    before = cluster.state
    with pytest.raises(ApiError) as caught:
        cluster.aliases(*actions)
    assert (caught.value.status, caught.value.type, caught.value.reason) == (status, type, reason)
    assert cluster.state is before


def test_removing(cluster: Cluster) -> None:
    cluster.aliases(AddAlias(indices=("a", "b"), aliases=("l1", "l2")))
    cluster.aliases(RemoveAlias(indices=("a",), aliases=("l*", "nope"), must_exist=False))
    assert {name: set(alias.spec.indices) for name, alias in cluster.state.aliases.items()} == {
        "l1": {"b"},
        "l2": {"b"},
    }
    cluster.aliases(RemoveAlias(indices=("*",), aliases=("nope",), must_exist=False))
    with pytest.raises(ApiError, match="aliases \\[nope\\] missing"):
        cluster.aliases(RemoveAlias(indices=("b",), aliases=("l1", "nope"), must_exist=True))
    cluster.aliases(RemoveAlias(indices=("_all",), aliases=("_all",)))
    assert not cluster.state.aliases


def test_an_index_becomes_an_alias_of_its_name(cluster: Cluster) -> None:
    cluster.aliases(AddAlias(indices=("b",), aliases=("a",)), RemoveIndex(indices=("a",)))
    assert set(cluster.state.indices) == {"b"}
    assert set(members(cluster, "a")) == {"b"}
