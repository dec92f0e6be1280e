"""Objects as Kubernetes resources and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.unit.model import states
from tests.unit.model.test_formats import FOLDER

from quidditch.model import codec
from quidditch.model.codec import FormatError
from quidditch.model.objects import (
    Asked,
    Index,
    Metadata,
    NamedSpec,
    Object,
    Pipeline,
    Settings,
    SettingsSpec,
    metadata_for,
)
from quidditch.store.kubernetes.index_resource import carried_out, pending
from quidditch.store.kubernetes.resources import from_resource, resource_of, to_resource

META = Metadata(name="x", uid="u", generation=3, resource_version="7", finalizers=("quidditch.io/index",))
MAPPINGS: dict[str, Any] = {"properties": {"title": {"type": "text"}}}


def through(obj: Object) -> Object:
    """As the API server gives it back: the tree through JSON, with what it sets itself."""
    tree = json.loads(json.dumps(to_resource(obj, "space")))
    tree["metadata"]["generation"] = obj.metadata.generation
    if obj.metadata.deletion_timestamp:
        tree["metadata"]["deletionTimestamp"] = obj.metadata.deletion_timestamp
    return from_resource(tree)


@pytest.mark.parametrize("file", sorted(path.name for path in FOLDER.iterdir()))
def test_every_kind_comes_back_as_it_was(file: str) -> None:
    obj = codec.decode((FOLDER / file).read_bytes())
    if isinstance(obj, Index):
        obj = replace(
            obj, status=type(obj.status)()
        )  # nobody reads it: kubectl's status is made from the cluster state
    named = replace(obj, metadata=replace(META, name=obj.metadata.name, deletion_timestamp="2026-01-01T00:00:00Z"))
    assert through(named) == named
    tree = to_resource(named, "space")
    assert tree["kind"] == resource_of(obj.kind).kind
    assert tree["metadata"]["namespace"] == "space"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_bodies_that_users_wrote_come_back(body: dict[str, Any]) -> None:
    assert through(Pipeline(metadata=META, spec=NamedSpec(name="x", body=body))).spec.body == body  # type: ignore[union-attr]
    assert through(Settings(metadata=META, spec=SettingsSpec(persistent=body))).spec.persistent == body  # type: ignore[union-attr]


@pytest.mark.parametrize("word", [2**64 - 1, 1.0, None])
def test_a_mapping_that_the_api_server_would_change_is_written_as_text(word: Any) -> None:
    made = states.index("products")
    made = replace(made, spec=replace(made.spec, mappings={"_meta": {"word": word}}))
    control = to_resource(made, "space")["spec"]["control"]
    assert set(control) == {"format", "name", "uuid", "text"}
    assert (control["name"], control["uuid"]) == (made.name, made.uuid)
    assert repr(through(made).spec) == repr(made.spec)


@pytest.mark.parametrize("name", ["a" * 240, "a" * 253, "Ü" * 255, "a-b." * 60 + "c"])
def test_names_of_any_length_come_back(name: str) -> None:
    for obj in (
        states.alias(name, {"a": {}}),
        Pipeline(metadata=metadata_for(name), spec=NamedSpec(name=name, body={})),
    ):
        assert len(to_resource(obj, "space")["metadata"]["name"]) <= 253
        tree = json.loads(json.dumps(to_resource(obj, "space")))
        assert from_resource(tree) == obj


def test_a_newer_format_is_refused() -> None:
    tree = to_resource(states.index("a"), "space")
    tree["spec"]["control"]["format"] = 99
    with pytest.raises(FormatError, match=r"QuidditchIndex \[a\] is not readable: it has format 99"):
        from_resource(tree)
    with pytest.raises(FormatError, match="is not readable"):
        from_resource({"kind": "ShardAllocation", "metadata": {"name": "a"}, "spec": {}})


# --- what users write into an index ---------------------------------------------------------------------------------


def index(**settings: str) -> Index:
    made = states.index("products", **{"index.refresh_interval": "1s", **settings})
    return replace(made, spec=replace(made.spec, mappings=MAPPINGS))


def edited(obj: Index, **fields: Any) -> Index:
    """After a user changed fields of its resource (None: taken out)."""
    tree = to_resource(obj, "space")
    tree["spec"] = {**tree["spec"], **fields}
    read = from_resource(tree)
    assert isinstance(read, Index)
    return read


def shown(obj: Index) -> dict[str, Any]:
    return {key: value for key, value in to_resource(obj, "space")["spec"].items() if key != "control"}


def test_what_is_carried_out_is_shown_and_nothing_is_pending() -> None:
    assert shown(index()) == {"shards": 1, "replicas": 0, "settings": {"refresh_interval": "1s"}}
    assert to_resource(index(), "space")["spec"]["control"]["mappings"] == MAPPINGS
    assert pending(index().spec) is None


def test_a_change_is_pending_until_it_is_carried_out_and_its_words_stay() -> None:
    words = {"index": {"refresh_interval": "5s"}}
    asked = edited(index(), settings=words, replicas=2)
    assert pending(asked.spec) is not None
    assert shown(asked)["settings"] == words
    settings = {**asked.spec.settings, "index.refresh_interval": "5s", "index.number_of_replicas": "2"}
    done = replace(asked, spec=replace(asked.spec, settings=settings, settings_version=2))
    assert pending(done.spec) is None
    assert (shown(done)["settings"], shown(done)["replicas"]) == (words, 2)
    again = from_resource(to_resource(done, "space"))
    assert isinstance(again, Index)
    assert pending(again.spec) is None
    assert shown(again)["settings"] == words


def test_a_change_over_rest_is_written_over_a_users_words() -> None:
    asked = edited(index(), replicas=2)
    settings = {**asked.spec.settings, "index.number_of_replicas": "3"}
    other = replace(asked, spec=replace(asked.spec, settings=settings, settings_version=2))
    assert shown(other)["replicas"] == 3
    assert pending(other.spec) is None  # the last change that was accepted counts
    assert pending(from_resource(to_resource(other, "space")).spec) is None  # type: ignore[arg-type,union-attr]


def test_what_is_refused_stays_while_other_things_change() -> None:
    asked = edited(index(), mappings={"properties": {"title": {"type": "nonsense"}}})
    assert pending(asked.spec) is not None
    settings = {**asked.spec.settings, "index.number_of_replicas": "1"}
    other = replace(asked, spec=replace(asked.spec, settings=settings, settings_version=2))
    assert shown(other)["mappings"] == {"properties": {"title": {"type": "nonsense"}}}
    assert shown(other)["replicas"] == 1
    assert from_resource(to_resource(other, "space")).spec.mappings == MAPPINGS  # type: ignore[union-attr]


def test_fields_that_documents_added_are_no_wish_of_the_users() -> None:
    asked = edited(index(), mappings={"properties": {"title": {"type": "text", "index": True}}})
    assert pending(asked.spec) is None
    grown = {"properties": {**MAPPINGS["properties"], "price": {"type": "float"}}}
    more = replace(asked, spec=replace(asked.spec, mappings=grown, mapping_version=2))
    assert pending(more.spec) is None
    assert shown(more)["mappings"] == {"properties": {"title": {"type": "text", "index": True}}}
    read = from_resource(to_resource(more, "space"))
    assert read.spec.mappings == grown  # type: ignore[union-attr]


def test_a_setting_that_is_taken_out_is_pending() -> None:
    asked = edited(index(), settings=None)
    assert pending(asked.spec) == {"shards": 1, "replicas": 0}


@given(
    st.dictionaries(st.sampled_from(["shards", "replicas", "settings", "mappings"]), JSON, max_size=4),
    st.integers(0, 1),
    st.integers(0, 1),
)
def test_whatever_users_write_what_is_carried_out_is_never_touched(
    fields: dict[str, Any], settings_later: int, mapping_later: int
) -> None:
    obj = edited(index(), **fields)
    later = replace(
        obj.spec,
        settings_version=obj.spec.settings_version + settings_later,
        mapping_version=obj.spec.mapping_version + mapping_later,
    )
    read = from_resource(json.loads(json.dumps(to_resource(replace(obj, spec=later), "space"))))
    assert isinstance(read, Index)
    assert replace(read.spec, asked=None) == replace(
        index().spec, settings_version=1 + settings_later, mapping_version=1 + mapping_later
    )
    assert carried_out(read.spec) == carried_out(index().spec)
    assert isinstance(read.spec.asked, Asked | None)
    pending(read.spec)


def test_msgspec_needs_no_order_of_fields() -> None:
    tree = to_resource(index(), "space")
    tree["spec"]["control"] = dict(reversed(tree["spec"]["control"].items()))
    assert from_resource(tree) == replace(index(), status=index().status)
    assert msgspec.to_builtins(from_resource(tree))
