"""Whether a write may create its index: `action.auto_create_index` (true, false, or patterns with `+` and `-`)."""

from __future__ import annotations

from quidditch.controlplane.core.draft import Draft
from quidditch.model import wildcard
from quidditch.model.errors import ApiError


def check_auto_create(draft: Draft, name: str) -> None:
    """Raises index_not_found_exception if `name` may not be created."""
    problem = auto_create_problem(draft, name)
    if problem is not None:
        details = {"index": name, "index_uuid": "_na_"}
        raise ApiError(404, "index_not_found_exception", f"no such index [{name}] and {problem}", details)


def auto_create_problem(draft: Draft, name: str) -> str | None:
    value = draft.state.settings.get("action.auto_create_index")
    if value is None:
        value = draft.env.config.get("action.auto_create_index", "true")
    patterns = value if isinstance(value, list) else [part.strip() for part in str(value).split(",")]
    if patterns in (["true"], [""]):
        return None
    if patterns == ["false"]:
        return "[action.auto_create_index] is [false]"
    for written in patterns:
        allow = not written.startswith("-")
        pattern = written[1:] if written[:1] in "+-" else written
        if wildcard.matches(pattern, name):
            return (
                None
                if allow
                else f"[action.auto_create_index] contains [{written}] which forbids automatic creation of the index"
            )
    return f"[action.auto_create_index] ([{','.join(patterns)}]) doesn't match"
