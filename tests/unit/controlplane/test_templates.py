"""Templates; texts were observed on a real node."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.controlplane.cluster import Cluster

from quidditch.controlplane.core.commands import DeleteTemplate, PutTemplate
from quidditch.controlplane.core.templates import overlapping
from quidditch.model.errors import ApiError
from quidditch.model.objects import TemplateKind


def put(cluster: Cluster, kind: TemplateKind, name: str, body: dict[str, Any], create: bool = False) -> None:
    cluster.run(PutTemplate(template_kind=kind, name=name, body=body, create=create))


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    put(
        cluster,
        "component",
        "c1",
        {
            "template": {
                "settings": {"number_of_shards": 2},
                "mappings": {"properties": {"a": {"type": "keyword"}}},
                "aliases": {"al": {}},
            }
        },
    )
    return cluster


def test_a_composable_template_with_its_components(cluster: Cluster) -> None:
    put(cluster, "legacy", "l", {"index_patterns": ["x*"], "settings": {"number_of_shards": 5}})
    put(
        cluster,
        "index",
        "t",
        {
            "index_patterns": ["x*"],
            "composed_of": ["c1"],
            "priority": 7,
            "template": {"settings": {"number_of_replicas": 0}, "mappings": {"properties": {"b": {"type": "keyword"}}}},
        },
    )
    put(cluster, "index", "weaker", {"index_patterns": ["*"], "template": {"settings": {"number_of_shards": 9}}})
    cluster.create("x1", mappings={"properties": {"c": {"type": "long"}}}, aliases={"own": {}})
    index = cluster.state.indices["x1"]
    assert (index.number_of_shards, index.number_of_replicas) == (2, 0)
    assert set(index.spec.mappings["properties"]) == {"a", "b", "c"}
    assert {alias.name for alias in cluster.state.aliases_of("x1")} == {"al", "own"}


def test_legacy_templates_by_order(cluster: Cluster) -> None:
    body = {"number_of_shards": 3, "refresh_interval": "1s"}
    put(cluster, "legacy", "one", {"index_patterns": ["y*"], "order": 1, "settings": body})
    put(cluster, "legacy", "two", {"index_patterns": "y*", "order": 2, "settings": {"number_of_shards": 4}})
    cluster.create("y1", {"refresh_interval": "9s"})
    index = cluster.state.indices["y1"]
    assert index.number_of_shards == 4
    assert index.setting("index.refresh_interval") == "9s"


def test_hidden_indices_do_not_take_templates_for_everything(cluster: Cluster) -> None:
    put(cluster, "index", "all", {"index_patterns": ["*"], "template": {"settings": {"number_of_shards": 9}}})
    cluster.create("z", {"hidden": True})
    assert cluster.state.indices["z"].number_of_shards == 1


def test_aliases_of_templates_may_name_the_index(cluster: Cluster) -> None:
    put(cluster, "legacy", "l", {"index_patterns": ["x*"], "aliases": {"{index}-alias": {}}})
    cluster.create("x1")
    assert set(cluster.state.aliases) == {"x1-alias"}


@pytest.mark.parametrize(
    ("kind", "name", "body", "type", "reason"),
    [
        ("component", "c1", {}, "illegal_argument_exception", "Required [template]"),
        (
            "index",
            "t",
            {"index_patterns": ["x*"], "composed_of": ["c1", "nope"]},
            "invalid_index_template_exception",
            "index_template [t] invalid, cause [index template [t] specifies component templates [nope] that do not exist]",
        ),
        ("index", "t", {}, "illegal_argument_exception", "Required [index_patterns]"),
        (
            "index",
            "t",
            {"index_patterns": ["_x"]},
            "invalid_index_template_exception",
            "index_template [t] invalid, cause [Validation Failed: 1: index_pattern [_x] must not start with '_';]",
        ),
        (
            "index",
            "T",
            {"index_patterns": ["x"]},
            "invalid_index_template_exception",
            "index_template [T] invalid, cause [Validation Failed: 1: name must be lower cased;]",
        ),
        (
            "index",
            "t",
            {"index_patterns": ["x"], "priority": -1},
            "action_request_validation_exception",
            "Validation Failed: 1: index template priority must be >= 0;",
        ),
        (
            "legacy",
            "l",
            {"settings": {}},
            "action_request_validation_exception",
            "Validation Failed: 1: index patterns are missing;",
        ),
        ("legacy", "l", {"index_patterns": ["x"], "foo": 1}, "parse_exception", "unknown key [foo] in the template "),
    ],
)
def test_templates_that_cannot_be(
    cluster: Cluster, kind: TemplateKind, name: str, body: dict[str, Any], type: str, reason: str
) -> None:
    with pytest.raises(ApiError) as caught:
        put(cluster, kind, name, body)
    assert (caught.value.type, caught.value.reason) == (type, reason)


def test_unknown_settings_and_types_are_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match=r"unknown setting \[index.foo\]"):
        put(cluster, "component", "c2", {"template": {"settings": {"foo": 1}}})
    with pytest.raises(ApiError, match=r"No handler for type \[foo\] declared on field \[a\]"):
        put(cluster, "component", "c2", {"template": {"mappings": {"properties": {"a": {"type": "foo"}}}}})


def test_equal_priorities_must_not_overlap(cluster: Cluster) -> None:
    put(cluster, "index", "t", {"index_patterns": ["x*"], "priority": 7})
    with pytest.raises(ApiError) as caught:
        put(cluster, "index", "t2", {"index_patterns": ["p*", "x1*"], "priority": 7})
    assert caught.value.reason == (
        "index template [t2] has index patterns [p*, x1*] matching patterns from existing templates [t] with patterns"
        " (t => [x*]) that have the same priority [7], multiple index templates may not match during index creation, please"
        " use a different priority"
    )
    put(cluster, "index", "t2", {"index_patterns": ["x1*"], "priority": 8})
    put(cluster, "index", "t", {"index_patterns": ["x*"], "priority": 7, "version": 2})


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("x*", "*y", True),
        ("x*", "y*", False),
        ("a*c", "ab*", True),
        ("abc", "abc", True),
        ("abc", "ab", False),
        ("*", "z", True),
    ],
)
def test_overlap_of_patterns(one: str, two: str, expected: bool) -> None:
    cluster = Cluster()
    put(cluster, "index", "t", {"index_patterns": [one]})
    assert bool(overlapping(cluster.state, [two], "index")) is expected


def test_creating_twice_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ApiError, match=r"component template \[c1\] already exists"):
        put(cluster, "component", "c1", {"template": {}}, create=True)


def test_a_component_in_use_stays(cluster: Cluster) -> None:
    put(cluster, "index", "t", {"index_patterns": ["x*"], "composed_of": ["c1"]})
    with pytest.raises(ApiError) as caught:
        cluster.run(DeleteTemplate(template_kind="component", name="c1"))
    assert caught.value.reason == (
        "component templates [c1] cannot be removed as they are still in use by index templates [t]"
    )
    cluster.run(DeleteTemplate(template_kind="index", name="t"))
    cluster.run(DeleteTemplate(template_kind="component", name="c*"))
    for kind, name in (("component", "c1"), ("index", "t*"), ("legacy", "l")):
        with pytest.raises(ApiError) as caught:
            cluster.run(DeleteTemplate(template_kind=kind, name=name))  # type: ignore[arg-type]
        assert caught.value.reason == f"index_template [{name}] missing"
