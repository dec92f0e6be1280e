from __future__ import annotations

import asyncio
from typing import Any

from quidditch.controlplane.core.commands import Acknowledged, ShardFailed
from quidditch.datanode.reports import Reports
from quidditch.model.errors import ApiError
from quidditch.reconcile.backoff import Backoff

REPORT = ShardFailed(index="a", uuid="u", shard=0, allocation_id="x", reason="broken", primary_term=1)


class Control:
    """A control plane that answers with these errors first."""

    def __init__(self, *errors: ApiError) -> None:
        self.errors = list(errors)
        self.heard: list[Any] = []
        self.asked = asyncio.Event()

    async def submit(self, command: Any) -> Any:
        self.heard.append(command)
        self.asked.set()
        if self.errors:
            raise self.errors.pop(0)
        return Acknowledged()


def _reports(control: Control, first: float = 0.0) -> Reports:
    return Reports(control, Backoff(first, first))  # type: ignore[arg-type]


def test_a_report_is_sent_until_it_is_heard() -> None:
    control = Control(*(ApiError(503, "cluster_block_exception", "disk full") for _ in range(3)))
    asyncio.run(_reports(control).send(REPORT))
    assert control.heard == [REPORT] * 4


def test_a_report_of_an_earlier_term_is_dropped() -> None:
    control = Control(ApiError(503, "no_longer_primary_shard_exception", "old"), ApiError(503, "x", "never asked"))
    asyncio.run(_reports(control).send(REPORT))
    assert control.heard == [REPORT]


def test_the_end_of_the_node_ends_the_wait() -> None:
    async def run() -> None:
        control = Control(*(ApiError(503, "x", "down") for _ in range(9)))
        reports = _reports(control, 3600.0)
        reports.follow(reports.send(REPORT))
        await control.asked.wait()
        reports.end()
        await reports.ended()
        assert control.heard == [REPORT]

    asyncio.run(run())
