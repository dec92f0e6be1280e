"""What the etcd store is generated from, and what etcd and Kubernetes cost who does not use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from grpc_tools import protoc

SOURCES = Path(__file__).parents[3] / "src"


def test_the_generated_messages_are_those_of_the_proto_file(tmp_path: Path) -> None:
    name = "quidditch/store/etcd/wire"
    assert protoc.main(["", f"-I{SOURCES}", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"{name}.proto"]) == 0
    for made in ("_pb2.py", "_pb2.pyi"):
        assert (tmp_path / (name + made)).read_text() == (SOURCES / (name + made)).read_text(), "run make protos"


def test_an_embedded_node_imports_neither_grpc_nor_aiohttp() -> None:
    code = (
        "import sys, quidditch.cli.main, quidditch.cli.run; "
        "print([m for m in ('grpc', 'google.protobuf', 'aiohttp') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
