"""Hits inside a search: what `top_hits` and `inner_hits` take."""

from __future__ import annotations

from typing import Any

from quidditch.query.context import QueryContext
from quidditch.query.plan_fetch import fetch_plan
from quidditch.query.request import SearchRequest, read_members
from quidditch.query.sort import sort_plan


def read_hits(body: dict[str, Any]) -> SearchRequest:
    """The members that say which hits to show and what of them."""
    request = SearchRequest(root=body)
    read_members(body, request)
    return request


def hits_plan(request: SearchRequest, ctx: QueryContext) -> dict[str, Any]:
    """As the kernel takes them."""
    plan: dict[str, Any] = {"from": request.first, "size": 3 if request.size is None else request.size}
    sort = sort_plan(request.sort, ctx)
    if sort is not None:
        plan["sort"] = sort
    if request.explain:
        plan["explain"] = True
    if request.track_scores:
        plan["track_scores"] = True
    plan["fetch"] = fetch_plan(request, ctx)
    return plan
