"""How the feeders of nodes end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quidditch.controlplane import wire
from quidditch.controlplane.publication import Publication
from quidditch.lib.clock import SystemClock
from quidditch.model.state import ClusterState
from quidditch.transport.memory import Network

STATE = ClusterState().apply([], 5)


def _feed(answer: Callable[[Publication], wire.Applied]) -> int:
    """How many states a node got until its feeder ended."""

    async def main() -> int:
        network = Network()
        master, node = network.join("m"), network.join("n1")
        publication = Publication(master, SystemClock(), 1, STATE)
        calls = 0

        async def apply(_payload: bytes) -> bytes:
            nonlocal calls
            calls += 1
            return wire.encode(answer(publication))

        node.serve(wire.PUBLISH, apply)
        publication.add("n1")
        task = publication._peers["n1"].task
        assert task is not None
        ended, _ = await asyncio.wait([task], timeout=10)
        assert ended
        assert not publication.behind()
        await master.close()
        await node.close()
        return calls

    return asyncio.run(main())


def test_a_node_that_follows_a_later_leader_is_left_to_that_one() -> None:
    assert _feed(lambda _: wire.Applied(9, 5)) == 1


def test_who_is_forgotten_just_when_it_answers_is_forgotten() -> None:
    def answer(publication: Publication) -> wire.Applied:
        publication.forget("n1")
        return wire.Applied(1, 5)

    assert _feed(answer) == 1


def test_after_its_end_nobody_is_fed_any_more() -> None:
    def answer(publication: Publication) -> wire.Applied:
        publication.close()
        publication.add("n1")
        return wire.Applied(1, 5)

    assert _feed(answer) == 1
