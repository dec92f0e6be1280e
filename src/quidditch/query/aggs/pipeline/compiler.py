"""From the `aggs` of a body to the pipelines in it, checked against the aggregations around them and put in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quidditch.model.errors import ApiError, validation
from quidditch.query.aggs.compiler import members
from quidditch.query.aggs.pipeline.bucket_sort import bucket_sort, idle, read_bucket_sort
from quidditch.query.aggs.pipeline.parents import PARENTS, Parent
from quidditch.query.aggs.pipeline.paths import MULTI, Names, Tree, buckets_of, parse_path
from quidditch.query.aggs.pipeline.pipelines import Format, Pipeline, Shown, read_spec
from quidditch.query.aggs.pipeline.siblings import SIBLINGS, run_sibling
from quidditch.query.aggs.spec import AggSpec
from quidditch.query.errors import argument

_HISTOGRAMS = ("histogram", "date_histogram")
_ALL_PARENTS = {**PARENTS, "bucket_sort": Parent(bucket_sort, {}, ordered=False)}
_SINGLE_PACKAGES = {"reverse_nested": "nested"}


@dataclass(frozen=True, slots=True)
class Level:
    """The aggregations of one level that have pipelines among or below them."""

    trees: dict[str, Tree]
    pipelines: tuple[Pipeline, ...]
    below: dict[str, Level]


def compile_pipelines(aggs: Any) -> Level | None:
    """The pipelines of a request whose other aggregations were found right; None if there are none.

    Raises `Malformed` for parameters, action_request_validation_exception for what does not fit together.
    """
    level = _level(aggs, None)
    return level if level.pipelines or level.below else None


def _level(aggs: dict[str, Any], parent: tuple[str, dict[str, Any]] | None) -> Level:
    trees: dict[str, Tree] = {}
    pipelines: dict[str, Pipeline] = {}
    below: dict[str, Level] = {}
    for name, body in aggs.items():
        kind, subs, meta = members(name, body)
        if kind in SIBLINGS or kind in _ALL_PARENTS:
            if subs is not None:
                raise argument(f"Aggregation [{name}] cannot define sub-aggregations")
            pipelines[name] = _read(AggSpec(name, kind, body[kind]), meta)
            trees[name] = Tree(name, kind, {})
            continue
        inner = _level(subs, (kind, body[kind])) if subs else Level({}, (), {})
        trees[name] = Tree(name, kind, inner.trees)
        if inner.pipelines or inner.below:
            below[name] = inner
    ordered = _ordered(pipelines, trees)
    problems = [problem for pipeline in ordered for problem in _problems(pipeline, trees, parent)]
    if problems:
        raise _invalid(problems)
    return Level(trees, tuple(ordered), below)


def _read(spec: AggSpec, meta: dict[str, Any] | None) -> Pipeline:
    if spec.kind == "bucket_sort":
        paths, params = read_bucket_sort(spec)
    else:
        readers = SIBLINGS[spec.kind].readers if spec.kind in SIBLINGS else PARENTS[spec.kind].readers
        paths, params = read_spec(spec, readers)
    if spec.kind == "cumulative_sum":
        params["zeros"] = True
    return Pipeline(spec.name, spec.kind, paths, params, meta)


def _invalid(problems: list[str]) -> ApiError:
    return validation(*problems)


def _ordered(pipelines: dict[str, Pipeline], trees: dict[str, Tree]) -> list[Pipeline]:
    """Each behind those that it depends on."""
    done: dict[str, Pipeline] = {}
    under_way: set[str] = set()

    def visit(pipeline: Pipeline) -> None:
        if pipeline.name in under_way:
            raise _invalid([f"Cyclical dependency found with pipeline aggregator [{pipeline.name}]"])
        if pipeline.name in done:
            return
        under_way.add(pipeline.name)
        for path in pipeline.paths:
            if path in ("_count", "_key"):
                continue
            first = parse_path(path)[0].name
            if first in pipelines:
                visit(pipelines[first])
            elif first in trees:
                _follow(path, trees[first])
            else:
                raise _invalid([f"No aggregation found for path [{path}]"])
        under_way.discard(pipeline.name)
        done[pipeline.name] = pipeline

    for pipeline in pipelines.values():
        visit(pipeline)
    return list(done.values())


def _follow(path: str, tree: Tree) -> None:
    elements = parse_path(path)
    for number, element in enumerate(elements[1:], 1):
        if number == len(elements) - 1 and element.name in ("_count", "_key"):
            return
        sub = tree.subs.get(element.name)
        if sub is None:
            raise _invalid([f"No aggregation [{element.name}] found for path [{path}]"])
        tree = sub


def _problems(pipeline: Pipeline, trees: dict[str, Tree], parent: tuple[str, dict[str, Any]] | None) -> list[str]:
    if pipeline.kind in SIBLINGS:
        return _sibling_problems(pipeline, trees)
    what = f"{pipeline.kind} aggregation [{pipeline.name}]"
    if pipeline.kind == "bucket_sort":
        if parent is None:
            return [f"{what} must be declared inside of another aggregation"]
        nothing = "is configured to perform nothing. Please set either of [sort, size, from] to use bucket_sort"
        return [f"[{pipeline.name}] {nothing}"] if idle(pipeline) else []
    if len(pipeline.paths) != 1:
        return [f"buckets_path must contain a single entry for aggregation [{pipeline.name}]"]
    needed = "must have a histogram, date_histogram or auto_date_histogram as parent"
    if parent is None:
        return [f"{what} {needed} but doesn't have a parent"]
    kind, params = parent
    if kind not in _HISTOGRAMS:
        return [f"{what} {needed}"]
    if params.get("min_doc_count", 0) != 0:
        return [f"parent histogram of {what} must have min_doc_count of 0"]
    return []


def _sibling_problems(pipeline: Pipeline, trees: dict[str, Tree]) -> list[str]:
    path = pipeline.paths[0]
    first = path.split(">")[0].split(".")[0]
    tree = trees.get(first)
    if tree is None:
        return [f"buckets_path aggregation does not exist for aggregation [{pipeline.name}]: {path}"]
    if tree.kind in MULTI:
        return []
    return [
        f"The first aggregation in buckets_path must be a multi-bucket aggregation for aggregation [{pipeline.name}] "
        f"found :{_builder(tree.kind)} for buckets path: {path}"
    ]


def _builder(kind: str) -> str:
    """The class that OpenSearch names."""
    camel = "".join(part.capitalize() for part in kind.split("_"))
    if kind in SIBLINGS or kind in _ALL_PARENTS:
        return f"org.opensearch.search.aggregations.pipeline.{camel}PipelineAggregationBuilder"
    package = _SINGLE_PACKAGES.get(kind, kind)
    where = f"bucket.{package}" if kind in ("filter", "global", "missing", "nested", "reverse_nested") else "metrics"
    return f"org.opensearch.search.aggregations.{where}.{camel}AggregationBuilder"


# --- running --------------------------------------------------------------------------------------------------------


def run_pipelines(level: Level, finished: dict[str, Any], typed_keys: bool, format: Format) -> None:
    """Computes the pipelines over a finished tree, which is the `aggregations` of an answer, and writes their results into it.

    Raises aggregation_execution_exception for paths that lead to no number.
    """
    shown = Shown(Names(typed_keys), format)
    _descend(level, finished, shown)
    for pipeline in level.pipelines:
        run_sibling(pipeline, level.trees, finished, shown)


def _descend(level: Level, holder: dict[str, Any], shown: Shown) -> None:
    for name, inner in level.below.items():
        agg = shown.names.get(holder, name)
        if isinstance(agg, dict):
            _reduce(level.trees[name], inner, agg, shown)


def _reduce(owner: Tree, level: Level, agg: dict[str, Any], shown: Shown) -> None:
    """First what stands deeper, then the pipelines inside this aggregation."""
    holders = [bucket for _, bucket in buckets_of(agg)] if owner.kind in MULTI else [agg]
    for holder in holders:
        _descend(level, holder, shown)
    for pipeline in level.pipelines:
        if pipeline.kind not in SIBLINGS:
            _ALL_PARENTS[pipeline.kind].run(pipeline, owner, agg, shown)
            continue
        for holder in [bucket for _, bucket in buckets_of(agg)] if owner.kind in MULTI else [agg]:
            run_sibling(pipeline, level.trees, holder, shown)
