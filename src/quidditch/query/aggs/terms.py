"""terms: a bucket for each value."""

from __future__ import annotations

from typing import Any

from quidditch.model.errors import ApiError
from quidditch.query.aggs.spec import (
    VALUES,
    AggSpec,
    Reader,
    bound,
    flag,
    integer,
    json,
    long,
    read_order,
    resolve_field,
    text,
)
from quidditch.query.context import Field, QueryContext
from quidditch.query.errors import ShardError, argument, x_content
from quidditch.query.fields import DATES, NUMERIC
from quidditch.query.values import read_int, text_of

_PARAMS: dict[str, Reader] = {
    **VALUES,
    "size": integer,
    "shard_size": integer,
    "min_doc_count": long,
    "shard_min_doc_count": long,
    "order": read_order,
    "include": json,
    "exclude": json,
    "show_term_doc_count_error": flag,
    "collect_mode": text,
    "execution_hint": text,
    "time_zone": text,
}


def terms(spec: AggSpec, ctx: QueryContext) -> dict[str, Any]:
    found = spec.read(_PARAMS)
    _check_sizes(spec, found)
    found["order"] = _complete(found.get("order", [["_count", "desc"]]))
    for key in ("include", "exclude"):
        if key in found:
            found[key] = _filter(spec, key, found[key])
    _check_mix(spec, found)
    if found.get("collect_mode", "depth_first") not in ("depth_first", "breadth_first"):
        wrong = ApiError(400, "parse_exception", f"no [collect_mode] found for value [{found['collect_mode']}]")
        raise spec.failed("collect_mode", wrong)
    field = resolve_field(spec, found, ctx)
    if field is not None:
        _typed_filters(spec, found, field, ctx)
    return found


def _check_sizes(spec: AggSpec, found: dict[str, Any]) -> None:
    size = found.setdefault("size", 10)
    if size <= 0:
        raise spec.failed("size", argument(f"[size] must be greater than 0. Found [{size}] in [{spec.name}]"))
    shard_size = found.get("shard_size")
    if shard_size is not None:
        if shard_size <= 0:
            reason = f"[shardSize] must be greater than 0. Found [{shard_size}] in [{spec.name}]"
            raise spec.failed("shard_size", argument(reason))
        found["shard_size"] = max(shard_size, size)
    if found.setdefault("min_doc_count", 1) < 0:
        reason = f"[minDocCount] must be greater than or equal to 0. Found [{found['min_doc_count']}] in [{spec.name}]"
        raise spec.failed("min_doc_count", argument(reason))
    if found.setdefault("shard_min_doc_count", 0) < 0:
        reason = f"[shardMinDocCount] must be greater than or equal to 0. Found [{found['shard_min_doc_count']}] in [{spec.name}]"
        raise spec.failed("shard_min_doc_count", argument(reason))
    found["shard_min_doc_count"] = min(found["shard_min_doc_count"], found["min_doc_count"])


def _complete(order: list[list[str]]) -> list[list[str]]:
    """The order with a tie-break on the key."""
    return order if any(path == "_key" for path, _ in order) else [*order, ["_key", "asc"]]


def _filter(spec: AggSpec, key: str, value: Any) -> Any:
    if isinstance(value, str):
        return {"regex": value}
    if isinstance(value, list):
        return {"values": [text_of(item) for item in value]}
    if isinstance(value, dict) and key == "include":
        return _partition(spec, value)
    if isinstance(value, dict):
        raise spec.failed(key, argument("Unrecognized token in exclude"))
    return {"values": [text_of(value)]}


def _check_mix(spec: AggSpec, found: dict[str, Any]) -> None:
    """Refuses what OpenSearch cannot lay over each other."""
    if "include" not in found or "exclude" not in found:
        return
    include, exclude = found["include"], found["exclude"]
    if "partition" in include:
        wrong = argument("Cannot specify any excludes when using a partition-based include")
        raise spec.failed("exclude", wrong)
    kinds = ["regex" if "regex" in each else "set" for each in (include, exclude)]
    if kinds[0] != kinds[1]:
        raise spec.failed("exclude", argument(f"Cannot mix a {kinds[0]}-based include with a {kinds[1]}-based method"))


def _partition(spec: AggSpec, value: dict[str, Any]) -> dict[str, int]:
    for name in value:
        if name not in ("partition", "num_partitions"):
            raise x_content(f"Unknown parameter in Include/Exclude clause: {name}", value, name)
    if "partition" not in value or "num_partitions" not in value:
        missing = "partition" if "partition" not in value else "num_partitions"
        raise spec.failed("include", argument(f"Missing [{missing}] parameter for partition-based include"))
    number, total = read_int(value["partition"]), read_int(value["num_partitions"])
    if total < 2:
        raise spec.failed("include", argument("Number of partitions must be >=2"))
    if not 0 <= number < total:
        raise spec.failed("include", argument(f"Partition must be >=0 and < numPartition which is {total}"))
    return {"partition": number, "num_partitions": total}


def _typed_filters(spec: AggSpec, found: dict[str, Any], field: Field, ctx: QueryContext) -> None:
    """Values of include and exclude in the unit of the column; patterns only on strings."""
    strings = field.type in ("keyword", "text", "wildcard")
    for key in ("include", "exclude"):
        chosen = found.get(key)
        if chosen is None or strings:
            continue
        if "regex" in chosen:
            numbers = "numeric values for include/exclude clauses used to filter numeric fields"
            values = numbers if field.type in NUMERIC else "values for include/exclude clauses"
            raise ShardError(
                422,  # OpenSearch tests this one for a status that is none of the common ones
                "aggregation_execution_exception",
                f"Aggregation [{spec.name}] cannot support regular expression style include/exclude settings as they can only be "
                f"applied to string fields. Use an array of {values}",
            )
        if "values" in chosen:
            format = found.get("format") if field.type in DATES else None
            chosen["values"] = [bound(field, value, ctx, format) for value in chosen["values"]]
