"""TLS of a section of the configuration (`transport.tls`, `http.tls`): its files checked with errors that name file and setting."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from quidditch.cli.config import Config, ConfigError
from quidditch.cli.renewal import Renewed

Files = Mapping[str, str]
"""PEM files by the name of their setting in the section: `cert`, `key`, and of an authority `ca` or `client_ca`."""
_AUTHORITIES = ("ca", "client_ca")


class RenewedContext(ssl.SSLContext):
    """Gives each new connection the newest context, so that certificates and authorities are exchanged under a server that runs."""

    newest: ssl.SSLContext

    @classmethod
    def of(cls, context: ssl.SSLContext) -> RenewedContext:
        made = cls(context.protocol)
        made.newest = context
        return made

    def renew(self, context: ssl.SSLContext) -> None:
        self.newest = context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """What asyncio's and uvloop's connections begin with."""
        return self.newest.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def named_files(config: Config, section: str, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> Files:
    """The files of TLS; none without TLS. Raises :class:`ConfigError` where one that is needed is not named."""
    enabled = config[f"{section}.enabled"] and config.flag(f"{section}.enabled")
    files = {part: config[f"{section}.{part}"] for part in (*needed, *optional)}
    if enabled is False or (not enabled and not any(files.values())):
        return {}
    for part in needed:
        if not files[part]:
            raise ConfigError(f"[{section}.{part}] is missing: TLS needs {', '.join(needed[:-1])} and {needed[-1]}")
    return {part: file for part, file in files.items() if file}


def renewed_context(kind: int, section: str, files: Files) -> Renewed[ssl.SSLContext]:
    """As :func:`context`, made again when a file changes."""
    return Renewed(files.values(), lambda: context(kind, section, files))


def context(kind: int, section: str, files: Files) -> ssl.SSLContext:
    """One end of TLS 1.2 or later. Where there is an authority, the other end must show a certificate of it; names in that are not
    looked at. Raises :class:`ConfigError`.
    """
    made = ssl.SSLContext(kind)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    for part, file in files.items():
        try:
            Path(file).read_bytes()
        except OSError as error:
            raise ConfigError(f"[{section}.{part}] cannot be read: {file}: {error.strerror}") from None
        if part in _AUTHORITIES:
            _take_certificates(made, section, part, file)
            made.verify_mode = ssl.CERT_REQUIRED
    _take_certificates(ssl.SSLContext(kind), section, "cert", files["cert"])
    _take_key(made, section, files)
    return made


def _take_certificates(into: ssl.SSLContext, section: str, part: str, file: str) -> None:
    try:
        into.load_verify_locations(file)
    except ssl.SSLError:
        raise ConfigError(f"[{section}.{part}] {file} holds no certificate in PEM") from None


def _take_key(into: ssl.SSLContext, section: str, files: Files) -> None:
    try:
        # An encrypted key would have its password asked for at the terminal.
        into.load_cert_chain(files["cert"], files["key"], password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            problem = f"is not the key of the certificate {files['cert']}"
        else:
            problem = "is no private key in PEM without a password"
        raise ConfigError(f"[{section}.key] {files['key']} {problem}") from None
