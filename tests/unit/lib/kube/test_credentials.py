"""Tokens that rotate, and plugins that are run for a credential."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quidditch.lib.clock import ManualClock
from quidditch.lib.kube.credentials import EnvVar, Exec, Fixed, Plugin, TokenFile
from quidditch.lib.kube.errors import ConfigError

V1 = "client.authentication.k8s.io/v1"


def test_a_token_file_is_read_again_after_a_while_and_when_refused(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "token"
    tokens = TokenFile(path, clock.monotonic)

    async def token() -> str:
        return (await tokens.get()).authorization

    async def main() -> None:
        with pytest.raises(ConfigError, match="token"):
            await token()
        path.write_text(" one\n")
        assert await token() == "Bearer one"
        path.write_text("two")
        assert await token() == "Bearer one"
        clock.advance(61)
        assert await token() == "Bearer two"
        path.write_text("three")
        assert tokens.refused()
        assert await token() == "Bearer three"
        path.unlink()
        clock.advance(61)
        assert await token() == "Bearer three"

    asyncio.run(main())


def test_a_password_is_basic_authentication() -> None:
    fixed = Fixed.password("user", "päss")
    assert asyncio.run(fixed.get()).authorization == "Basic dXNlcjpww6Rzcw=="
    assert not fixed.refused()


def plugin(folder: Path, status: Mapping[str, Any], *, version: str = V1, **more: Any) -> Plugin:
    """A program that prints a credential, counts its runs and keeps what it was told."""
    answer = {"apiVersion": version, "kind": "ExecCredential", "status": dict(status)}
    program = folder / "plugin.py"
    program.write_text(
        f"import json, os, pathlib\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        f"with (folder / 'runs').open('a') as runs: runs.write('x')\n"
        f"(folder / 'told').write_text(json.dumps([os.environ['KUBERNETES_EXEC_INFO'], os.environ.get('WHO')]))\n"
        f"print({json.dumps(answer)!r})\n"
    )
    return Plugin(command=sys.executable, api_version=version, args=(str(program),), **more)


def runs(folder: Path) -> int:
    return len((folder / "runs").read_text())


def test_a_plugin_is_run_once_until_its_credential_is_over(tmp_path: Path) -> None:
    now = [1_700_000_000.0]
    end = datetime.fromtimestamp(now[0] + 100, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = Exec(plugin(tmp_path, {"token": "t", "expirationTimestamp": end}), {}, tmp_path, now=lambda: now[0])

    async def main() -> None:
        answers = await asyncio.gather(*(made.get() for _ in range(3)))
        assert {answer.authorization for answer in answers} == {"Bearer t"}
        assert runs(tmp_path) == 1
        now[0] += 89
        await made.get()
        assert runs(tmp_path) == 1
        now[0] += 1
        await made.get()
        assert runs(tmp_path) == 2

    asyncio.run(main())


def test_a_credential_without_an_end_is_kept_until_it_is_refused(tmp_path: Path) -> None:
    made = Exec(plugin(tmp_path, {"clientCertificateData": "C", "clientKeyData": "K"}), {}, tmp_path)

    async def main() -> None:
        for _ in range(2):
            answer = await made.get()
            assert (answer.authorization, answer.certificate, answer.key) == ("", b"C", b"K")
        assert runs(tmp_path) == 1
        assert made.refused()
        await made.get()
        assert runs(tmp_path) == 2

    asyncio.run(main())


def test_a_plugin_is_told_of_the_cluster_if_it_asks(tmp_path: Path) -> None:
    cluster = {"server": "https://s"}
    for asks in (False, True):
        asked = plugin(tmp_path, {"token": "t"}, provide_cluster_info=asks, env=(EnvVar("WHO", "me"),))
        asyncio.run(Exec(asked, cluster, tmp_path).get())
        info, who = json.loads((tmp_path / "told").read_text())
        told = json.loads(info)
        assert who == "me"
        assert (told["apiVersion"], told["kind"], told["spec"]["interactive"]) == (V1, "ExecCredential", False)
        assert told["spec"].get("cluster") == (cluster if asks else None)


def test_a_relative_command_starts_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "login"
    script.write_text(f'#!/bin/sh\necho \'{{"apiVersion":"{V1}","kind":"ExecCredential","status":{{"token":"t"}}}}\'\n')
    script.chmod(0o755)
    made = Exec(Plugin(command="./bin/login", api_version=V1), {}, tmp_path)
    assert asyncio.run(made.get()).authorization == "Bearer t"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("raise SystemExit('no such user')", r"ended with 1: no such user"),
        ("print('hello')", "printed no ExecCredential"),
        (f'print(\'{{"apiVersion": "{V1}", "kind": "Other"}}\')', "printed Other"),
        (f'print(\'{{"apiVersion": "{V1}", "kind": "ExecCredential"}}\')', "neither a token nor a certificate"),
    ],
)
def test_a_plugin_that_fails_says_why(tmp_path: Path, program: str, problem: str) -> None:
    made = Exec(Plugin(command=sys.executable, api_version=V1, args=("-c", program)), {}, tmp_path)
    with pytest.raises(ConfigError, match=problem):
        asyncio.run(made.get())


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        ({"token": "t", "expirationTimestamp": "soon"}, r"\[soon\] is no time"),
        ({"token": "t", "clientKeyData": "K"}, "go together"),
    ],
)
def test_a_credential_that_makes_no_sense_is_refused(tmp_path: Path, status: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        asyncio.run(Exec(plugin(tmp_path, status), {}, tmp_path).get())


def test_a_missing_plugin_is_told_with_its_hint(tmp_path: Path) -> None:
    made = Exec(Plugin(command="no-such-plugin", api_version=V1, install_hint="install it"), {}, tmp_path)
    with pytest.raises(ConfigError, match="cannot be run: No such file or directory; install it"):
        asyncio.run(made.get())


def test_a_plugin_that_needs_a_terminal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="terminal"):
        Exec(Plugin(command="x", api_version=V1, interactive_mode="Always"), {}, tmp_path)
