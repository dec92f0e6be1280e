"""What guards the HTTP interface: TLS and users, as configured and as their files are now."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quidditch.cli.config import Config, ConfigError
from quidditch.cli.renewal import Renewed
from quidditch.cli.tls import Files, RenewedContext, named_files, renewed_context
from quidditch.rest.logins import Logins
from quidditch.rest.users import User, UsersProblem, parse

SECTION = "http.tls"
USERS_FILE = "http.users_file"


@dataclass(slots=True)
class Guard:
    """TLS and users of a node, each where it is configured; watched between :meth:`start` and :meth:`stop`."""

    tls: Renewed[ssl.SSLContext] | None
    users: Renewed[Mapping[str, User]] | None
    context: RenewedContext | None = None
    logins: Logins | None = None

    @property
    def scheme(self) -> str:
        return "http" if self.tls is None else "https"

    def start(self) -> None:
        if self.tls is not None:
            self.context = made = RenewedContext.of(self.tls.value)
            self.tls.use = made.renew
            self.tls.start()
        if self.users is not None:
            self.logins = logins = Logins(self.users.value)
            self.users.use = logins.replace
            self.users.start()

    async def stop(self) -> None:
        for watched in (self.tls, self.users):
            if watched is not None:
                await watched.stop()
        if self.logins is not None:
            self.logins.close()


def guard(config: Config) -> Guard:
    """Reads the files. Raises :class:`ConfigError`."""
    files, users_file = tls_files(config), config[USERS_FILE]
    tls = renewed_context(ssl.PROTOCOL_TLS_SERVER, SECTION, files) if files else None
    users: Renewed[Mapping[str, User]] | None = None
    if users_file:
        users = Renewed([users_file], lambda: read_users(users_file))
    if users is not None and not users.value:
        raise ConfigError(f"[{USERS_FILE}] {users_file} holds no user; `quidditch users add NAME` adds one")
    return Guard(tls, users)


def tls_files(config: Config) -> Files:
    """The files of TLS for requests, none without it. Raises :class:`ConfigError`."""
    return named_files(config, SECTION, ("cert", "key"), ("client_ca",))


def missing(config: Config) -> list[str]:
    """The settings without which other machines may not reach the HTTP interface, as a message lists them."""
    needed = (f"{SECTION}.cert", f"{SECTION}.key", USERS_FILE)
    off = [f"[{SECTION}.enabled] (it is false)"] if config[f"{SECTION}.enabled"] == "false" else []
    return [*off, *(f"[{name}]" for name in needed if not config[name])]


def read_users(file: str) -> dict[str, User]:
    """The users of a file. Raises :class:`ConfigError`."""
    try:
        users = parse(Path(file).read_bytes())
    except OSError as error:
        hint = "; `quidditch users add NAME` makes it" if isinstance(error, FileNotFoundError) else ""
        raise ConfigError(f"[{USERS_FILE}] cannot be read: {file}: {error.strerror}{hint}") from None
    except UsersProblem as problem:
        raise ConfigError(f"[{USERS_FILE}] {file} {problem}") from None
    return users
