"""`quidditch demo`: the documentation of this Python installation, indexed and searched."""

from __future__ import annotations

import ast
import http.client
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from quidditch.cli.access import Access
from quidditch.cli.config import Config, ConfigError
from quidditch.cli.run import serve

INDEX = "python"
_BATCH = 500
MAPPINGS = {
    "properties": {
        "name": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
        "doc": {"type": "text"},
        "kind": {"type": "keyword"},
        "module": {"type": "keyword"},
        "package": {"type": "keyword"},
        "signature": {"type": "text"},
        "line": {"type": "integer"},
        "length": {"type": "integer"},
        "modified": {"type": "date"},
    }
}
SEARCHES: list[tuple[str, dict[str, Any]]] = [
    (
        "what opens a file?",
        {"query": {"multi_match": {"query": "open a file for reading", "fields": ["name^2", "doc"]}}},
    ),
    (
        "classes about sockets",
        {"query": {"bool": {"must": {"match": {"doc": "socket"}}, "filter": {"term": {"kind": "class"}}}}},
    ),
    ("the phrase “event loop”", {"query": {"match_phrase": {"doc": "event loop"}}}),
    ("a name mistyped: “serialzie”", {"query": {"match": {"doc": {"query": "serialzie", "fuzziness": "AUTO"}}}}),
]
AGGREGATIONS: list[tuple[str, dict[str, Any]]] = [
    ("packages with the most documentation", {"terms": {"field": "package", "size": 5}}),
    (
        "kinds, and how long their documentation is",
        {"terms": {"field": "kind"}, "aggs": {"length": {"avg": {"field": "length"}}}},
    ),
]


def demonstrate(config: Config, temporary: bool, stop: bool, access: Access | None = None) -> None:
    """Runs a node and the demonstration against it; returns when the node has ended."""
    with tempfile.TemporaryDirectory(prefix="quidditch-demo-") as folder:
        if temporary:
            config = replace(config, values={**config.values, "path.data": folder})

        problems: list[str] = []

        def ready(url: str, end: Any) -> None:
            threading.Thread(
                target=_run, args=(_Client(url, access or Access()), url, stop, end, problems), name="demo", daemon=True
            ).start()

        serve(config, ready)
        if problems:
            raise ConfigError(problems[0])


def _run(client: _Client, url: str, stop: bool, end: Any, problems: list[str]) -> None:
    console = Console()
    try:
        _index(client, console)
        _search(client, console)
        console.print(f"\nThe node stays up at {url}. Try:")
        console.print(f"  curl '{url}/{INDEX}/_search?q=doc:generator&pretty'", highlight=False)
        console.print("Ctrl-C ends it.")
    except (OSError, ConfigError, http.client.HTTPException) as error:
        problems.append(f"the demonstration ended: {error}")
        stop = True
    if stop:
        end()


class _Client:
    def __init__(self, url: str, access: Access) -> None:
        self._connection = access.connection(url, timeout=120)
        self._headers = {"Content-Type": "application/json", **access.headers}

    def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        self._connection.request(method, path, data, self._headers)
        response = self._connection.getresponse()
        answer: dict[str, Any] = orjson.loads(response.read() or b"{}")
        if response.status >= 300 and response.status != 404:
            raise ConfigError(f"{method} {path}: {answer.get('error')}")
        return answer


def _index(client: _Client, console: Console) -> None:
    files = sorted(sources())
    client.call("DELETE", f"/{INDEX}")
    client.call("PUT", f"/{INDEX}", {"settings": {"number_of_replicas": 0}, "mappings": MAPPINGS})
    started, count = time.monotonic(), 0
    columns = (TextColumn("reading {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("Python's documentation", total=len(files))
        lines: list[bytes] = []
        for file in files:
            for id, document in documents(file):
                lines += (orjson.dumps({"index": {"_id": id}}), orjson.dumps(document))
                count += 1
                if len(lines) >= 2 * _BATCH:
                    _send(client, lines)
            progress.advance(task)
        _send(client, lines)
    client.call("POST", f"/{INDEX}/_refresh")
    took = time.monotonic() - started
    console.print(f"{count:,} modules, classes and functions in {took:.1f} s")


def _send(client: _Client, lines: list[bytes]) -> None:
    if not lines:
        return
    answer = client.call("POST", f"/{INDEX}/_bulk", b"\n".join([*lines, b""]))
    if answer.get("errors"):
        failed = next(item["index"]["error"] for item in answer["items"] if "error" in item["index"])
        raise ConfigError(f"a document was refused: {failed}")
    lines.clear()


def sources() -> Iterator[Path]:
    """The source files of the standard library and of what is installed beside it."""
    for name in ("stdlib", "purelib"):
        root = Path(sysconfig.get_path(name))
        for file in root.rglob("*.py"):
            parts = file.relative_to(root).parts
            if "test" not in parts and "tests" not in parts and (name != "stdlib" or "site-packages" not in parts):
                yield file


def documents(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and document of every documented module, class and function of a source file."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, OSError, RecursionError):
        return
    module = _module_name(file)
    shared = {
        "module": module,
        "package": module.partition(".")[0],
        "modified": int(file.stat().st_mtime * 1000),
    }
    yield from _walk(tree, module, shared)


def _module_name(file: Path) -> str:
    for name in ("purelib", "stdlib"):
        root = Path(sysconfig.get_path(name))
        if file.is_relative_to(root):
            parts = list(file.relative_to(root).with_suffix("").parts)
            break
    else:
        parts = [file.stem]
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def _walk(node: ast.AST, path: str, shared: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        doc = ast.get_docstring(node)
        if doc:
            kind = (
                "module" if isinstance(node, ast.Module) else "class" if isinstance(node, ast.ClassDef) else "function"
            )
            line = getattr(node, "lineno", 1)
            document = {"name": path, "kind": kind, "doc": doc, "line": line, "length": len(doc), **shared}
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                document["signature"] = f"{node.name}({ast.unparse(node.args)})"
            yield f"{path}:{line}", document
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _walk(child, f"{path}.{child.name}", shared)


def _search(client: _Client, console: Console) -> None:
    for title, body in SEARCHES:
        answer = client.call("POST", f"/{INDEX}/_search", {**body, "size": 3, "_source": ["name", "kind", "doc"]})
        hits = answer["hits"]
        _title(console, f"{title}  ({hits['total']['value']:,} hits in {answer['took']} ms)")
        for hit in hits["hits"]:
            found = hit["_source"]
            _line(console, f"{hit['_score']:6.2f}  {found['kind']:<8}  {found['name']}: {found['doc'].splitlines()[0]}")
    for title, aggregation in AGGREGATIONS:
        answer = client.call("POST", f"/{INDEX}/_search", {"size": 0, "aggs": {"found": aggregation}})
        _title(console, f"{title}  ({answer['took']} ms)")
        for bucket in answer["aggregations"]["found"]["buckets"]:
            inner = "".join(f"  {name} {bucket[name]['value']:,.0f}" for name in aggregation.get("aggs", {}))
            _line(console, f"{bucket['doc_count']:8,}  {bucket['key']}{inner}")


def _title(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold", highlight=False, markup=False)


def _line(console: Console, text: str) -> None:
    """One line, cut at the width of the terminal."""
    console.print(text, no_wrap=True, overflow="ellipsis", highlight=False, markup=False)
