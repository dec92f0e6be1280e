"""What names may be, with OpenSearch's texts."""

from __future__ import annotations

from quidditch.model.errors import ApiError
from quidditch.model.expressions import invalid_index_name
from quidditch.model.state import ClusterState

FORBIDDEN = ' "*\\<|,>/?'
_FORBIDDEN_TEXT = '[ , ", *, \\, <, |, ,, >, /, ?]'
_MAX_BYTES = 255


def name_problem(name: str) -> str | None:
    """What is wrong with an index or alias name; None if nothing is."""
    if not name:
        return "must not be empty"
    if any(char in FORBIDDEN for char in name):
        return f"must not contain the following characters {_FORBIDDEN_TEXT}"
    if "#" in name:
        return "must not contain '#'"
    if ":" in name:
        return "must not contain ':'"
    if name[0] in "_-+":
        return "must not start with '_', '-', or '+'"
    size = len(name.encode("utf-8", "surrogatepass"))
    if size > _MAX_BYTES:
        return f"index name is too long, ({size} > {_MAX_BYTES})"
    if name in (".", ".."):
        return "must not be '.' or '..'"
    return None


def index_name_problem(name: str) -> str | None:
    """What is wrong with an index name; None if nothing is."""
    problem = name_problem(name)
    return "must be lowercase" if problem is None and name.lower() != name else problem


def check_index_name(name: str) -> None:
    """Raises invalid_index_name_exception."""
    problem = index_name_problem(name)
    if problem is not None:
        raise invalid_index_name(name, problem)


def check_new_index_name(state: ClusterState, name: str) -> None:
    """Raises for a bad name, and for one that an index, an alias or a data stream has."""
    check_index_name(name)
    known = state.indices.get(name)
    if known is not None:
        raise ApiError(
            400,
            "resource_already_exists_exception",
            f"index [{name}/{known.uuid}] already exists",
            {"index": name, "index_uuid": known.uuid},
        )
    if name in state.aliases:
        raise invalid_index_name(name, "already exists as alias")
    if name in state.data_streams:
        raise invalid_index_name(name, "already exists as data stream")


def check_alias_name(name: str) -> None:
    """Raises invalid_alias_name_exception."""
    problem = name_problem(name)
    if problem is not None:
        raise ApiError(400, "invalid_alias_name_exception", f"Invalid alias name [{name}]: {problem}")


def check_alias_against_indices(state: ClusterState, name: str) -> None:
    """Raises if an index has the alias's name."""
    known = state.indices.get(name)
    if known is not None:
        raise ApiError(
            400,
            "invalid_alias_name_exception",
            f"Invalid alias name [{name}]: an index or data stream exists with the same name as the alias",
            {"index": name, "index_uuid": known.uuid},
        )
