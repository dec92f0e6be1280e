"""Which copy of a shard is asked, by place and preference."""

from __future__ import annotations

import pytest

from quidditch.coordinator import copies
from quidditch.model.errors import ApiError
from quidditch.model.objects import (
    Copy,
    Index,
    IndexSpec,
    Node,
    NodeSpec,
    Routing,
    RoutingSpec,
    ShardRouting,
    metadata_for,
)
from quidditch.model.state import ClusterState

INDEX = Index(metadata=metadata_for("i"), spec=IndexSpec(name="i", uuid="u"))


def copy(node: str | None, state: str = "STARTED", primary: bool = False) -> Copy:
    return Copy(node=node, state=state, primary=primary)  # type: ignore[arg-type]


SHARD = ShardRouting(
    copies=(copy("n2", primary=True), copy("n1"), copy("n3", "INITIALIZING"), copy(None, "UNASSIGNED"), copy("n4"))
)
STATE = ClusterState().apply(
    [
        INDEX,
        Routing(metadata=metadata_for("i"), spec=RoutingSpec(index="i", uuid="u", shards=(SHARD,))),
        *(
            Node(
                metadata=metadata_for(id),
                spec=NodeSpec(
                    id=id,
                    name=f"name-{id}",
                    host=f"10.0.0.{id[1]}",
                    attributes={"zone": "a"} if id == "n1" else {},
                ),
            )
            for id in ("n1", "n2", "n3", "n4")
        ),
    ],
    1,
)


@pytest.mark.parametrize(
    ("local", "preference", "expected"),
    [
        ("n9", None, "n2 n1 n4"),
        ("n1", None, "n1 n2 n4"),
        ("n3", None, "n2 n1 n4"),
        ("n4", "_local", "n4 n2 n1"),
        ("n4", "_only_local", "n4"),
        ("n9", "_only_local", ""),
        ("n9", "_only_nodes:name-n4,n1", "n1 n4"),
        ("n9", "_prefer_nodes:n4", "n4 n2 n1"),
        ("n1", "_shards:0|_only_nodes:n2", "n2"),
        ("n9", "_shards:0", "n2 n1 n4"),
        ("n1", "_primary", "n2"),
        ("n2", "_replica", "n1 n4"),
        ("n1", "_primary_first", "n2 n1 n4"),
        ("n2", "_replica_first", "n1 n4 n2"),
        ("n9", "_only_nodes:name-n*", "n2 n1 n4"),
        ("n9", "_only_nodes:zone:a", "n1"),
        ("n9", "_prefer_nodes:zone:*,10.0.0.4", "n1 n4 n2"),
    ],
)
def test_the_order_in_which_copies_are_asked(local: str, preference: str | None, expected: str) -> None:
    assert " ".join(copies.readable(STATE, INDEX, 0, local, preference)) == expected


def test_a_session_stays_with_its_copy() -> None:
    orders = {copies.readable(STATE, INDEX, 0, local, "session") for local in ("n1", "n2", "n9")}
    assert len(orders) == 1
    assert sorted(next(iter(orders))) == ["n1", "n2", "n4"]


def test_nodes_that_there_are_not_are_refused() -> None:
    with pytest.raises(ApiError) as caught:
        copies.readable(STATE, INDEX, 0, "n1", "_only_nodes:nobody")
    assert caught.value.reason == "no data nodes with criteria [nobody] found for shard: [i][0]"


def test_only_active_copies_are_here() -> None:
    assert [copies.is_here(STATE, INDEX, 0, node) for node in ("n1", "n2", "n3", "n4", "n9")] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_an_index_of_the_same_name_has_other_copies() -> None:
    other = Index(metadata=metadata_for("i"), spec=IndexSpec(name="i", uuid="v"))
    assert copies.readable(STATE, other, 0, "n1") == ()
    assert copies.meant(STATE, other, 0) is None
    found = copies.meant(STATE, INDEX, 0)
    assert found is not None
    assert found[0] == "n2"
