"""Whether another leader lives, found out directly."""

from __future__ import annotations

import asyncio

from quidditch.controlplane import wire
from quidditch.controlplane.rival import Rivals
from quidditch.lib.clock import SystemClock
from quidditch.store.api import Lease
from quidditch.transport.memory import Network


def test_a_leader_is_looked_after_while_nobody_asks() -> None:
    """One that refuses is gone, one that answers is not, one that was gone may be back, one started anew does not lead."""

    async def main() -> None:
        network = Network()
        asking = network.join("m2")
        rivals = Rivals(asking, SystemClock())
        lease = Lease("m1@m1", 3)
        epoch = 3
        asked = asyncio.Event()

        async def alive(_payload: bytes) -> bytes:
            asked.set()
            return wire.encode(wire.Heard(True, epoch))

        leading = network.join("m1")
        leading.serve(wire.ALIVE, alive)
        assert not await rivals.gone(lease)
        assert rivals.address() == "m1"
        await leading.close()
        while not rivals._found_gone.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert await rivals.gone(lease)
        leading = network.join("m1")
        leading.serve(wire.ALIVE, alive)
        while rivals._found_gone.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not await rivals.gone(lease)
        epoch = 2
        assert await rivals.gone(lease)
        assert not await rivals.gone(Lease("m1@m1", 2)), "another lease is another question"
        await rivals.stop()
        asked.clear()
        await asyncio.sleep(0.3)
        assert not asked.is_set()
        await leading.close()
        await asking.close()

    asyncio.run(asyncio.wait_for(main(), 30))
