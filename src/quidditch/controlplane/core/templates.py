"""Templates: composable, component, legacy; checked when they are put, so that they work when an index is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from quidditch.controlplane.core import template_resolution
from quidditch.controlplane.core.aliases import parse_alias_bodies
from quidditch.controlplane.core.commands import Acknowledged, DeleteTemplate, PutTemplate
from quidditch.controlplane.core.draft import Draft
from quidditch.mapping import ParseContext, compose, parse_for_create, settings
from quidditch.mapping.parse import wrap_create_error
from quidditch.model import wildcard
from quidditch.model.errors import ApiError, illegal_argument, validation
from quidditch.model.objects import Template, TemplateKind, TemplateSpec, metadata_for, template_key
from quidditch.model.state import ClusterState

_ALLOWED: Mapping[TemplateKind, Sequence[str]] = {
    "component": ("template", "version", "_meta"),
    "index": (
        "index_patterns",
        "template",
        "composed_of",
        "priority",
        "version",
        "_meta",
        "data_stream",
        "context",
    ),
    "legacy": ("index_patterns", "settings", "mappings", "aliases", "order", "version"),
}
_PARTS = ("settings", "mappings", "aliases")


def put_template(draft: Draft, command: PutTemplate) -> Acknowledged:
    known = draft.state.template(command.template_kind, command.name)
    if command.create and known is not None:
        raise illegal_argument(f"{_exists_as(command.template_kind)} [{command.name}] already exists")
    body = checked_body(draft, command.template_kind, command.name, command.body)
    if command.template_kind == "index":
        refuse_conflicts(draft.state, command.name, body)
    if command.template_kind == "component":
        _check_users(draft, command.name, body)
    key = template_key(command.template_kind, command.name)
    metadata = known.metadata if known else metadata_for(key)
    spec = TemplateSpec(template_kind=command.template_kind, name=command.name, body=body)
    draft.put(Template(metadata=metadata, spec=spec))
    return Acknowledged()


def _exists_as(kind: TemplateKind) -> str:
    return {"component": "component template", "index": "index template", "legacy": "index_template"}[kind]


def checked_body(draft: Draft, kind: TemplateKind, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body as it is stored: settings nested as text, members in order. Raises for what is wrong."""
    _check_members(kind, body)
    if kind == "legacy":
        return _checked_legacy(draft, name, body)
    part = body.get("template")
    if kind == "component" and part is None:
        raise illegal_argument("Required [template]")
    stored = {key: value for key, value in body.items() if value is not None}
    if part is not None:
        if kind == "index" and isinstance(part, Mapping):
            _check_own_settings(name, part)
        stored["template"] = _checked_part(draft, part, kind)
    if kind == "index":
        _check_composable(draft, name, stored)
    else:
        _check_name(name)
    return {key: stored[key] for key in _ALLOWED[kind] if key in stored}


def _check_own_settings(name: str, part: Mapping[str, Any]) -> None:
    """Values that settings of a composable template cannot have are told of as the template's fault."""
    try:
        settings.check_create(settings.normalize(part.get("settings") or {}))
    except ApiError as error:
        if error.type != "illegal_argument_exception":
            raise
        others = [str(other["reason"]) for other in error.details.get("suppressed", ())]
        raise _invalid(name, [str(error.reason), *others]) from None


def _check_members(kind: TemplateKind, body: Mapping[str, Any]) -> None:
    for key in body:
        if key in _ALLOWED[kind] or (kind == "legacy" and key == "template"):
            continue
        if kind == "legacy":
            raise ApiError(400, "parse_exception", f"unknown key [{key}] in the template ")
        what = "component_template" if kind == "component" else "index_template"
        raise ApiError(400, "x_content_parse_exception", f"[1:1] [{what}] unknown field [{key}]")
    version = body.get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int)):
        raise illegal_argument("Malformed [version] value, should be an integer")


def _checked_part(draft: Draft, part: Any, kind: TemplateKind) -> dict[str, Any]:
    if not isinstance(part, Mapping):
        raise ApiError(400, "x_content_parse_exception", "[1:1] [template] an object is expected")
    for key in part:
        if key not in _PARTS:
            raise ApiError(400, "x_content_parse_exception", f"[1:1] [template] unknown field [{key}]")
    return _checked_parts(draft, part, kind)


def _checked_parts(draft: Draft, part: Mapping[str, Any], kind: TemplateKind) -> dict[str, Any]:
    """Settings, mappings and aliases, each checked by itself; the mapping of a composable template is checked composed."""
    stored: dict[str, Any] = {}
    flat = settings.normalize(part.get("settings") or {})
    settings.check_create(flat)
    if "settings" in part:
        stored["settings"] = settings.nest({key: value for key, value in flat.items() if value is not None})
    if part.get("mappings") is not None:
        mapping = part["mappings"]
        if not isinstance(mapping, Mapping):
            raise ApiError(400, "parse_exception", "mappings must be an object")
        # Analyzers may come from another template, so only the template's own form is checked here.
        if kind != "index":
            parse_for_create(mapping, ParseContext(check_date_format=draft.env.checks.date_format))
        stored["mappings"] = dict(mapping)
    if part.get("aliases") is not None:
        stored["aliases"] = {
            alias.name: alias.member.to_json() for alias in parse_alias_bodies(_placeholders(part["aliases"]))
        }
    return stored


