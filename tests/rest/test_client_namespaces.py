"""Every method of the clients' `cat`, `cluster` and `nodes`: answered, or refused for what the call itself lacks."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.node import Node

GIVEN = {
    "body": {},
    "name": "nix",
    "node_id": "_local",
    "metric": "_all",
    "target": "_all",
    "template": {"settings": {}},
}
GIVEN |= {"awareness_attribute_name": "zone", "awareness_attribute_value": "a", "attribute": "zone"}
GIVEN |= {"max_archive_version": 1}
LACKING = {
    "cat.pit_segments": "no pit ids specified",
    "cluster.delete_component_template": "index_template_missing_exception",
    "cluster.post_voting_config_exclusions": "One and only one of",
    "cluster.put_settings": "no settings to update",
}
"""Refused because of what the call says, as OpenSearch does."""
ABSENT = {
    "cat": {"snapshots", "component_templates", "transforms"}
    | {"ml_data_frame_analytics", "ml_datafeeds", "ml_jobs", "ml_trained_models"},
    "cluster": {"delete_decommission_awareness", "get_decommission_awareness", "put_decommission_awareness"}
    | {"delete_weighted_routing", "get_weighted_routing", "put_weighted_routing", "info"},
    "nodes": {"clear_repositories_metering_archive"},
}
"""What is not there (some of it is Elasticsearch's alone): the answer says that there is no such endpoint."""


@pytest.mark.filterwarnings("ignore")  # the clients warn of their own deprecations and previews
@pytest.mark.parametrize("module", ["opensearchpy", "elasticsearch8", "elasticsearch"])
@pytest.mark.parametrize("namespace", sorted(ABSENT))
def test_every_method(module: str, namespace: str, node: Node, client: Client) -> None:
    assert client.call("PUT", "/names/_doc/1?refresh=true", {"n": 1}).status in (200, 201)
    client.call("DELETE", "/_component_template/nix")
    imported = importlib.import_module(module)
    instance: Any = (imported.OpenSearch if module == "opensearchpy" else imported.Elasticsearch)(node.url)
    called = 0
    for name, method in inspect.getmembers(getattr(instance, namespace), inspect.ismethod):
        if name.startswith("_") or name == "perform_request":
            continue
        refusal = _refusal(module, name, method)
        if name in ABSENT[namespace]:
            assert refusal.startswith(("no handler found", "Incorrect HTTP method")), f"{name}: {refusal!r}"
        else:
            expected = LACKING.get(f"{namespace}.{name}", "")
            assert bool(refusal) == bool(expected), f"{name}: {refusal!r}"
            assert expected in refusal
            called += 1
    instance.close()
    assert called >= 5


def _refusal(module: str, name: str, method: Any) -> str:
    """What the node says against the call; empty if it does not."""
    parameters = inspect.signature(method).parameters.values()
    needed = [
        each.name
        for each in parameters
        if each.name in ("template", "target") or (each.default is each.empty and each.kind is not each.VAR_KEYWORD)
    ]
    arguments: dict[str, Any] = {each: GIVEN[each] for each in needed}
    if name == "put_component_template" and module == "opensearchpy":
        arguments["body"] = {"template": {"settings": {}}}
    imported = importlib.import_module(module)
    refused = imported.TransportError if module == "opensearchpy" else imported.ApiError
    try:
        method(**arguments)
    except refused as error:
        told = (error.info if module == "opensearchpy" else error.body)["error"]
        return told if isinstance(told, str) else f"{told['type']}: {told['reason']}"
    return ""
