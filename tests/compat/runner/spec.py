"""The API specification (rest-api-spec/api/*.json): from a call's name and arguments to method, path and body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

COMMON_PARAMS = {"pretty", "human", "error_trace", "source", "filter_path", "format"}


class SpecError(Exception):
    """The call does not fit the specification; what the suite calls `catch: param`."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: Any
    bulk: bool


@dataclass(frozen=True)
class _Path:
    template: str
    methods: tuple[str, ...]
    parts: frozenset[str]


class Api:
    def __init__(self, name: str, spec: dict[str, Any]) -> None:
        self.name = name
        self.params = set(spec.get("params", {})) | COMMON_PARAMS
        body = spec.get("body") or {}
        self.bulk = body.get("serialize") == "bulk"
        self.body_required = bool(body.get("required"))
        self.paths = [
            _Path(path["path"], tuple(path["methods"]), frozenset(path.get("parts", {})))
            for path in spec["url"]["paths"]
        ]
        self.parts = frozenset().union(*(path.parts for path in self.paths))

    def request(self, args: dict[str, Any]) -> Request:
        args = dict(args)
        has_body = "body" in args
        body = args.pop("body", None)
        given = {key: value for key, value in args.items() if key in self.parts}
        candidates = [path for path in self.paths if path.parts <= set(given)]
        if not candidates:
            raise SpecError(f"[{self.name}] misses path parts, got {sorted(args)}")
        if self.body_required and not has_body:
            raise SpecError(f"[{self.name}] needs a body")
        path = max(candidates, key=lambda candidate: len(candidate.parts))
        query = {key: value for key, value in args.items() if key not in path.parts}
        text = path.template
        for part in path.parts:
            text = text.replace("{" + part + "}", quote(_text(given[part]), safe=",*"))
        if query:
            text += "?" + urlencode({key: _text(value) for key, value in query.items()})
        return Request(_method(path.methods, has_body), text, body, self.bulk)


def _method(methods: tuple[str, ...], has_body: bool) -> str:
    if has_body and methods[0] in ("GET", "HEAD"):
        return next((method for method in methods if method not in ("GET", "HEAD")), methods[0])
    if not has_body and "GET" in methods and methods[0] == "POST":
        return "GET"
    if "PUT" in methods and methods[0] == "POST" and has_body:
        return "PUT"
    return methods[0]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value)


def load(folder: Path) -> dict[str, Api]:
    """Every API of the specification by its name (`indices.create`)."""
    apis = {}
    for file in sorted(folder.glob("*.json")):
        for name, spec in json.loads(file.read_text()).items():
            if isinstance(spec, dict) and isinstance(spec.get("url"), dict) and not name.startswith("_"):
                apis[name] = Api(name, spec)
    return apis