def _placeholders(aliases: Any) -> dict[str, Any]:
    if not isinstance(aliases, Mapping):
        raise ApiError(400, "parse_exception", "aliases must be an object")
    return dict(aliases)


def _check_name(name: str) -> None:
    problems = name_problems(name)
    if problems:
        raise _invalid(name, problems)


def name_problems(name: str) -> list[str]:
    problems = []
    if " " in name:
        problems.append("name must not contain a space")
    if "," in name:
        problems.append("name must not contain a ','")
    if "#" in name:
        problems.append("name must not contain a '#'")
    if "*" in name:
        problems.append("name must not contain a '*'")
    if name.startswith("_"):
        problems.append("name must not start with '_'")
    if name.lower() != name:
        problems.append("name must be lower cased")
    return problems


def _pattern_problems(patterns: Sequence[str]) -> list[str]:
    problems = []
    for pattern in patterns:
        if " " in pattern:
            problems.append(f"index_patterns [{pattern}] must not contain a space")
        if "," in pattern:
            problems.append(f"index_pattern [{pattern}] must not contain a ','")
        if "#" in pattern:
            problems.append(f"index_pattern [{pattern}] must not contain a '#'")
        if ":" in pattern:
            problems.append(f"index_pattern [{pattern}] must not contain a ':'")
        if pattern.startswith("_"):
            problems.append(f"index_pattern [{pattern}] must not start with '_'")
        if re.search(r'[\\"<>|/?]', pattern):
            problems.append(
                f'index_pattern [{pattern}] must not contain the following characters [ , ", *, \\, <, |, ,, >, /, ?]'
            )
    return problems


def _invalid(name: str, problems: Sequence[str]) -> ApiError:
    text = "".join(f"{number}: {problem};" for number, problem in enumerate(problems, 1))
    return _invalid_cause(name, f"Validation Failed: {text}")


def _invalid_cause(name: str, cause: str) -> ApiError:
    return ApiError(400, "invalid_index_template_exception", f"index_template [{name}] invalid, cause [{cause}]")


# --- composable -----------------------------------------------------------------------------------------------------


def _check_composable(draft: Draft, name: str, body: dict[str, Any]) -> None:
    if "index_patterns" not in body:
        raise illegal_argument("Required [index_patterns]")
    body["index_patterns"] = patterns_of(body["index_patterns"])
    if "composed_of" in body or "template" in body:
        # A template of its own makes the list of the others appear, be it empty.
        body["composed_of"] = patterns_of(body.get("composed_of", []))
    priority = body.get("priority")
    if priority is not None:
        if isinstance(priority, bool) or not isinstance(priority, int):
            raise ApiError(400, "x_content_parse_exception", "[1:1] [index_template] failed to parse field [priority]")
        if priority < 0:
            raise validation("index template priority must be >= 0")
    stream = body.get("data_stream")
    if stream is not None and not isinstance(stream, Mapping):
        raise ApiError(400, "x_content_parse_exception", "[1:1] [index_template] failed to parse field [data_stream]")
    problems = [*name_problems(name), *_pattern_problems(body["index_patterns"])]
    if problems:
        raise _invalid(name, problems)
    missing = [each for each in body.get("composed_of", ()) if draft.state.template("component", each) is None]
    if missing:
        raise _invalid_cause(
            name, f"index template [{name}] specifies component templates [{', '.join(missing)}] that do not exist"
        )
    _check_composed(draft, draft.state, name, body)


