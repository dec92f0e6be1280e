"""`quidditch users`: what it writes, what it refuses, and what it prints."""

from __future__ import annotations

import stat
from pathlib import Path

from typer.testing import CliRunner

from quidditch.cli.main import app
from quidditch.rest.users import matches, parse


def call(file: Path, *arguments: str, password: str | None = None) -> tuple[int, str]:
    more = ["--password-stdin"] if password is not None else []
    result = CliRunner().invoke(app, ["users", *arguments, *more, "--users-file", str(file)], input=password)
    return result.exit_code, result.output


def test_add_list_change_and_remove(tmp_path: Path) -> None:
    file = tmp_path / "users.yml"
    assert call(file, "add", "root", password="first secret\n")[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert call(file, "add", "reader", "--role", "read", password="second secret")[0] == 0
    file.chmod(0o640)
    assert call(file, "add", "reader", password="third secret\r\n")[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    users = parse(file.read_bytes())
    assert {name: user.role for name, user in users.items()} == {"root": "admin", "reader": "read"}
    assert matches(b"first secret", users["root"].hash)
    assert [matches(word, users["reader"].hash) for word in (b"second secret", b"third secret")] == [False, True]
    assert call(file, "list") == (0, f"{'root':20} admin\n{'reader':20} read\n")
    assert call(file, "remove", "root")[0] == 0
    assert list(parse(file.read_bytes())) == ["reader"]
    assert list(tmp_path.iterdir()) == [file]


def test_what_is_refused_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "users.yml"
    for arguments, password, problem in (
        (("list",), None, "No such file or directory; `quidditch users add NAME` makes it"),
        (("remove", "root"), None, "No such file"),
        (("add", "a:b"), "long enough", "no [:]"),
        (("add", "root", "--role", "king"), "long enough", "unknown role [king]; there are admin and read"),
        (("add", "root"), "short", "the password has less than 8 characters"),
        (("add", "root"), None, "--password-stdin"),
    ):
        code, output = call(file, *arguments, password=password)
        assert (code, problem in output) == (1, True), output
        assert output.count("\n") == 1
    assert not file.exists()
    file.write_text("version: 2\nusers: {}\n")
    assert call(file, "add", "root", password="long enough")[1].startswith(
        f"quidditch: [http.users_file] {file} has version"
    )
    assert file.read_text() == "version: 2\nusers: {}\n"
    code, output = call(tmp_path / "no" / "folder", "add", "root", password="long enough")
    assert (code, "cannot be written: No such file or directory" in output) == (1, True)


def test_the_file_is_the_one_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "quidditch.yml"
    config.write_text(f"http.users_file: {tmp_path / 'mine.yml'}\n")
    arguments = ["users", "add", "root", "--password-stdin"]
    assert CliRunner().invoke(app, [*arguments, "--config", str(config)], input="long enough").exit_code == 0
    assert (tmp_path / "mine.yml").exists()
    without = CliRunner().invoke(app, arguments, input="long enough")
    assert (without.exit_code, "--users-file" in without.output) == (1, True)
