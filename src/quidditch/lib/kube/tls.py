"""The TLS side of a configuration: whom to trust, and the client's own certificate; renewed when the files change."""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from quidditch.lib.kube.credentials import Credential
from quidditch.lib.kube.errors import ConfigError

Pem: TypeAlias = Path | bytes
"""A file, or what stands in one."""
_LOOK_SECONDS = 10.0


class Tls(msgspec.Struct, frozen=True):
    """`ca` signed the server's certificate (None: the system's authorities). `server_name` is the name in it, if not the host's."""

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None
    insecure: bool = False
    server_name: str = ""

    def __repr__(self) -> str:
        return f"Tls(insecure={self.insecure}, server_name={self.server_name!r})"


class Contexts:
    """The context for the next connection; another object when files or the credential's certificate have changed.

    `clock` gives seconds, forward only. Files are looked at every ten seconds at most.
    """

    def __init__(self, tls: Tls, clock: Callable[[], float] = time.monotonic) -> None:
        self._tls = tls
        self._clock = clock
        self._context: ssl.SSLContext | None = None
        self._own: tuple[bytes, bytes] = (b"", b"")
        self._seen: tuple[object, ...] = ()
        self._looked = 0.0

    def get(self, credential: Credential) -> ssl.SSLContext:
        """Raises :class:`ConfigError`."""
        own = (credential.certificate, credential.key)
        known = self._context if own == self._own else None
        now = self._clock()
        if known is not None and now - self._looked < _LOOK_SECONDS:
            return known
        self._looked, seen = now, self._files()
        if known is not None and seen == self._seen:
            return known
        try:
            made = self._made(*own)
        except (OSError, ssl.SSLError) as error:
            if known is not None:  # half exchanged: the next look sees it whole
                return known
            raise ConfigError(f"certificates for the API server cannot be used: {error}") from None
        self._context, self._own, self._seen = made, own, seen
        return made

    def _made(self, certificate: bytes, key: bytes) -> ssl.SSLContext:
        tls = self._tls
        if tls.ca is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            # Python takes ASCII only; remarks between the certificates may be more.
            context.load_verify_locations(cadata=content(tls.ca).decode("ascii", "ignore"))
        else:
            context = ssl.create_default_context()
            # Set from Python 3.13 on; the authorities of many clusters lack what it asks for (an authority key identifier).
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if tls.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate:
            _load_pair(context, certificate, key)
        elif tls.certificate is not None and tls.key is not None:
            _load_pair(context, content(tls.certificate), content(tls.key))
        return context

    def _files(self) -> tuple[object, ...]:
        """What tells whether the files are still the same."""
        return tuple(_mark(pem) for pem in (self._tls.ca, self._tls.certificate, self._tls.key))


def content(pem: Pem) -> bytes:
    return pem.read_bytes() if isinstance(pem, Path) else pem


def _mark(pem: Pem | None) -> object:
    if not isinstance(pem, Path):
        return None
    try:
        stat = pem.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Python's ssl takes only files: one that is only ours and is gone at once."""
    descriptor, name = tempfile.mkstemp(prefix="quidditch-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        # Without a password OpenSSL would ask for one at the terminal.
        context.load_cert_chain(name, password=_no_password)
    finally:
        os.unlink(name)


def _no_password() -> str:
    raise OSError("the key is encrypted, which is not supported")
