"""The options that commands share: one table says how each is called, which setting it is, and what it means."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quidditch.cli.access import Access

if TYPE_CHECKING:
    from quidditch.cli.config import Config


@dataclass(frozen=True)
class Option:
    """An option that gives a setting its value. A `switch` takes none: it sets `true`."""

    name: str
    setting: str
    meaning: str
    switch: bool = False

    @property
    def parameter(self) -> str:
        return self.name.removeprefix("--").replace("-", "_")

    @property
    def type(self) -> Any:
        declared = typer.Option(self.name, help=f"{self.meaning} ({self.setting}).")
        return Annotated[bool, declared] if self.switch else Annotated[str | None, declared]


DATA_DIR = Option("--data-dir", "path.data", "Folder of all data")
NODE = (
    DATA_DIR,
    Option("--http-host", "http.host", "Address to listen on"),
    Option("--http-port", "http.port", "Port or range of ports"),
)
MEMBER = (
    *NODE,
    Option("--name", "node.name", "Name of the node"),
    Option("--transport-port", "transport.port", "Port for other nodes"),
    Option("--seed-hosts", "discovery.seed_hosts", "Masters to ask first, host:port,…"),
)
MASTER = (
    *MEMBER,
    Option("--peers", "raft.peers", "First masters of a new cluster, name=host:etcd-port,…"),
    Option("--join", "raft.join", "Etcd of the running masters to be added to, host:client-port,…"),
    Option("--await-restore", "raft.await_restore", "Found no cluster: wait for `state restore`", switch=True),
)
KUBERNETES = (
    Option("--kubeconfig", "kubernetes.kubeconfig", "How to reach the API server"),
    Option("--context", "kubernetes.context", "Which context of it"),
    Option("--namespace", "kubernetes.namespace", "Where the cluster's objects are"),
)
OPERATOR = (*MEMBER, *KUBERNETES)
USERS = (Option("--users-file", "http.users_file", "The file of users"),)
STATE = (
    DATA_DIR,
    Option("--endpoints", "raft.endpoints", "The masters' etcd, host:client-port,…"),
    Option("--cluster-name", "cluster.name", "Whose state in etcd"),
    Option("--ca", "raft.tls.ca", "Authority of etcd's certificates"),
    Option("--cert", "raft.tls.cert", "Own certificate for etcd"),
    Option("--key", "raft.tls.key", "Key of that certificate"),
    *KUBERNETES,
)

_FILE = Annotated[Path | None, typer.Option("--config", help="Configuration in YAML.")]
_SETS = Annotated[list[str] | None, typer.Option("--set", "-E", metavar="NAME=VALUE", help="Any other setting.")]

_ACCESS: dict[str, Any] = {
    name: Annotated[str, typer.Option(f"--{name}", envvar=f"QUIDDITCH_{name.upper()}", help=meaning)]
    for name, meaning in (
        ("user", "Name of the user, where the node has users."),
        ("password", "That user's password, best given in the environment; asked for if it is missing."),
        ("cacert", "Authority of the node's certificate where that is none of the system's, a PEM file."),
        ("cert", "Own certificate, where the node asks for one, a PEM file."),
        ("key", "Key of that certificate, a PEM file."),
    )
}
_Decorator = Callable[[Callable[..., None]], Callable[..., None]]


@dataclass(frozen=True)
class Flags:
    """What the command line says of the configuration: a file, and settings by name (None: not given)."""

    file: Path | None = None
    settings: dict[str, str | None] = field(default_factory=dict)

    def also(self, settings: dict[str, str]) -> Flags:
        """With settings that the command itself decides."""
        return Flags(self.file, {**self.settings, **settings})

    def load(self) -> Config:
        """The configuration. Raises :class:`ConfigError`."""
        from quidditch.cli.config import load

        return load(self.file, os.environ, self.settings)


def takes(options: Sequence[Option]) -> _Decorator:
    """Gives a command these options, `--config` and `--set`; it gets them as its argument `flags`."""
    shared = [
        *(_parameter(option.parameter, option.type, False if option.switch else None) for option in options),
        _parameter("config", _FILE, None),
        _parameter("sets", _SETS, None),
    ]
    return lambda command: _extended(command, "flags", shared, lambda given: _flags(options, given))


def reaches(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options of who asks a node by HTTP; it gets them as its argument `access`."""
    return _extended(command, "access", [_parameter(name, type, "") for name, type in _ACCESS.items()], _access)


def _extended(
    command: Callable[..., None],
    argument: str,
    shared: Sequence[inspect.Parameter],
    made: Callable[[dict[str, Any]], Any],
) -> Callable[..., None]:
    """The command with shared options, of which one argument is made. `made` takes them out of what is given."""

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        value = made(given)
        command(**{argument: value}, **given)

    own = inspect.signature(command, eval_str=True).parameters.values()
    first = [parameter for parameter in own if parameter.default is parameter.empty and parameter.name != argument]
    last = [parameter for parameter in own if parameter.default is not parameter.empty]
    parameters = [parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in (*first, *shared, *last)]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return with_options


def _access(given: dict[str, Any]) -> Access:
    """Takes what the options say of who asks out of `given`; a password that is missing is asked for at a terminal."""
    from quidditch.cli.config import ConfigError

    said = {name: str(given.pop(name)) for name in _ACCESS}
    if said["user"] and not said["password"] and sys.stdin.isatty():
        said["password"] = typer.prompt(f"password of {said['user']}", hide_input=True)
    access = Access(**said)
    try:
        if said["cacert"] or said["cert"]:
            assert access.tls
    except ConfigError as error:
        raise fail(error) from None
    return access


def _parameter(name: str, type: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=type)


def _flags(options: Sequence[Option], given: dict[str, Any]) -> Flags:
    """Takes what the options say out of `given`. An option comes before `--set` of the same setting."""
    settings: dict[str, str | None] = {}
    file = given.pop("config")
    for text in given.pop("sets") or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise fail(f"--set takes NAME=VALUE, not [{text}]")
        settings[name] = value
    for option in options:
        value = given.pop(option.parameter)
        if option.switch:
            value = "true" if value else None
        if value is not None or option.setting not in settings:
            settings[option.setting] = value
    return Flags(file, settings)


def fail(problem: object) -> typer.Exit:
    """Says in one line what went wrong; the exit to raise."""
    print(f"quidditch: {problem}", file=sys.stderr)
    return typer.Exit(1)
