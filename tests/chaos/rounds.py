"""One round: a fault among clients, the cluster whole again, and what is true then."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence

from tests.chaos import documents, faults, judge, metadata
from tests.chaos.faults import DOCUMENT_FAULTS, FAULTS
from tests.chaos.ledger import Ledger
from tests.support.cluster import Running
from tests.support.write_history import Recorder

_SETTINGS = {"cluster.routing.allocation.disk.threshold_enabled": False}
"""A disk is filled to its end: no write is refused before that."""


class Documents:
    """Rounds on a cluster whose documents stay from one to the next."""

    def __init__(self, cluster: Running) -> None:
        self.cluster = cluster
        self._ledger = Ledger()
        node = cluster.names("data")[0]
        status, body = cluster.call(node, "PUT", "/_cluster/settings", {"persistent": _SETTINGS})
        assert status == 200, body
        documents.prepare(cluster, self._ledger)

    def happen(self, number: int, name: str, chance: random.Random) -> str:
        """Raises AssertionError with what must not be."""
        fault = DOCUMENT_FAULTS[name]
        generated = f"generated-{number}"
        settings = {"number_of_shards": 2, "number_of_replicas": 2, "refresh_interval": "200ms"}
        self._ledger.written, self._ledger.doubtful = set(), set()
        node = self.cluster.names("data")[0]
        status, body = self.cluster.call(
            node, "PUT", f"/{generated}?wait_for_active_shards=all&timeout=60s", {"settings": settings}
        )
        assert (status, body["shards_acknowledged"]) == (200, True), body
        urls = {member.name: member.url for member in self.cluster.cluster.members}
        workload = documents.Workload(urls, chance.randrange(10**9), self._ledger, generated, reads=fault.copies)
        met = faults.happen(fault, self.cluster, workload, chance)
        faults.healed(self.cluster)
        _agreed([*workload.surprises, *judge.problems(self.cluster, self._ledger, generated)])
        status, body = self.cluster.call(node, "DELETE", f"/{generated}?timeout=60s")
        assert status == 200, body
        heard = dict(workload.answers.most_common())
        acknowledged = heard.pop("acknowledged")
        longest = max(writer.longest for writer in workload.writers)
        reads = sum(reader.acknowledged for reader in workload.readers)
        return f"{', '.join(met)}: {acknowledged} writes (longest wait {longest:.1f} s), {reads} reads; not acknowledged: {heard}"


class Metadata:
    """Rounds on a cluster whose indices, aliases and fields change. `stack` ends what listens to etcd."""

    def __init__(self, cluster: Running, stack: contextlib.ExitStack) -> None:
        self.cluster = cluster
        self._recorder = stack.enter_context(Recorder(cluster.etcd_endpoints()).running())
        metadata.prepare(cluster)

    def happen(self, number: int, name: str, chance: random.Random) -> str:
        """Raises AssertionError with what cannot be explained."""
        urls = {member.name: member.url for member in self.cluster.cluster.members}
        workload = metadata.Workload(urls, chance.randrange(10**9), prefix=f"race{number}")
        met = faults.happen(FAULTS[name], self.cluster, workload, chance)
        faults.healed(self.cluster)
        metadata.judge(self.cluster, workload, self._recorder)
        heard = workload.answers
        refused = heard["exists"] + heard["missing"]
        return (
            f"{', '.join(met)}: {workload.acknowledged} changes, {refused} refused, {heard['unknown']} without answer"
        )


def _agreed(problems: Sequence[str]) -> None:
    assert not problems, "\n".join([f"{len(problems)} problems", *problems[:20]])
