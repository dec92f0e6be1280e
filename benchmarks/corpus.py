"""Real text: Debian's package list (`apt-cache dumpavail`) where there is one, else the documentation of this Python."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from quidditch.cli import demo

MAPPINGS: dict[str, Any] = {
    "properties": {
        "name": {"type": "keyword"},
        "title": {"type": "text"},
        "body": {"type": "text"},
        "section": {"type": "keyword"},
        "depends": {"type": "keyword"},
        "size": {"type": "long"},
        "maintainer": {"type": "keyword"},
        "released": {"type": "date"},
    }
}


@dataclass(frozen=True)
class Corpus:
    name: str
    documents: list[dict[str, Any]]

    def bodies(self, index: str, per_bulk: int = 500) -> list[bytes]:
        """Bulk bodies of `per_bulk` documents, ids left to the engine."""
        action = json.dumps({"index": {"_index": index}})
        lines = [f"{action}\n{json.dumps(document)}\n" for document in self.documents]
        return ["".join(lines[at : at + per_bulk]).encode() for at in range(0, len(lines), per_bulk)]


def load(limit: int) -> Corpus:
    """At most `limit` documents; repeated with another name if the list is shorter."""
    found = list(_packages()) if shutil.which("apt-cache") else []
    name = "Debian's package list"
    if len(found) < 1000:
        found, name = list(_python_documentation()), "the documentation of this Python"
    documents = [found[number % len(found)] for number in range(limit)]
    return Corpus(f"{name}, {limit:,} documents", documents)


def _packages() -> Iterator[dict[str, Any]]:
    listed = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, text=True, errors="replace", check=False)
    for stanza in listed.stdout.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" "))
        if "Package" in fields:
            yield _package(fields, stanza)


def _package(fields: dict[str, str], stanza: str) -> dict[str, Any]:
    depends = [part.split("(")[0].split("|")[0].strip() for part in fields.get("Depends", "").split(",")]
    return {
        "name": fields["Package"],
        "title": fields.get("Description", ""),
        "body": stanza,
        "section": fields.get("Section", "none"),
        "depends": sorted(set(filter(None, depends))),
        "size": int(fields.get("Size", 0)),
        "maintainer": fields.get("Maintainer", ""),
        "released": _date(fields["Package"]),
    }


def _python_documentation() -> Iterator[dict[str, Any]]:
    for file in demo.sources():
        for name, entry in demo.documents(file):
            text = entry["doc"]
            yield {
                "name": name,
                "title": text.split("\n", 1)[0],
                "body": text,
                "section": entry["kind"],
                "depends": [entry["module"]],
                "size": entry["length"],
                "maintainer": entry["package"],
                "released": _date(name),
            }


def _date(name: str) -> str:
    """A date that depends on the name only: the list has none."""
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    year, month, day, hour = 10 + number % 15, 1 + number // 16 % 12, 1 + number // 256 % 28, number // 8192 % 24
    return f"20{year:02}-{month:02}-{day:02}T{hour:02}:00:00Z"
