"""Who this client is to the API server: tokens, also ones that rotate in a file, passwords, and plugins that are run for a credential.

A client certificate is the business of :mod:`quidditch.lib.kube.tls`; a plugin may answer one too.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from quidditch.lib.kube.errors import ConfigError

_FILE_SECONDS = 60.0
"""How long a token from a file is used before the file is looked at again; the kubelet renews it long before it is over."""
_PLUGIN_SECONDS = 60.0
"""How long a plugin is waited for."""
_EARLY_SECONDS = 10.0
"""So long before it is over a credential counts as over."""
_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Credential(msgspec.Struct, frozen=True):
    """What a request carries: the value of its `Authorization` header, and a certificate with its key (PEM)."""

    authorization: str = ""
    certificate: bytes = b""
    key: bytes = b""

    def __repr__(self) -> str:
        return "Credential(...)"


class Credentials(Protocol):
    async def get(self) -> Credential:
        """The credential for the next request. Raises :class:`ConfigError`."""

    def refused(self) -> bool:
        """The server did not accept it (401). Answers whether the next :meth:`get` may give another."""


class Fixed:
    """One credential for good."""

    def __init__(self, credential: Credential) -> None:
        self._credential = credential

    @classmethod
    def token(cls, token: str) -> Fixed:
        return cls(bearer(token))

    @classmethod
    def password(cls, user: str, password: str) -> Fixed:
        return cls(Credential("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()))

    async def get(self) -> Credential:
        return self._credential

    def refused(self) -> bool:
        return False


class TokenFile:
    """A token that somebody else renews in its file. `clock` gives seconds, forward only."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._known: Credential | None = None
        self._until = 0.0

    async def get(self) -> Credential:
        now = self._clock()
        if self._known is None or now >= self._until:
            self._known, self._until = self._read(), now + _FILE_SECONDS
        return self._known

    def refused(self) -> bool:
        self._until = 0.0
        return True

    def _read(self) -> Credential:
        try:
            token = self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            if self._known is not None:  # it may be exchanged right now
                return self._known
            raise ConfigError(f"token file {self._path}: {error}") from None
        if not token:
            raise ConfigError(f"token file {self._path} is empty")
        return bearer(token)


class EnvVar(msgspec.Struct, frozen=True):
    name: str
    value: str


class Plugin(msgspec.Struct, frozen=True, rename="camel"):
    """`user.exec` of a kubeconfig: a command that prints an ExecCredential."""

    command: str
    api_version: str
    args: tuple[str, ...] | None = None
    env: tuple[EnvVar, ...] | None = None
    install_hint: str = ""
    provide_cluster_info: bool = False
    interactive_mode: str = "IfAvailable"


class _ExecStatus(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: str = ""


class _ExecCredential(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    kind: str
    status: _ExecStatus | None = None


class Exec:
    """Runs a plugin when there is no credential yet, when it is over, and after the server refused it.

    `cluster` is what a plugin with `provideClusterInfo` is told; `folder` is where a relative command starts from; `now` is the time in
    seconds since 1970.
    """

    def __init__(
        self,
        plugin: Plugin,
        cluster: Mapping[str, Any],
        folder: Path,
        environ: Mapping[str, str] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        if plugin.api_version not in _VERSIONS:
            raise ConfigError(
                f"exec [{plugin.command}]: apiVersion [{plugin.api_version}] is none of {list(_VERSIONS)}"
            )
        if plugin.interactive_mode == "Always":
            raise ConfigError(f"exec [{plugin.command}] wants to ask at a terminal (interactiveMode: Always)")
        self._plugin = plugin
        self._cluster = cluster
        self._folder = folder
        self._environ = os.environ if environ is None else environ
        self._now = now
        self._lock = asyncio.Lock()
        self._known: Credential | None = None
        self._until: float | None = None

    async def get(self) -> Credential:
        async with self._lock:
            if self._known is None or (self._until is not None and self._now() >= self._until):
                self._known, self._until = self._parsed(await self._run())
            return self._known

    def refused(self) -> bool:
        self._known = None
        return True

    async def _run(self) -> bytes:
        plugin = self._plugin
        command = plugin.command
        if os.sep in command and not os.path.isabs(command):
            command = str(self._folder / command)
        try:
            process = await asyncio.create_subprocess_exec(
                command,
                *(plugin.args or ()),
                env=self._environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            hint = f"; {plugin.install_hint.strip()}" if plugin.install_hint else ""
            raise ConfigError(f"exec [{plugin.command}] cannot be run: {error.strerror}{hint}") from None
        try:
            async with asyncio.timeout(_PLUGIN_SECONDS):
                output, problem = await process.communicate()
        except BaseException as error:
            process.kill()
            await process.wait()
            if isinstance(error, TimeoutError):
                raise ConfigError(f"exec [{plugin.command}] did not end within {_PLUGIN_SECONDS:g} s") from None
            raise
        if process.returncode != 0:
            said = problem.decode(errors="replace").strip()[-500:]
            raise ConfigError(f"exec [{plugin.command}] ended with {process.returncode}: {said}")
        return output

    def _environment(self) -> dict[str, str]:
        plugin = self._plugin
        spec: dict[str, Any] = {"interactive": False}
        if plugin.provide_cluster_info:
            spec["cluster"] = dict(self._cluster)
        info = json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})
        own = {each.name: each.value for each in plugin.env or ()}
        return {**self._environ, **own, "KUBERNETES_EXEC_INFO": info}

    def _parsed(self, output: bytes) -> tuple[Credential, float | None]:
        command = self._plugin.command
        try:
            answer = msgspec.json.decode(output, type=_ExecCredential)
        except msgspec.DecodeError as error:
            raise ConfigError(f"exec [{command}] printed no ExecCredential: {error}") from None
        if answer.kind != "ExecCredential" or answer.api_version != self._plugin.api_version:
            raise ConfigError(
                f"exec [{command}] printed {answer.kind} of {answer.api_version}, "
                f"expected ExecCredential of {self._plugin.api_version}"
            )
        status = answer.status or _ExecStatus()
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise ConfigError(f"exec [{command}]: clientCertificateData and clientKeyData go together")
        if not status.token and not status.client_certificate_data:
            raise ConfigError(f"exec [{command}] printed neither a token nor a certificate")
        credential = Credential(
            bearer(status.token).authorization if status.token else "",
            status.client_certificate_data.encode(),
            status.client_key_data.encode(),
        )
        return credential, self._end(status.expiration_timestamp)

    def _end(self, stamp: str) -> float | None:
        if not stamp:
            return None
        try:
            end = datetime.fromisoformat(stamp)
        except ValueError:
            raise ConfigError(f"exec [{self._plugin.command}]: expirationTimestamp [{stamp}] is no time") from None
        return end.timestamp() - _EARLY_SECONDS


def bearer(token: str) -> Credential:
    return Credential(f"Bearer {token}")
