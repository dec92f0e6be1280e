"""`quidditch import` against a real node."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.client import Client
from tests.support.node import Node


def _import(
    node: Node, file: Path | str, index: str, *args: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    command = [
        sys.executable,
        "-m",
        "quidditch.cli.main",
        "import",
        str(file),
        "--index",
        index,
        "--url",
        node.url,
        *args,
    ]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)


def _count(client: Client, index: str) -> int:
    client.call("POST", f"/{index}/_refresh")
    found: int = client.call("GET", f"/{index}/_count").json["count"]
    return found


def _lines(count: int) -> bytes:
    return b"".join(json.dumps({"n": n, "text": f"line {n}"}).encode() + b"\n" for n in range(count))


@pytest.mark.parametrize("packed", [False, True])
def test_ndjson(node: Node, client: Client, tmp_path: Path, packed: bool) -> None:
    file = tmp_path / ("lines.ndjson.gz" if packed else "lines.ndjson")
    file.write_bytes(gzip.compress(_lines(250)) if packed else _lines(250))
    index = f"nd-{packed}".lower()
    result = _import(node, file, index, "--batch", "100")
    assert result.returncode == 0, result.stderr
    assert _count(client, index) == 250
    assert _import(node, file, index).returncode == 0
    assert _count(client, index) == 250


def test_csv_with_ids(node: Node, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('code,name,price,ok,note\n007,"a, b",1.5,true,\n8,c,2,false,x\n')
    assert _import(node, file, "rows", "--id-field", "name").returncode == 0
    assert client.call("GET", "/rows/_doc/a%2C%20b").json["_source"] == {
        "code": "007",
        "name": "a, b",
        "price": 1.5,
        "ok": True,
    }
    assert client.call("GET", "/rows/_doc/c").json["_source"] == {
        "code": 8,
        "name": "c",
        "price": 2,
        "ok": False,
        "note": "x",
    }


def test_standard_input(node: Node, client: Client) -> None:
    assert _import(node, "-", "piped", stdin=_lines(10)).returncode == 0
    assert _count(client, "piped") == 10


def test_goes_on_where_it_was_interrupted(node: Node, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "broken.ndjson"
    file.write_bytes(_lines(50) + b"{broken\n")
    first = _import(node, file, "resumed", "--batch", "20")
    assert first.returncode == 1
    assert b"line 51 is not JSON" in first.stderr
    assert _count(client, "resumed") == 40
    file.write_bytes(_lines(60))
    second = _import(node, file, "resumed", "--batch", "20")
    assert second.returncode == 0
    assert b"going on after 40 documents" in second.stderr
    assert _count(client, "resumed") == 60


def test_refused_documents_are_shown(node: Node, client: Client, tmp_path: Path) -> None:
    client.call("PUT", "/strict", {"mappings": {"properties": {"n": {"type": "integer"}}}})
    file = tmp_path / "mixed.ndjson"
    file.write_bytes(b'{"n":1}\n{"n":"word"}\n{"n":3}\n')
    result = _import(node, file, "strict")
    assert result.returncode == 1
    assert b"mapper_parsing_exception" in result.stderr
    assert b"1 documents were refused" in result.stderr
    assert _count(client, "strict") == 2


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["missing.ndjson", "--index", "x"], b"cannot read missing.ndjson"),
        (["setup.xml", "--index", "x", "--format", "xml"], b"unknown format [xml]"),
    ],
)
def test_problems_are_one_line(node: Node, args: list[str], text: bytes) -> None:
    command = [sys.executable, "-m", "quidditch.cli.main", "import", *args, "--url", node.url]
    result = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert result.returncode == 1
    assert text in result.stderr
    assert result.stderr.count(b"\n") == 1
