"""Files that commands write."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from quidditch.cli.config import ConfigError
from quidditch.lib.durable import sync_folder


def write_private(file: Path, data: bytes) -> None:
    """Writes a file whole or not at all, for its owner only. Raises :class:`ConfigError`."""
    _write(file, data, 0o600, None)


def rewrite(file: Path, data: bytes) -> None:
    """As :func:`write_private`, but who owned and could read the file before can do so afterwards. Raises :class:`ConfigError`."""
    target = file.resolve()
    try:
        before = target.stat()
    except OSError:
        write_private(target, data)
    else:
        _write(target, data, before.st_mode & 0o777, (before.st_uid, before.st_gid))


def _write(file: Path, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(data)
            out.flush()
            if owner is not None:
                with contextlib.suppress(PermissionError):  # only root gives files away
                    os.fchown(out.fileno(), *owner)
                os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        temporary.replace(file)
        sync_folder(file.absolute().parent)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from None
