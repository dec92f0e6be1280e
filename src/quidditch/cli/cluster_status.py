"""`quidditch cluster status`: health, nodes and shards as a table, and what is being waited for. It asks as any client does."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import typer
from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from quidditch.cli import local_cluster
from quidditch.cli.access import Access
from quidditch.cli.config import ConfigError
from quidditch.cli.local_cluster import Member

_REFRESH_SECONDS = 1.0
_ANSWER_SECONDS = 3.0
_SHOWN = 10
_COLORS = {"green": "green", "yellow": "yellow", "red": "red"}
Json = Mapping[str, Any]


class _Refused(Exception):
    """A node answered, but not what was asked for."""


_FAILURES = (OSError, ValueError, http.client.HTTPException, ConfigError, _Refused)


class Answers(Struct):
    """What one node told. `why`: the leader's explanation of the first copy that has no node; `problem`: why it told nothing (more)."""

    url: str
    health: Json = {}
    nodes: Sequence[Json] = ()
    shards: Sequence[Json] = ()
    why: Json = {}
    problem: str = ""


class Local(Struct, frozen=True):
    """The nodes of the local cluster, if it is that, and the option of the commands that names it."""

    members: Sequence[Member] = ()
    option: str = ""


def show(urls: Sequence[str], local: Local, access: Access, watch: bool) -> None:
    """Prints the table once, or refreshes it until Ctrl-C. Once and no node answers: ends with status 1."""
    if not watch:
        found = ask(urls, access)
        Console().print(table(found, local), soft_wrap=True)
        if not found.health:
            raise typer.Exit(1)
        return
    with contextlib.suppress(KeyboardInterrupt), Live(auto_refresh=False) as live:
        while True:
            live.update(table(ask(urls, access), local), refresh=True)
            time.sleep(_REFRESH_SECONDS)


# --- asking ---------------------------------------------------------------------------------------------------------


def ask(urls: Sequence[str], access: Access) -> Answers:
    """What the first node that answers says."""
    problems = []
    for url in urls:
        found = Answers(url)
        try:
            found.health = _get(access, url, "/_cluster/health?local=true&master_timeout=1s")
            found.nodes = _get(
                access, url, "/_cat/nodes?format=json&h=name,node.roles,cluster_manager,disk.used_percent"
            )
            found.shards = _get(
                access, url, "/_cat/shards?format=json&h=index,shard,prirep,state,node,unassigned.reason"
            )
            if any(shard["state"] == "UNASSIGNED" for shard in found.shards):
                found.why = _explanation(access, url)
            return found
        except _FAILURES as error:
            found.problem = escape(f"{url}: {_reason(error)}")
            problems.append(found)
    best = next((found for found in problems if found.health), None)
    return best or Answers("", problem="\n".join(found.problem for found in problems) or "there are no nodes")


def _explanation(access: Access, url: str) -> Json:
    """Nothing while nobody leads, or where meanwhile nothing is unassigned."""
    with contextlib.suppress(*_FAILURES):
        told: Json = _get(access, url, "/_cluster/allocation/explain")
        return told
    return {}


def _get(access: Access, url: str, path: str) -> Any:
    with contextlib.closing(access.connection(url, _ANSWER_SECONDS)) as connection:
        connection.request("GET", urlsplit(url).path.rstrip("/") + path, headers=access.headers)
        response = connection.getresponse()
        data = response.read()
    if response.status >= 300:
        raise _Refused(_told(response.status, data))
    return json.loads(data)


