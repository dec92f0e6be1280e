"""Conditions as Kubernetes tools read them: one per type, the time of the last transition, what the controller had seen.

Sources: "Typical status properties" in Kubernetes' API conventions; kstatus (cli-utils), for which `Ready` is the summary, while
`Reconciling` and `Stalled` count only where they are true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

Status: TypeAlias = Literal["True", "False", "Unknown"]


class Condition(msgspec.Struct, frozen=True):
    """What a controller finds: `reason` is one CamelCase word, `message` a sentence for people."""

    type: str
    status: Status
    reason: str
    message: str = ""


def merged(
    known: Sequence[dict[str, Any]], found: Iterable[Condition], generation: int, now: str
) -> list[dict[str, Any]]:
    """`found` as the status of an object at that `generation` holds it, in order of their types. `now` (RFC 3339, UTC) becomes the time of
    a transition where the status changed; conditions of other types, which others own, stay as they are known.
    """
    by_type = {condition["type"]: condition for condition in known}
    for each in found:
        before = by_type.get(each.type)
        same = before is not None and before["status"] == each.status
        by_type[each.type] = {
            "type": each.type,
            "status": each.status,
            "reason": each.reason,
            "message": each.message,
            "observedGeneration": generation,
            "lastTransitionTime": before["lastTransitionTime"] if same and before is not None else now,
        }
    return [by_type[type] for type in sorted(by_type)]


def summary(ready: Condition, *, progressing: str = "", stalled: str = "") -> list[Condition]:
    """`Ready` and what kstatus asks beside it: `progressing` and `stalled` say why, empty where it is not so."""
    return [
        ready,
        Condition(
            "Reconciling", "True" if progressing else "False", "Progressing" if progressing else "Done", progressing
        ),
        Condition("Stalled", "True" if stalled else "False", "Stalled" if stalled else "Working", stalled),
    ]


def camel(error_type: str) -> str:
    """The type of an error of OpenSearch's as a reason: `invalid_index_name_exception` is `InvalidIndexName`."""
    return "".join(word.capitalize() for word in error_type.removesuffix("_exception").split("_"))
