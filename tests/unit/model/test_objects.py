from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.model import states

from quidditch.model import codec, diff
from quidditch.model.names import object_name
from quidditch.model.objects import KINDS, Copy, Index, Routing, RoutingSpec, ShardRouting, metadata_for
from quidditch.model.state import ClusterState, Deleted

DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@given(st.text(min_size=1, max_size=300))
def test_object_names_are_dns_names(name: str) -> None:
    encoded = object_name(name)
    assert DNS.fullmatch(encoded)
    assert len(encoded) <= 253


@given(st.lists(st.text(alphabet="ab-._A*0x", min_size=1, max_size=6), unique=True, max_size=40))
def test_object_names_do_not_collide(names: list[str]) -> None:
    encoded = {object_name(name) for name in names}
    assert len(encoded) == len(names)
    assert len({object_name(name) for name in {*names, *encoded}}) == len({*names, *encoded}) or encoded & set(names)


def test_dns_names_stay_readable() -> None:
    assert object_name("logs-2024.01") == "logs-2024.01"
    assert object_name(".kibana_1").startswith("kibana-1-x")
    assert object_name(object_name(".kibana_1")) != object_name(".kibana_1")


def test_every_kind_has_its_name() -> None:
    assert sorted(KINDS) == sorted(kind.__name__ for kind in KINDS.values())
    assert states.index("a").kind == "Index"


def test_codec_round_trip() -> None:
    shard = ShardRouting(
        primary_term=3, in_sync=("x",), copies=(Copy(primary=True, state="STARTED", node="n", allocation_id="x"),)
    )
    routing = Routing(metadata=metadata_for("a"), spec=RoutingSpec(index="a", uuid="u", shards=(shard,)))
    for obj in (routing, states.index("a"), states.alias("l", {"a": {"filter": {"term": {"x": 1}}}})):
        assert codec.decode(codec.encode(obj)) == obj
        assert codec.decode(codec.encode(obj), "7").metadata.resource_version == "7"
        assert codec.encode(codec.with_version(obj, "7")) == codec.encode(obj)


def test_stored_form_is_kubernetes_shaped() -> None:
    tree = msgspec.json.decode(codec.encode(states.index("a")))
    assert tree["format"] == 1
    assert tree["object"]["kind"] == "Index"
    assert tree["object"]["metadata"] == {"name": "a"}
    assert tree["object"]["spec"]["name"] == "a"


def test_newer_format_is_refused() -> None:
    data = codec.encode(states.index("a")).replace(b'"format":1', b'"format":2')
    with pytest.raises(codec.FormatError, match="format 2, this version reads up to 1"):
        codec.decode(data)


@pytest.mark.parametrize(
    "data", [b"", b"{", b'{"format":1}', b'{"format":1,"object":{"kind":"Nothing"}}', b'{"format":0,"object":{}}']
)
def test_damaged_bytes_are_named(data: bytes) -> None:
    with pytest.raises(codec.FormatError):
        codec.decode(data)


def test_apply_copies_only_what_changes() -> None:
    old = states.state(states.index("a"), states.alias("l", {"a": {}}))
    assert [alias.name for alias in old.aliases_of("a")] == ["l"]
    new = old.apply([states.index("b")], 2)
    assert sorted(old.indices) == ["a"]
    assert sorted(new.indices) == ["a", "b"]
    assert new.aliases is old.aliases
    assert new.aliases_of("a") is old.aliases_of("a")
    gone = new.apply([Deleted("Index", "a"), Deleted("Index", "nothing")], 3)
    assert sorted(gone.indices) == ["b"]
    assert gone.sorted_names == ["b", "l"]


NAMES = st.sampled_from(["a", "b", "c", "d"])
CHANGES = st.lists(
    st.one_of(
        st.builds(lambda n, v: states.index(n, **{"index.v": v}), NAMES, st.sampled_from("123")),
        st.builds(lambda n, i: states.alias("l" + n, {i: {}}), NAMES, NAMES),
        st.builds(lambda n: Deleted("Index", n), NAMES),
        st.builds(lambda n: Deleted("Alias", "l" + n), NAMES),
    )
)


@given(CHANGES, CHANGES)
def test_diffs_lead_from_one_version_to_the_next(first: list[Index], second: list[Index]) -> None:
    old = ClusterState().apply(first, 4)
    new = old.apply(second, 5)
    step = diff.decode(diff.encode(diff.between(old, new)))
    assert diff.apply(old, step) == new
    assert diff.apply(old, step).version == 5
    assert diff.apply(ClusterState(), diff.full(new)) == new
    with pytest.raises(diff.VersionMismatch):
        diff.apply(new, step)


def test_newer_diff_is_refused() -> None:
    import msgspec.msgpack

    with pytest.raises(codec.FormatError, match="format 9"):
        diff.decode(msgspec.msgpack.encode({"format": 9, "diff": {}}))
