"""What nodes say of themselves: when allocation is told, and how their health is noted."""

from __future__ import annotations

from quidditch.controlplane.core.allocation.info import Disk, NodeLoad, ShardLoad
from quidditch.controlplane.core.liveness import Limits, Sign, health, health_changes
from quidditch.controlplane.core.measures import Measures
from quidditch.model.objects import Node, NodeSpec, NodeStatus, Settings, SettingsSpec, metadata_for
from quidditch.model.state import ClusterState

GB = 1 << 30
LIMITS = Limits()


def node(id: str, *roles: str) -> Node:
    return Node(metadata=metadata_for(id), spec=NodeSpec(id=id, name=id, roles=roles or ("data",)))


def state(*objects: Node | Settings) -> ClusterState:
    return ClusterState().apply(objects or [node("a"), node("b")], 1)


def free(gigabytes: float) -> NodeLoad:
    return NodeLoad(Disk(100 * GB, int(gigabytes * GB)))


def test_a_disk_that_passes_a_watermark_is_told_at_once_others_at_the_interval() -> None:
    measures, known = Measures(), state()
    measures.take("a", free(50))
    measures.take("b", free(50))
    assert measures.look(known, 0), "nodes that were not heard before"
    first = measures.info
    assert first.disks["a"].free == 50 * GB
    measures.take("a", free(40))
    assert not measures.look(known, 29)
    assert measures.info is first
    assert not measures.look(known, 30), "nothing to do for allocation, but it knows"
    assert measures.info.disks["a"].free == 40 * GB
    for gigabytes, expected in ((14, "low"), (9, "high"), (4, "flood"), (9, "high"), (50, "ok")):
        measures.take("a", free(gigabytes))
        assert measures.look(known, 31)
        assert measures.stages["a"] == expected
        assert measures.info.disks["a"].free == gigabytes * GB
        assert not measures.look(known, 31)


def test_watermarks_and_interval_are_those_of_the_settings() -> None:
    measures = Measures()
    measures.take("a", free(50))
    measures.look(state(node("a")), 0)
    prefix = "cluster.routing.allocation.disk.watermark."
    marks = {f"{prefix}low": "80gb", f"{prefix}high": "60gb", f"{prefix}flood_stage": "1gb"}
    spec = SettingsSpec(persistent={**marks, "cluster.info.update.interval": "10s"})
    changed = state(node("a"), Settings(metadata=metadata_for(Settings.NAME), spec=spec))
    assert measures.look(changed, 1)
    assert measures.stages == {"a": "high"}
    measures.take("a", free(45))
    measures.look(changed, 10)
    assert measures.info.disks["a"].free == 50 * GB
    measures.look(changed, 11)
    assert measures.info.disks["a"].free == 45 * GB


def test_sizes_are_those_of_the_greatest_copy_and_what_is_the_same_stays_the_same() -> None:
    measures, known = Measures(), state()
    measures.take("a", NodeLoad(free(50).disk, (ShardLoad("u", 0, 10, 100), ShardLoad("u", 1, 5))))
    measures.take("b", NodeLoad(free(50).disk, (ShardLoad("u", 0, 12),)))
    measures.look(known, 0)
    first = measures.info
    assert (first.sizes, first.loads) == ({("u", 0): 12, ("u", 1): 5}, {("u", 0): 100, ("u", 1): 0})
    measures.take("a", free(40))
    measures.look(known, 30)
    assert measures.info.sizes is first.sizes, "a beat without shards leaves them as they were"
    measures.take("a", NodeLoad(free(40).disk, ()))
    measures.look(known, 60)
    assert measures.info.sizes == {("u", 0): 12}


def test_nodes_without_data_and_nodes_that_are_gone_do_not_count() -> None:
    measures = Measures()
    measures.take("m", free(1))
    measures.take("a", free(50))
    assert measures.look(state(node("m", "cluster_manager"), node("a")), 0)
    assert set(measures.info.disks) == {"a"}
    assert measures.stages["m"] == "flood", "its health is another matter"
    assert not measures.look(state(node("m", "cluster_manager")), 30)
    assert not measures.info.disks


def test_health_by_silence_lag_and_disk() -> None:
    sign = Sign("e", heard=10.0)
    assert health(sign, "low", 10.5, LIMITS) == NodeStatus()
    assert health(sign, "high", 10.5, LIMITS) == NodeStatus("DEGRADED", "disk above the high watermark")
    assert health(sign, "flood", 10.5, LIMITS) == NodeStatus("DEGRADED", "disk above the flood stage watermark")
    assert health(sign, "flood", 11.5, LIMITS).health == "UNHEALTHY"
    sign.behind_since = 5.0
    assert health(sign, "ok", 10.5, LIMITS).reason == "behind with the cluster state for more than 5 s"


def test_health_is_noted_when_it_gets_worse_and_when_it_is_well_for_a_while() -> None:
    sign, nodes = Sign("e", heard=0.0), {"a": node("a")}

    def changes(now: float, disk: str, known: NodeStatus) -> dict[str, NodeStatus]:
        sign.heard = now
        shown = {"a": Node(metadata=nodes["a"].metadata, spec=nodes["a"].spec, status=known)}
        return health_changes([("a", sign)], {"a": disk}, shown, now, LIMITS)  # type: ignore[dict-item]

    full = NodeStatus("DEGRADED", "disk above the high watermark")
    assert changes(1, "ok", NodeStatus()) == {}
    assert changes(2, "high", NodeStatus()) == {"a": full}
    assert changes(3, "high", full) == {}
    assert changes(4, "ok", full) == {}
    assert changes(5, "high", full) == {}
    assert changes(6, "ok", full) == {}
    assert changes(10.5, "ok", full) == {}
    assert changes(11, "ok", full) == {"a": NodeStatus()}
