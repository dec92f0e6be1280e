"""A write follows its primary."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quidditch.controlplane.publisher import Publisher
from quidditch.coordinator.options import WriteOptions
from quidditch.coordinator.primaries import Primaries
from quidditch.model.errors import ApiError
from quidditch.model.objects import Copy, Index, IndexSpec, Routing, RoutingSpec, ShardRouting, metadata_for
from quidditch.model.state import ClusterState
from quidditch.transport.api import Unreachable
from quidditch.transport.shards import RETRY_ON_PRIMARY, Meant, ShardMissing

INDEX = Index(metadata=metadata_for("i"), spec=IndexSpec(name="i", uuid="u"))
Act = Callable[[Meant], Awaitable[str]]


def state(version: int, node: str, term: int) -> ClusterState:
    copy = Copy(primary=True, state="STARTED", node=node, allocation_id=f"on-{node}")
    shards = (ShardRouting(primary_term=term, in_sync=(f"on-{node}",), copies=(copy,)),)
    routing = Routing(metadata=metadata_for("i"), spec=RoutingSpec(index="i", uuid="u", shards=shards))
    return ClusterState().apply([INDEX, routing], version)


def write(acts: dict[str, Act], control: Publisher, *, repeatable: bool = True) -> tuple[Any, list[tuple[str, Meant]]]:
    """The outcome of a write, and who was called with what."""
    called: list[tuple[str, Meant]] = []

    async def main() -> Any:
        control.publish(state(1, "a", 1))
        primaries = Primaries(control, lambda node: node, "here")  # type: ignore[arg-type, return-value]

        async def call(node: Any, meant: Meant, _left: float) -> str:
            called.append((node, meant))
            return await acts[node](meant)

        return await primaries.call(INDEX, 0, WriteOptions(timeout_ms=5000), call, repeatable=repeatable)

    return asyncio.run(main()), called


async def done(meant: Meant) -> str:
    return f"{meant.allocation_id} {meant.primary_term}"


@pytest.mark.parametrize(
    ("error", "retried"),
    [(ShardMissing("moved"), False), (Unreachable("gone"), True), (ApiError(503, RETRY_ON_PRIMARY, "over"), True)],
)
def test_a_second_try_says_so_where_the_first_may_have_been_applied(error: Exception, retried: bool) -> None:
    control = Publisher()

    async def fail(_meant: Meant) -> str:
        control.publish(state(2, "b", 2))
        raise error

    answer, called = write({"a": fail, "b": done}, control)
    assert answer == "on-b 2"
    assert called == [("a", Meant("on-a", 1)), ("b", Meant("on-b", 2, retried))]


def test_a_primary_that_hangs_is_left_when_another_takes_over() -> None:
    control = Publisher()

    async def hang(_meant: Meant) -> str:
        asyncio.get_running_loop().call_soon(control.publish, state(2, "b", 2))
        await asyncio.Event().wait()
        raise AssertionError

    answer, called = write({"a": hang, "b": done}, control)
    assert answer == "on-b 2"
    assert called[1] == ("b", Meant("on-b", 2, True))


def test_what_could_refuse_what_it_did_itself_is_not_tried_again() -> None:
    async def fail(_meant: Meant) -> str:
        raise Unreachable("gone")

    with pytest.raises(ApiError) as told:
        write({"a": fail}, Publisher(), repeatable=False)
    assert told.value.type == "node_disconnected_exception"
