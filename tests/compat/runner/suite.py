"""Test files to tests, tests to outcomes, and the cleaning in between."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compat.runner.client import Client
from tests.compat.runner.spec import Api
from tests.compat.runner.steps import Context
from tests.compat.runner.values import StepFailed
from tests.compat.runner.yaml12 import load_all

#: What the runner can do of the suite's optional features.
FEATURES = {
    "allowed_warnings", "arbitrary_key", "contains", "headers", "node_selector", "regex", "stash_in_key",
    "stash_in_path", "transform_and_set", "warnings", "yaml", "embedded_stash_key", "default_shards",
}  # fmt: skip


@dataclass(frozen=True)
class Test:
    family: str
    file: str
    name: str
    steps: list[dict[str, Any]]
    setup: list[dict[str, Any]] = field(default_factory=list)
    teardown: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return f"{self.family}/{self.file}/{self.name}"


@dataclass(frozen=True)
class Outcome:
    test: Test
    state: str
    """passed, failed or skipped"""
    reason: str = ""


def collect(folder: Path, families: list[str] | None = None, pattern: str | None = None) -> Iterator[Test]:
    for file in sorted(folder.rglob("*.yml")):
        family = str(file.parent.relative_to(folder))
        if families and family not in families:
            continue
        sections: dict[str, list[dict[str, Any]]] = {}
        for document in load_all(file.read_text()):
            sections.update(document or {})
        setup, teardown = sections.pop("setup", []) or [], sections.pop("teardown", []) or []
        for name, steps in sections.items():
            test = Test(family, file.stem, str(name), steps or [], setup, teardown)
            if pattern is None or re.search(pattern, test.id):
                yield test


def read_skips(file: Path) -> dict[str, str]:
    """Tests that are not run, with the reason: lines `id  # reason`."""
    skips = {}
    for line in file.read_text().splitlines():
        id, _, reason = line.partition("  # ")
        if id.strip() and not id.startswith("#"):
            skips[id.strip()] = reason.strip()
    return skips


def run(
    test: Test, apis: dict[str, Api], client: Client, version: tuple[int, ...], skips: Mapping[str, str]
) -> Outcome:
    """One test on a clean node; what it leaves is wiped by the next :func:`wipe`."""
    reason = skips.get(test.id) or _skip_reason(test.setup, version) or _skip_reason(test.steps, version)
    if reason:
        return Outcome(test, "skipped", reason)
    context = Context(apis, client)
    try:
        for step in [*test.setup, *test.steps]:
            context.run(step)
    except StepFailed as problem:
        return Outcome(test, "failed", str(problem))
    except (OSError, ValueError, re.error) as problem:
        return Outcome(test, "failed", f"{type(problem).__name__}: {problem}")
    finally:
        for step in test.teardown:
            try:
                context.run(step)
            except (StepFailed, OSError, ValueError):
                pass
    return Outcome(test, "passed")


def _skip_reason(steps: list[dict[str, Any]], version: tuple[int, ...]) -> str:
    for step in steps:
        skip = step.get("skip") if isinstance(step, dict) else None
        if not skip:
            continue
        if "version" in skip and _in_ranges(str(skip["version"]), version):
            return f"not for this version: {skip.get('reason', skip['version'])}"
        features = skip.get("features", [])
        missing = set([features] if isinstance(features, str) else features) - FEATURES
        if missing:
            return f"needs the runner features {sorted(missing)}"
    return ""


def _in_ranges(text: str, version: tuple[int, ...]) -> bool:
    if text.strip() == "all":
        return True
    for span in text.split(","):
        low, _, high = span.partition("-")
        if (not low.strip() or _parse(low) <= version) and (not high.strip() or version <= _parse(high)):
            return True
    return False


def _parse(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def wipe(client: Client) -> None:
    """Leaves nothing of the test before: indices, data streams, templates, pipelines, settings, snapshots."""
    client.raw("DELETE", "/_data_stream/*?expand_wildcards=all")
    client.raw("DELETE", "/*?expand_wildcards=open,closed,hidden&ignore_unavailable=true")
    for path in ("_index_template", "_component_template"):
        listed = client.raw("GET", f"/{path}").body
        if isinstance(listed, dict):
            for item in listed.get(path.strip("_") + "s", []):
                client.raw("DELETE", f"/{path}/{item['name']}")
    client.raw("DELETE", "/_template/*")
    _wipe_snapshots(client)
    client.raw("DELETE", "/_search/pipeline/*")
    client.raw("DELETE", "/_ingest/pipeline/*")
    client.raw("DELETE", "/_search/scroll/_all")
    settings = client.raw("GET", "/_cluster/settings?flat_settings=true").body
    if isinstance(settings, dict) and any(settings.get(kind) for kind in ("persistent", "transient")):
        body = b'{"persistent": {"*": null}, "transient": {"*": null}}'
        client.raw("PUT", "/_cluster/settings", body, {"Content-Type": "application/json"})


def _wipe_snapshots(client: Client) -> None:
    repositories = client.raw("GET", "/_snapshot").body
    if not isinstance(repositories, dict) or "error" in repositories:
        return
    for name in repositories:
        client.raw("DELETE", f"/_snapshot/{name}/*")
        client.raw("DELETE", f"/_snapshot/{name}")
