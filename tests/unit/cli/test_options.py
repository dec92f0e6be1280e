"""Options of commands: each sets what its name says, once, and `--set` the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from quidditch.cli import options
from quidditch.cli.options import Flags, takes


def parsed(*args: str) -> tuple[Flags, str, bool]:
    """What a command with all kinds of parameters gets."""
    app = typer.Typer()
    seen: list[tuple[Flags, str, bool]] = []

    @app.command()
    @takes(options.MASTER)
    def command(file: str, flags: Flags, again: bool = False) -> None:
        """Does something."""
        seen.append((flags, file, again))

    result = CliRunner().invoke(app, ["in.txt", *args])
    if not seen:
        raise ValueError(result.output)
    return seen[0]


def test_options_are_settings() -> None:
    flags, file, again = parsed("--name", "a", "--await-restore", "--config", "q.yml", "--again")
    assert (file, again, flags.file) == ("in.txt", True, Path("q.yml"))
    given = {name: value for name, value in flags.settings.items() if value is not None}
    assert given == {"node.name": "a", "raft.await_restore": "true"}


def test_set_gives_any_setting_and_options_come_before_it() -> None:
    flags, *_ = parsed("--set", "path.data=x", "-E", "node.name=b", "--name", "a", "-E", "a.b=c=d")
    given = {name: value for name, value in flags.settings.items() if value is not None}
    assert given == {"path.data": "x", "node.name": "a", "a.b": "c=d"}


def test_a_set_without_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match="--set takes NAME=VALUE"):
        parsed("--set", "x")


@pytest.mark.parametrize("group", [options.NODE, options.MEMBER, options.MASTER, options.STATE])
def test_every_option_is_a_setting_that_there_is(group: tuple[options.Option, ...]) -> None:
    from quidditch.cli.config import SETTINGS

    assert {option.setting for option in group} <= set(SETTINGS)
    assert len({option.parameter for option in group}) == len(group)