def _told(status: int, data: bytes) -> str:
    """Why a request was refused: in the words of the node, where it has some."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        error = json.loads(data)["error"]
        return str(error["reason"] or error["type"]) + (" (--user, --password)" if status == 401 else "")
    return f"HTTP status {status}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_ANSWER_SECONDS:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message} (--cacert)"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error) or type(error).__name__


# --- showing --------------------------------------------------------------------------------------------------------


def table(found: Answers, local: Local = Local()) -> RenderableType:  # noqa: B008  (frozen)
    """Nodes that the cluster knows, those of the local cluster that it does not know, and what is being waited for."""
    if not found.health:
        return Group("[red]no node answers[/]", found.problem, *_absent(local, ()))
    health = found.health
    color = _COLORS.get(health["status"], "white")
    shown = Table(title=f"{health['cluster_name']}: [{color}]{health['status']}[/]")
    for column in ("node", "roles", "manager", "shards", "disk"):
        shown.add_column(column, justify="right" if column in ("shards", "disk") else "left")
    for node in sorted(found.nodes, key=lambda each: str(each["name"])):
        held = sum(_node(shard) == node["name"] for shard in found.shards)
        disk = f"{node['disk.used_percent']} %" if node.get("disk.used_percent") else ""
        shown.add_row(node["name"], _roles(node["node.roles"]), node["cluster_manager"], str(held), disk)
    names = [str(node["name"]) for node in found.nodes]
    return Group(shown, *_absent(local, names), *waiting(found))


def _roles(text: str) -> str:
    """Roles as `_cat/nodes` lists them, without the one that every data node has."""
    roles = [role for role in text.split(",") if role not in ("-", "remote_cluster_client")]
    return ", ".join(roles) or "coordinator"


def _node(shard: Json) -> str:
    """Where a copy is; one that moves is shown as `from -> to …`."""
    return str(shard["node"] or "").partition(" -> ")[0]


def _absent(local: Local, known: Sequence[str]) -> list[str]:
    """Nodes of the local cluster that the cluster does not know."""
    texts = []
    for member in local.members:
        now = local_cluster.state(member)
        if member.name not in known:
            command = f"quidditch cluster start {member.name}{local.option}"
            hint = f"; `{command}` starts it again" if now == "ended" else ""
            texts.append(f"[red]{member.name}[/] is not in the cluster: its process is {now}{hint}")
        elif now != "running":
            texts.append(f"[yellow]{member.name}[/]: its process is {now}, the cluster has not noticed yet")
    return texts


def waiting(found: Answers) -> list[str]:
    """What is not as it shall be, one line each."""
    health = found.health
    lines = [found.problem] if found.problem else []
    if not health.get("discovered_cluster_manager", True):
        lines.append("no master leads: documents are served, changes of the cluster wait")
    if health.get("number_of_pending_tasks"):
        lines.append(f"tasks that the leader has not done yet: {health['number_of_pending_tasks']}")
    if health.get("delayed_unassigned_shards"):
        lines.append(f"copies that wait for their node to return: {health['delayed_unassigned_shards']}")
    unsettled = [shard for shard in found.shards if shard["state"] != "STARTED"]
    unsettled.sort(key=lambda shard: (shard["prirep"] != "p", str(shard["index"]), int(shard["shard"])))
    for shard in unsettled[:_SHOWN]:
        copy = "primary" if shard["prirep"] == "p" else "replica"
        reason = f" ({shard['unassigned.reason']})" if shard.get("unassigned.reason") else ""
        where = f" on {shard['node']}" if shard["node"] else ""
        lines.append(f"\\[{shard['index']}]\\[{shard['shard']}] {copy} is {shard['state']}{where}{reason}")
    if len(unsettled) > _SHOWN:
        lines.append(f"and {len(unsettled) - _SHOWN} more copies")
    return lines + _why(found.why) or ["nothing to wait for"]


def _why(told: Json) -> list[str]:
    """Why a copy has no node: the leader's sentence, then of each node what stands in the way there."""
    if "allocate_explanation" not in told:
        return []
    copy = "primary" if told["primary"] else "replica"
    lines = [f"why \\[{told['index']}]\\[{told['shard']}] {copy}: {told['allocate_explanation']}"]
    for node in told.get("node_allocation_decisions", ())[:_SHOWN]:
        refusals = [each["explanation"] for each in node.get("deciders", ()) if each["decision"] != "YES"]
        if refusals:
            lines.append(f"  {node['node_name']}: {escape(refusals[0])}")
    return lines
