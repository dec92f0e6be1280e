"""How the feeders of nodes end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from quidditch.controlplane import wire
from quidditch.controlplane.publication import Publication
from quidditch.lib.clock import SystemClock
from quidditch.model import diff
from quidditch.model.objects import Node, NodeSpec, metadata_for
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


def test_who_waits_for_a_version_hears_when_the_last_node_has_it() -> None:
    """In the order of the versions, whichever node is the last; a node that is forgotten is waited for no longer."""

    async def main() -> None:
        network = Network()
        master = network.join("m")
        nodes = [Node(metadata=metadata_for(name), spec=NodeSpec(id=name, name=name)) for name in ("n1", "n2", "n3")]
        states = [ClusterState().apply(nodes, version) for version in (5, 6, 7)]
        publication = Publication(master, SystemClock(), 1, states[0])
        go = {name: asyncio.Semaphore(0) for name in ("n1", "n2", "n3")}
        received: dict[str, list[wire.Publish]] = {name: [] for name in go}
        for name in go:

            async def apply(payload: bytes, name: str = name) -> bytes:
                await go[name].acquire()
                received[name].append(wire.decode(payload, wire.Publish))
                return wire.encode(wire.Applied(1, diff.decode(received[name][-1].diffs[-1]).version))

            network.join(name).serve(wire.PUBLISH, apply)
            publication.add(name)
        first = asyncio.ensure_future(publication.applied(5, 10))
        for name in go:
            assert not first.done()
            go[name].release()
            await publication_has(publication, name, 5)
        assert await first
        publication.publish(states[0], states[1])
        publication.publish(states[1], states[2])
        later, sooner = (asyncio.ensure_future(publication.applied(version, 10)) for version in (7, 6))
        assert not await publication.applied(7, 0.01)
        for name in ("n1", "n2"):
            go[name].release()
            await publication_has(publication, name, 7)
        assert not later.done()
        assert not sooner.done()
        publication.forget("n3")
        assert await sooner
        assert await later
        assert await publication.applied(7, 0)
        assert [len(each.diffs) for each in received["n1"]] == [1, 2], "the whole, then the differences"
        publication.close()
        assert await publication.applied(100, 0)

    async def publication_has(publication: Publication, name: str, version: int) -> None:
        while publication._peers[name].version < version:  # noqa: ASYNC110
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(main(), 30))
