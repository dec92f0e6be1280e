"""Images are local commands: a table from an image's name to what its entry point and command would be."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Image:
    """What `ENTRYPOINT`, `CMD`, `ENV` and `USER` of a Dockerfile say."""

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int = 0


def repository(reference: str) -> str:
    """The name of an image without registry, folder, tag and digest: `ghcr.io/x/quidditch:1.0` is `quidditch`."""
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]


def table(extra: Path | None = None) -> dict[str, Image]:
    """The images that are there: of Python's own environment, of this machine, and what a YAML file adds as
    `name: {entrypoint: [...], command: [...], environment: {...}, user: 0}`."""
    scripts = str(Path(sys.executable).parent)
    path = {"PATH": f"{scripts}:{os.environ.get('PATH', os.defpath)}"}
    shell = shutil.which("sh") or "/bin/sh"
    images = {
        "quidditch": Image((str(Path(scripts) / "quidditch"),), (), path, 65532),
        "python": Image((), (sys.executable,), path),
        "busybox": Image((), (shell,), path),
    }
    if extra is not None:
        loaded: dict[str, Any] = yaml.safe_load(extra.read_text()) or {}
        for name, body in loaded.items():
            environment = path | body.get("environment", {})
            images[name] = Image(
                tuple(body.get("entrypoint", ())), tuple(body.get("command", ())), environment, body.get("user", 0)
            )
    return images
