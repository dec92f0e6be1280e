from __future__ import annotations

import pytest

from quidditch.model.objects import Node, NodeSpec, metadata_for
from quidditch.model.state import ClusterState
from quidditch.rest.node_filter import select_nodes


def node(id: str, *roles: str, **attributes: str) -> Node:
    spec = NodeSpec(id=id, name=f"name-{id}", roles=roles, ip=f"10.0.0.{id[1:]}", attributes=attributes)
    return Node(metadata=metadata_for(id), spec=spec)


STATE = ClusterState().apply(
    [node("n1", "data", "cluster_manager", zone="a"), node("n2", "data", zone="b"), node("n3")], 1
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (None, "n1 n2 n3"),
        ("_all", "n1 n2 n3"),
        ("n1", "n1"),
        ("name-n*", "n1 n2 n3"),
        ("_local", "n2"),
        ("_master,n3", "n1 n3"),
        ("10.0.0.3", "n3"),
        ("data:true", "n1 n2"),
        ("data:true,master:false", "n2"),
        ("coordinating_only:true", "n3"),
        ("zone:a", "n1"),
        ("zone:*", "n1 n2"),
        ("nope", ""),
    ],
)
def test_expressions(expression: str | None, expected: str) -> None:
    assert " ".join(found.id for found in select_nodes(STATE, expression, "n2", "n1")) == expected
