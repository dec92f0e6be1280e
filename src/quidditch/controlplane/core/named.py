"""Named bodies that other parts have checked: ingest pipelines, stored scripts."""

from __future__ import annotations

from quidditch.controlplane.core.commands import Acknowledged, DeleteNamed, PutNamed
from quidditch.controlplane.core.draft import Draft
from quidditch.model import wildcard
from quidditch.model.errors import ApiError
from quidditch.model.objects import NamedSpec, Pipeline, Script, metadata_for


def put_named(draft: Draft, command: PutNamed) -> Acknowledged:
    kind: type[Pipeline] | type[Script] = Pipeline if command.kind == "Pipeline" else Script
    known = draft.state.of(kind).get(command.name)
    metadata = known.metadata if known else metadata_for(command.name)
    draft.put(kind(metadata=metadata, spec=NamedSpec(name=command.name, body=command.body)))
    return Acknowledged()


def delete_named(draft: Draft, command: DeleteNamed) -> Acknowledged:
    kind: type[Pipeline] | type[Script] = Pipeline if command.kind == "Pipeline" else Script
    found = [obj for name, obj in draft.state.of(kind).items() if wildcard.matches(command.name, name)]
    if not found and command.name != "*":
        what = "pipeline" if command.kind == "Pipeline" else "stored script"
        reason = f"{what} [{command.name}] " + (
            "is missing" if command.kind == "Pipeline" else "does not exist and cannot be deleted"
        )
        raise ApiError(404, "resource_not_found_exception", reason)
    for obj in found:
        draft.remove(obj)
    return Acknowledged()
