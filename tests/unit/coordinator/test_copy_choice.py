"""Which copy is asked now, and how long it is waited for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from tests.unit.coordinator.test_copies import INDEX, STATE

from quidditch.controlplane.api import ControlPlane
from quidditch.coordinator import copy_choice
from quidditch.coordinator.copy_choice import CopyChoice
from quidditch.lib.clock import ManualClock
from quidditch.transport.errors import CallFailed


class Control:
    state = STATE


def choice(local: str, clock: ManualClock | None = None, silent: dict[str, float] | None = None) -> CopyChoice:
    control = cast(ControlPlane, Control())
    return CopyChoice(control, local, clock or ManualClock(), lambda node: (silent or {}).get(node, 0.0))


def test_this_node_comes_first_until_another_is_better() -> None:
    found = choice("n4")
    assert found.readable(INDEX, 0)[0] == "n4"
    for node in ("n1", "n2", "n4"):
        found.answered(node, 0, 1.0, 2.0)
    assert found.readable(INDEX, 0)[0] == "n4"
    for _ in range(5):
        found.answered("n4", 20, 30.0, 200.0)
    assert found.readable(INDEX, 0)[-1] == "n4"
    assert found.readable(INDEX, 0, "_local")[0] == "n4"


def test_a_node_that_failed_comes_last_for_a_while() -> None:
    clock = ManualClock()
    found = choice("n2", clock)
    found.failed("n2")
    assert found.readable(INDEX, 0)[-1] == "n2"
    assert found.readable(INDEX, 0, "_only_local") == ("n2",)
    clock.advance(60)
    assert found.readable(INDEX, 0)[0] == "n2"


def test_copies_take_turns_where_the_cluster_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class State:
        def __getattr__(self, name: str) -> Any:
            return getattr(STATE, name)

        settings = {"cluster.routing.use_adaptive_replica_selection": "false"}  # noqa: RUF012

    monkeypatch.setattr(Control, "state", State())
    found = choice("n9")
    assert {found.readable(INDEX, 0)[0] for _ in range(3)} == {"n1", "n2", "n4"}


def test_a_silent_node_is_given_up_where_there_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_choice, "_LOOK_SECONDS", 0.001)
    silent = {"n1": 60.0}
    ended = []

    async def never() -> str:
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.append(True)

    async def answered() -> str:
        await asyncio.sleep(0)
        return "answer"

    async def test() -> None:
        found = choice("n2", silent=silent)
        with pytest.raises(CallFailed, match="nothing heard"):
            await found.ask("n1", never(), others=True)
        await asyncio.sleep(0)
        assert ended
        assert found.ranks.of("n1").waiting == 0
        assert found.readable(INDEX, 0)[-1] == "n1"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(found.ask("n1", never(), others=False), 0.05)
        silent.clear()
        assert await found.ask("n1", answered(), others=True) == "answer"
        assert found.readable(INDEX, 0)[-1] != "n1"

    asyncio.run(test())
