"""The `fetch` part of a plan: what each hit shows."""

from __future__ import annotations

from typing import Any

from quidditch.query.context import QueryContext
from quidditch.query.fetch import SourceFilter, docvalue_plan, fields_plan
from quidditch.query.highlight import highlight_plan
from quidditch.query.request import SearchRequest


def fetch_plan(request: SearchRequest, ctx: QueryContext) -> dict[str, Any]:
    """What each hit shows."""
    fetch: dict[str, Any] = {}
    source = request.source
    if request.stored_fields is not None:
        fetch["stored_fields"] = request.stored_fields
        if source is None:
            source = SourceFilter("_source" in request.stored_fields)
    if source is not None and source.to_plan() is not True:
        fetch["source"] = source.to_plan()
    if request.docvalue_fields:
        fetch["docvalue_fields"] = docvalue_plan(request.docvalue_fields, ctx)
    if request.fields:
        fetch["fields"] = fields_plan(request.fields, ctx)
    if request.version:
        fetch["version"] = True
    if request.seq_no_primary_term:
        fetch["seq_no_primary_term"] = True
    if request.highlight is not None:
        fetch["highlight"] = highlight_plan(request.highlight, ctx)
    if request.named_scores:
        fetch["named_queries_score"] = True
    return fetch