def patterns_of(value: Any) -> list[str]:
    """A list of text, or a text of comma-separated items."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return list(value)
    raise ApiError(400, "x_content_parse_exception", "[1:1] [index_template] failed to parse field [index_patterns]")


def _check_composed(draft: Draft, state: ClusterState, name: str, body: Mapping[str, Any]) -> None:
    """The template with its components must make an index."""
    resolved = template_resolution.compose_body(state, body)
    try:
        flat = settings.check_create(resolved.settings, draft.env.checks.analysis)
        _check_composed_mappings(name, resolved.mappings, settings.parse_context(flat, draft.env.checks.date_format))
    except ApiError as error:
        where = f" with components [{', '.join(body['composed_of'])}]" if body.get("composed_of") else ""
        cause = {"type": error.type, "reason": error.reason, **error.details}
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"composable template [{name}] template after composition{where} is invalid",
            {"caused_by": cause},
        ) from None


def _check_composed_mappings(name: str, mappings: Sequence[Mapping[str, Any]], ctx: ParseContext) -> None:
    try:
        compose(list(mappings), ctx)
    except ApiError as error:
        raise ApiError(
            400,
            "illegal_argument_exception",
            f"invalid composite mappings for [{name}]",
            {"caused_by": wrap_create_error(error).body()},
        ) from None


def refuse_conflicts(state: ClusterState, name: str, body: Mapping[str, Any]) -> None:
    """Two templates of one priority must not match the same name."""
    mine = template_resolution.priority(body)
    same = {
        other: patterns
        for other, patterns in overlapping(state, body["index_patterns"], "index").items()
        if other != name and template_resolution.priority(state.templates_of("index")[other].spec.body) == mine
    }
    if same:
        listed = ",".join(f"{other} => [{', '.join(patterns)}]" for other, patterns in same.items())
        raise illegal_argument(
            f"index template [{name}] has index patterns [{', '.join(body['index_patterns'])}] matching patterns from existing"
            f" templates [{','.join(same)}] with patterns ({listed}) that have the same priority [{mine}], multiple index"
            " templates may not match during index creation, please use a different priority"
        )


def overlapping(state: ClusterState, patterns: Sequence[str], kind: TemplateKind) -> dict[str, list[str]]:
    """Templates of a kind whose patterns may match a name that these match too."""
    found = {}
    for name, template in sorted(state.templates_of(kind).items()):
        others = template.spec.body.get("index_patterns", [])
        if any(_overlap(one, other) for one in patterns for other in others):
            found[name] = list(others)
    return found


def _overlap(one: str, other: str) -> bool:
    """Whether some name matches both patterns."""
    reachable = {(0, 0)}
    seen: set[tuple[int, int]] = set()
    while reachable:
        i, j = reachable.pop()
        if (i, j) in seen:
            continue
        seen.add((i, j))
        if i == len(one) and j == len(other):
            return True
        left = one[i] if i < len(one) else ""
        right = other[j] if j < len(other) else ""
        if left == "*":
            reachable.add((i + 1, j))
            if right:
                reachable.add((i, j + 1))
        if right == "*":
            reachable.add((i, j + 1))
            if left:
                reachable.add((i + 1, j))
        if left and left == right:
            reachable.add((i + 1, j + 1))
    return False


def _check_users(draft: Draft, name: str, body: Mapping[str, Any]) -> None:
    """Every composable template that uses the component must still make an index."""
    spec = TemplateSpec(template_kind="component", name=name, body=dict(body))
    ahead = draft.state.apply([Template(metadata=metadata_for(name), spec=spec)], draft.state.version)
    for user, template in draft.state.templates_of("index").items():
        if name in (template.spec.body.get("composed_of") or ()):
            _check_composed(draft, ahead, user, template.spec.body)


# --- legacy ---------------------------------------------------------------------------------------------------------


def _checked_legacy(draft: Draft, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    patterns = patterns_of(body.get("index_patterns") or body.get("template") or [])
    if not patterns:
        raise validation("index patterns are missing")
    problems = [*name_problems(name), *_pattern_problems(patterns)]
    if problems:
        raise _invalid(name, problems)
    order = body.get("order", 0)
    try:
        order = int(order)
    except (TypeError, ValueError):
        raise illegal_argument(f"Failed to parse int parameter [order] with value [{order}]") from None
    stored: dict[str, Any] = {"order": order}
    if body.get("version") is not None:
        stored["version"] = body["version"]
    parts = _checked_parts(draft, body, "legacy")
    return {
        **stored,
        "index_patterns": patterns,
        "settings": parts.get("settings", {}),
        "mappings": parts.get("mappings", {}),
        "aliases": parts.get("aliases", {}),
    }


# --- delete ---------------------------------------------------------------------------------------------------------


def delete_template(draft: Draft, command: DeleteTemplate) -> Acknowledged:
    kind = command.template_kind
    known = draft.state.templates_of(kind)
    names = command.name.split(",") if kind == "index" else [command.name]
    found: list[str] = []
    for written in names:
        matching = [name for name in known if wildcard.matches(written, name)]
        if not matching and written != "*":
            raise ApiError(404, "index_template_missing_exception", f"index_template [{written}] missing")
        found.extend(matching)
    if kind == "component":
        _refuse_used(draft.state, found)
    for name in dict.fromkeys(found):
        draft.remove(known[name])
    return Acknowledged()


def _refuse_used(state: ClusterState, names: Sequence[str]) -> None:
    users = {
        user
        for user, template in state.templates_of("index").items()
        if any(name in names for name in template.spec.body.get("composed_of") or ())
    }
    used = [
        name
        for name in names
        if any(name in (state.templates_of("index")[user].spec.body.get("composed_of") or ()) for user in users)
    ]
    if used:
        raise illegal_argument(
            f"component templates [{', '.join(used)}] cannot be removed as they are still in use by index templates"
            f" [{', '.join(sorted(users))}]"
        )
