"""`quidditch users`: who may send requests to a node, in the file that `http.users_file` names."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quidditch.cli import options
from quidditch.cli.options import Flags, fail, takes

if TYPE_CHECKING:
    from quidditch.rest.users import User

app = typer.Typer(
    help="Who may send requests: names, roles and passwords in the file of users. Running nodes know of a change within a second.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")]


@app.command()
@takes(options.USERS)
def add(
    name: Name,
    flags: Flags,
    role: Annotated[
        str | None,
        typer.Option("--role", help="admin (may all) or read (changes nothing); a new user is an admin if not given."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
    ] = False,
) -> None:
    """Add a user, or give one another password and role; makes the file if there is none."""
    from quidditch.cli.files import rewrite
    from quidditch.rest.users import User, check_name, check_role, dump, hashed

    with _problems():
        file = _file(flags)
        known = _read(file) if file.exists() else {}
        with _of("the argument"):
            check_name(name)
            wanted = check_role(role or (known[name].role if name in known else "admin"))
        with _of("the password"):
            user = User(name, wanted, hashed(_password(name, password_stdin)))
        rewrite(file, dump({**known, name: user}.values()))
    print(f"{file}: user [{name}] with the role {user.role}")


@app.command()
@takes(options.USERS)
def remove(name: Name, flags: Flags) -> None:
    """Remove a user."""
    from quidditch.cli.files import rewrite
    from quidditch.rest.users import dump, without

    with _problems():
        file = _file(flags)
        with _of(str(file)):
            left = without(_read(file), name)
        rewrite(file, dump(left))
    print(f"{file}: no user [{name}] any longer")


@app.command(name="list")
@takes(options.USERS)
def list_users(flags: Flags) -> None:
    """List the users with their roles."""
    with _problems():
        for user in _read(_file(flags)).values():
            print(f"{user.name:20} {user.role}")


def _file(flags: Flags) -> Path:
    from quidditch.cli.config import ConfigError

    file = flags.load()["http.users_file"]
    if not file:
        raise ConfigError("which file? name it by --users-file, or where [http.users_file] is set by --config")
    return Path(file)


def _read(file: Path) -> Mapping[str, User]:
    from quidditch.cli.guard import read_users

    return read_users(str(file))


def _password(name: str, from_stdin: bool) -> str:
    from quidditch.cli.config import ConfigError

    if from_stdin:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        raise ConfigError("the password is asked for at a terminal only; elsewhere --password-stdin reads it")
    return str(typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True))


@contextlib.contextmanager
def _of(what: str) -> Iterator[None]:
    """Says of what a problem is one."""
    from quidditch.cli.config import ConfigError
    from quidditch.rest.users import UsersProblem

    try:
        yield
    except UsersProblem as problem:
        raise ConfigError(f"{what} {problem}") from None


@contextlib.contextmanager
def _problems() -> Iterator[None]:
    """Says what went wrong in one line, and ends with status 1."""
    from quidditch.cli.config import ConfigError

    try:
        yield
    except ConfigError as error:
        raise fail(error) from None
