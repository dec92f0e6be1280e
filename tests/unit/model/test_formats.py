"""Bytes of every stored format, kept as they were written: each must be read by this and every later version.

A change of the format adds files of the new number; the old ones stay as they are, with what they mean now below.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from quidditch.model import codec
from quidditch.model.objects import (
    KINDS,
    Alias,
    AliasMember,
    AliasSpec,
    Cluster,
    ClusterSpec,
    ClusterStatus,
    Copy,
    DataStream,
    DataStreamSpec,
    Index,
    IndexSpec,
    MappingPart,
    MappingPartSpec,
    Metadata,
    NamedSpec,
    Node,
    NodeShutdown,
    NodeShutdownSpec,
    NodeSpec,
    Object,
    Pipeline,
    Routing,
    RoutingSpec,
    Script,
    Settings,
    SettingsSpec,
    ShardRouting,
    Template,
    TemplateSpec,
    UnassignedInfo,
)

FOLDER = Path(__file__).parent / "formats"


def _meta(name: str) -> Metadata:
    return Metadata(name=name, uid="uid-1", generation=3, finalizers=("quidditch.io/index",))


_COPIES = (
    Copy(primary=True, state="STARTED", node="n1", allocation_id="a1"),
    Copy(
        primary=False,
        recovery="PEER",
        unassigned=UnassignedInfo(
            reason="NODE_LEFT", at=1_700_000_000_000, details="node_left [n2]", failed_attempts=1, last_node="n2"
        ),
    ),
)
SAMPLES: dict[str, Object] = {
    "cluster": Cluster(
        metadata=_meta("cluster"), spec=ClusterSpec(name="c", uuid="u"), status=ClusterStatus(epoch=2, leader="n1")
    ),
    "settings": Settings(
        metadata=_meta("cluster"),
        spec=SettingsSpec(persistent={"cluster.max_shards_per_node": "5"}, transient={"a.b": ["x", "y"]}),
    ),
    "index": Index(
        metadata=_meta("logs-1"),
        spec=IndexSpec(
            name="Logs_1",
            uuid="u1",
            state="close",
            settings={"index.number_of_shards": "2", "index.routing.allocation.include._name": ["a", "b"]},
            mappings={"properties": {"a": {"type": "keyword"}}},
            routing_num_shards=1024,
            version=4,
            mapping_version=2,
            settings_version=3,
            data_stream="logs",
        ),
    ),
    "mappingpart": MappingPart(
        metadata=_meta("d-0"), spec=MappingPartSpec(index="a", digest="d", number=0, count=1, data="eJyrrgUAAXUA+Q==")
    ),
    "routing": Routing(
        metadata=_meta("logs-1"),
        spec=RoutingSpec(
            index="Logs_1", uuid="u1", shards=(ShardRouting(primary_term=7, in_sync=("a1", "a2"), copies=_COPIES),)
        ),
    ),
    "node": Node(
        metadata=_meta("n1"),
        spec=NodeSpec(
            id="N1",
            name="one",
            ephemeral_id="e",
            roles=("data", "ingest"),
            transport_address="10.0.0.1:9300",
            http_address="10.0.0.1:9200",
            attributes={"zone": "a"},
            version="0.1.0",
        ),
    ),
    "nodeshutdown": NodeShutdown(
        metadata=_meta("n1"),
        spec=NodeShutdownSpec(
            node_id="n1",
            type="restart",
            reason="kernel update",
            started_at=1700000000000,
            allocation_delay="10m",
            seen=True,
        ),
    ),
    "alias": Alias(
        metadata=_meta("l"),
        spec=AliasSpec(
            name="l",
            indices={
                "a": AliasMember(
                    filter={"term": {"x": 1}}, index_routing="1", search_routing="1,2", is_write_index=True
                ),
                "b": AliasMember(is_hidden=False),
            },
        ),
    ),
    "template": Template(
        metadata=_meta("index-t"),
        spec=TemplateSpec(template_kind="index", name="t", body={"index_patterns": ["a*"], "priority": 3}),
    ),
    "pipeline": Pipeline(metadata=_meta("p"), spec=NamedSpec(name="p", body={"processors": []})),
    "script": Script(metadata=_meta("s"), spec=NamedSpec(name="s", body={"lang": "mustache", "source": "{}"})),
    "datastream": DataStream(
        metadata=_meta("logs"), spec=DataStreamSpec(name="logs", indices=(".ds-logs-000001",), generation=1)
    ),
}


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.json")), ids=lambda file: file.stem)
def test_stored_bytes_of_every_format_are_read(file: Path) -> None:
    _, _, name = file.stem.partition("-")
    assert codec.decode(file.read_bytes()) == SAMPLES[name]


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_this_version_writes_what_is_kept(name: str) -> None:
    """A difference here is a change of the format: it needs a new number, an upgrade and new files."""
    kept = FOLDER / f"v{codec.FORMAT}-{name}.json"
    assert codec.encode(SAMPLES[name]) == kept.read_bytes().rstrip(b"\n")


def test_every_kind_has_a_sample() -> None:
    assert {type(obj).__name__ for obj in SAMPLES.values()} == set(KINDS)
