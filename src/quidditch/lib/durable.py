"""Small files that are whole or not there, and renames that last."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def keep_file(file: Path, content: Mapping[str, object]) -> None:
    """Writes a small JSON file, whole or not at all; durable on return."""
    temporary = file.with_suffix(".tmp")
    with temporary.open("w") as out:
        json.dump(content, out)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
    sync_folder(file.parent)


def sync_folder(path: Path) -> None:
    """Makes renames in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
