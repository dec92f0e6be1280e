"""Rules (CEL) that the API server checks itself, with the texts that REST has.

They refuse what can never be right, and nothing that the control plane writes; the reconciler checks again, with all that it knows.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from quidditch.controlplane.core.names import FORBIDDEN, index_name_problem

Rule: TypeAlias = dict[str, str]

SHARDS_STAY: Rule = {
    "rule": "!has(self.spec.shards)"
    " || (has(oldSelf.spec.shards) && self.spec.shards == oldSelf.spec.shards)"
    " || (has(oldSelf.status) && has(oldSelf.status.shards) ? self.spec.shards == oldSelf.status.shards : !has(oldSelf.spec.shards))",
    "message": "the number of shards cannot be changed; reindex into an index with another",
    "fieldPath": ".spec.shards",
}
"""Also not by taking it out first. What the index really has may always be written."""

CONTROL_STAYS: Rule = {
    "rule": "!has(oldSelf.spec.control) || has(self.spec.control)",
    "message": "spec.control is the control plane's and cannot be taken out",
}

QUANTITY: Rule = {
    "rule": "isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",
    "message": "must be a size, such as 100Gi",
}
GROWS: Rule = {
    "rule": "!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0",
    "message": "a volume cannot shrink; add a pool with smaller ones and scale this one to 0",
}

HOLDS_DATA: Rule = {
    "rule": "self.exists(pool, !has(pool.roles) || size(pool.roles) == 0 || 'data' in pool.roles)",
    "message": "no pool has the role data",
}
RESOURCES: Rule = {
    "rule": "self.all(kind, kind in ['requests', 'limits'])",
    "message": "has requests and limits, nothing else",
}
CLUSTER_NAMES: tuple[Rule, ...] = (
    {
        "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "message": "the name must begin with a letter and have only lower case letters, digits and '-', for services are named after it",
    },
    {
        "rule": "self.spec.nodePools.all(pool, size(self.metadata.name) + size(pool.name) <= 45)",
        "message": "the names of the cluster and a pool have more than 45 characters together, too many for those of its pods",
    },
)

_SAMPLES = (
    (f"[{re.escape(FORBIDDEN)}]", " "),
    ("#", "#"),
    (":", ":"),
    ("^[-_+]", "_"),
    (r"\p{Lu}", "A"),
)
"""What no name may have, in the order in which REST looks, and a name that has it."""


def name_rule() -> Rule:
    """What REST says of a name, beside the API server's own word on what is no DNS name."""
    text = "''"
    for pattern, sample in reversed(_SAMPLES):
        text = f"self.metadata.name.matches({_quoted(pattern)}) ? {_quoted(str(index_name_problem(sample)))} : {text}"
    anywhere = "|".join(pattern for pattern, _ in _SAMPLES)
    return {
        "rule": f"!self.metadata.name.matches({_quoted(anywhere)})",
        "message": "Invalid index name",
        "messageExpression": f"'Invalid index name [' + self.metadata.name + '], ' + ({text})",
    }


def _quoted(text: str) -> str:
    """As a literal of CEL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
