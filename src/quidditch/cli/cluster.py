"""`quidditch cluster`: a local cluster of real processes, and how a cluster is."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from quidditch.cli.local_cluster import ClusterProblem

app = typer.Typer(help="A local cluster of real processes, for trying things.", no_args_is_help=True)

Dir = Annotated[Path, typer.Option("--dir", help="Folder of the cluster.")]
_DIR = Path("quidditch-cluster")


def _fail(problem: ClusterProblem | str) -> typer.Exit:
    print(f"quidditch: {problem}", file=sys.stderr)
    return typer.Exit(1)


@app.command()
def up(
    masters: Annotated[int, typer.Option("--masters", min=1, help="1, 3 or 5.")] = 3,
    data: Annotated[int, typer.Option("--data", min=0)] = 3,
    coordinators: Annotated[int, typer.Option("--coordinators", min=0)] = 0,
    first_port: Annotated[int, typer.Option("--first-port", help="Ports are taken from here on.")] = 9200,
    folder: Dir = _DIR,
) -> None:
    """Start a cluster and print where its nodes listen."""
    from rich.progress import Progress

    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster

    try:
        cluster = LocalCluster.create(folder.absolute(), masters, data, coordinators, first_port)
        for member in cluster.members:
            cluster.start(member)
        with Progress(transient=True) as progress:
            task = progress.add_task("starting", total=len(cluster.members))
            for _ in cluster.wait(cluster.members):
                progress.advance(task)
    except ClusterProblem as problem:
        raise _fail(problem) from None
    for member in cluster.members:
        print(f"{member.name:16} {member.url}  pid {member.pid}")


@app.command()
def down(folder: Dir = _DIR) -> None:
    """End all nodes of the cluster; data and logs stay in the folder."""
    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster

    try:
        cluster = LocalCluster.load(folder.absolute())
    except ClusterProblem as problem:
        raise _fail(problem) from None
    cluster.stop()
    cluster.forget()


@app.command()
def kill(
    node: Annotated[str, typer.Argument(metavar="NODE")],
    with_signal: Annotated[str, typer.Option("--signal", "-s", help="KILL, TERM, STOP, CONT…")] = "KILL",
    folder: Dir = _DIR,
) -> None:
    """Send a signal to a node; without --signal it is gone at once."""
    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster, parse_signal, send

    try:
        send(LocalCluster.load(folder.absolute())[node], parse_signal(with_signal))
    except ClusterProblem as problem:
        raise _fail(problem) from None


@app.command()
def start(node: Annotated[str, typer.Argument(metavar="NODE")], folder: Dir = _DIR) -> None:
    """Start a node again, on its old data and ports."""
    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster

    try:
        cluster = LocalCluster.load(folder.absolute())
        member = cluster[node]
        cluster.start(member)
        list(cluster.wait([member]))
    except ClusterProblem as problem:
        raise _fail(problem) from None
    print(f"{member.name:16} {member.url}  pid {member.pid}")


@app.command()
def add(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="master, data or coordinator")], folder: Dir = _DIR
) -> None:
    """Start one more node, which joins the running cluster; a master becomes one of those that vote."""
    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster

    try:
        cluster = LocalCluster.load(folder.absolute())
        member = cluster.add(role)
        cluster.start(member)
        list(cluster.wait([member]))
    except ClusterProblem as problem:
        raise _fail(problem) from None
    print(f"{member.name:16} {member.url}  pid {member.pid}")


@app.command()
def ps(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False, folder: Dir = _DIR) -> None:
    """List the nodes: name, role, process id, addresses, whether it runs."""
    from quidditch.cli.local_cluster import HOST, ClusterProblem, LocalCluster, running

    try:
        cluster = LocalCluster.load(folder.absolute())
    except ClusterProblem as problem:
        raise _fail(problem) from None
    rows = [
        {
            "name": member.name,
            "role": member.role,
            "pid": member.pid,
            "running": running(member),
            "http": member.url,
            "transport": f"{HOST}:{member.transport}",
            "log": str(cluster.log(member)),
        }
        for member in cluster.members
    ]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    for row in rows:
        state = "running" if row["running"] else "ended"
        print(f"{row['name']:16} {row['role']:12} {row['pid']:>8} {state:8} {row['http']}  {row['transport']}")


@app.command()
def status(
    url: Annotated[str | None, typer.Option("--url", help="Any node; otherwise one of the local cluster.")] = None,
    watch: Annotated[bool, typer.Option("--watch/--once", help="Refresh until Ctrl-C.")] = sys.stdout.isatty(),
    folder: Dir = _DIR,
) -> None:
    """Show health, nodes, shards on each, and what is being waited for."""
    from rich.console import Console
    from rich.live import Live

    from quidditch.cli.local_cluster import ClusterProblem, LocalCluster

    try:
        urls = [url] if url else [member.url for member in LocalCluster.load(folder.absolute()).members]
    except ClusterProblem as problem:
        raise _fail(problem) from None
    if not watch:
        Console().print(_table(urls))
        return
    with Live(_table(urls), auto_refresh=False) as live:
        try:
            while True:
                time.sleep(1)
                live.update(_table(urls), refresh=True)
        except KeyboardInterrupt:
            return


def _table(urls: list[str]) -> Table:
    """What the first node that answers says."""
    from rich.table import Table

    try:
        health = _ask(urls, "/_cluster/health")
        nodes = _ask(urls, "/_cat/nodes?format=json&h=name,node.roles,cluster_manager,ip,disk.used_percent")
        shards = _ask(urls, "/_cat/shards?format=json&h=index,shard,prirep,state,node,unassigned.reason")
        members = _ask(urls, "/_cluster/state/nodes")["nodes"].values()
    except (OSError, ValueError) as error:
        return Table(title=f"no node answers: {error}")
    table = Table(title=f"{health['cluster_name']}: {health['status']}", caption=_waiting(health, shards))
    unwell = {each["name"]: f"{each['health']}: {each['health_reason']}" for each in members if "health" in each}
    for column in ("node", "roles", "manager", "shards", "disk", "health"):
        table.add_column(column)
    for node in sorted(nodes, key=lambda each: str(each["name"])):
        held = sum(shard["node"] == node["name"] for shard in shards)
        disk = f"{node['disk.used_percent']} %" if node.get("disk.used_percent") else ""
        health_of = unwell.get(node["name"], "HEALTHY")
        table.add_row(node["name"], node["node.roles"], node["cluster_manager"], str(held), disk, health_of)
    return table


def _waiting(health: dict[str, Any], shards: list[dict[str, Any]]) -> str:
    parts = [f"{health['number_of_pending_tasks']} tasks pending"] if health["number_of_pending_tasks"] else []
    open_shards = [shard for shard in shards if shard["state"] != "STARTED"]
    for shard in open_shards[:10]:
        copy = "primary" if shard["prirep"] == "p" else "replica"
        reason = f" ({shard['unassigned.reason']})" if shard.get("unassigned.reason") else ""
        parts.append(f"[{shard['index']}][{shard['shard']}] {copy} is {shard['state']}{reason}")
    if len(open_shards) > 10:
        parts.append(f"and {len(open_shards) - 10} more")
    return "\n".join(parts) or "nothing to wait for"


def _ask(urls: list[str], path: str) -> Any:
    """The answer of the first node that gives one. Raises OSError or ValueError."""
    problem: Exception = OSError("there are no nodes")
    for url in urls:
        try:
            with urllib.request.urlopen(url + path, timeout=5) as answer:
                return json.loads(answer.read())
        except (OSError, ValueError) as error:
            problem = error
    raise problem
