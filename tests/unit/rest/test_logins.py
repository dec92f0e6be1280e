"""Users, their file, and how they are told from others: once by their password, then by a digest."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable
from typing import Any

import bcrypt
import pytest

from quidditch.model.errors import ApiError
from quidditch.rest import logins, users
from quidditch.rest.logins import MAX_FAILURES, WINDOW_SECONDS, Logins
from quidditch.rest.users import User, UsersProblem

PASSWORD = "long enough"


def hash_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ROOT = User("root", "admin", hash_of(PASSWORD))
READER = User("reader", "read", hash_of("pässwörter"))


def header(name: str, password: str, scheme: str = "Basic", encoding: str = "utf-8") -> bytes:
    return f"{scheme} {base64.b64encode(f'{name}:{password}'.encode(encoding)).decode()}".encode()


class Harness:
    """`checked` counts the passwords that were compared, each after `begun` is set and `gate` is open; `now` is the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.checked = 0
        self.begun, self.gate = threading.Event(), threading.Event()
        self.gate.set()
        self.logins = Logins({user.name: user for user in (ROOT, READER)}, lambda: self.now)
        real = logins.matches

        def counting(password: bytes, hash: str) -> bool:
            self.checked += 1
            self.begun.set()
            self.gate.wait()
            return real(password, hash)

        monkeypatch.setattr(logins, "matches", counting)
        monkeypatch.setattr(logins, "_NOBODY", hash_of("nobody's"))

    async def status(self, given: bytes | None, address: str = "10.0.0.9") -> int:
        try:
            user = self.logins.known(given) or await self.logins.verify(given, address, "/")
            assert self.logins.known(given) is user
            return 200
        except ApiError as error:
            return error.status


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Harness:
    return Harness(monkeypatch)


def run(scenario: Callable[[], Any]) -> None:
    asyncio.run(scenario())


def test_a_password_is_checked_once(harness: Harness) -> None:
    async def scenario() -> None:
        right = header("root", PASSWORD)
        assert harness.logins.known(right) is None
        together = await asyncio.gather(*(harness.status(right) for _ in range(20)))
        assert together == [200] * 20
        assert harness.checked == 1
        assert harness.logins.known(right) == ROOT
        assert await harness.status(header("reader", "pässwörter", "basic")) == 200
        assert await harness.status(header("reader", "pässwörter", encoding="latin-1")) == 200

    run(scenario)


@pytest.mark.parametrize(
    "given",
    [
        None,
        b"",
        b"Basic",
        b"Basic !!!",
        b"Basic cm9vdA==",
        b"Bearer abc",
        header("root", "wrong one"),
        header("root", ""),
        header("root", "x" * 100),
        header("root", PASSWORD + "\0"),
        header("nobody", PASSWORD),
        header("", PASSWORD),
    ],
)
def test_others_are_told_so_with_a_challenge(harness: Harness, given: bytes | None) -> None:
    async def scenario() -> None:
        for _ in range(2):
            assert harness.logins.known(given) is None
            with pytest.raises(ApiError) as refused:
                await harness.logins.verify(given, "10.0.0.9", "/_search")
            error = refused.value
            assert (error.status, error.type) == (401, "security_exception")
            assert error.headers == {"WWW-Authenticate": 'Basic realm="quidditch"'}
            assert "REST request [/_search]" in str(error)
            assert PASSWORD not in str(error)

    run(scenario)


def test_how_long_a_refusal_takes_does_not_tell_who_exists(harness: Harness) -> None:
    async def scenario() -> None:
        await harness.status(header("nobody", PASSWORD))
        await harness.status(header("root", "wrong one"))
        assert harness.checked == 2

    run(scenario)


def test_failures_from_one_address_are_limited(harness: Harness) -> None:
    async def scenario() -> None:
        assert await harness.status(header("root", PASSWORD)) == 200
        guesses = [harness.status(header("root", f"guess {number}")) for number in range(3 * MAX_FAILURES)]
        heard = await asyncio.gather(*guesses)
        assert (heard.count(401), heard.count(429)) == (MAX_FAILURES, 2 * MAX_FAILURES)
        assert harness.checked == 1 + MAX_FAILURES
        assert await harness.status(header("root", PASSWORD)) == 200  # who is known goes on
        assert await harness.status(header("reader", "pässwörter")) == 429
        assert await harness.status(header("reader", "pässwörter"), "10.0.0.8") == 200
        harness.now += WINDOW_SECONDS
        assert await harness.status(header("root", "guess again")) == 401

    run(scenario)


def test_right_passwords_do_not_count_and_an_ipv6_network_is_one_address(harness: Harness) -> None:
    async def scenario() -> None:
        for number in range(2 * MAX_FAILURES):
            assert await harness.status(header("root", PASSWORD, "Basic" + " " * number)) == 200
        guesses = [
            harness.status(header("root", f"guess {number}"), f"fd00::{number}") for number in range(2 * MAX_FAILURES)
        ]
        assert (await asyncio.gather(*guesses)).count(429) == MAX_FAILURES
        assert await harness.status(header("root", "guess"), "fd00:0:0:1::1") == 401

    run(scenario)


def test_what_is_kept_is_bounded(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_KEPT_CREDENTIALS", 3)
    monkeypatch.setattr(logins, "_KEPT_ADDRESSES", 3)
    monkeypatch.setattr(logins, "_WAITING_CHECKS", 2)

    async def scenario() -> None:
        sent = [header("root", PASSWORD, "Basic" + " " * number) for number in range(9)]
        for each in sent:
            assert await harness.status(each) == 200
        assert [harness.logins.known(each) is not None for each in sent] == [False] * 6 + [True] * 3
        for number in range(9):
            await harness.status(header("root", "guess"), f"10.0.0.{number}")
        assert len(harness.logins._failures._counts) == 3
        crowd = await asyncio.gather(*(harness.status(header("root", f"x{n}"), f"10.0.1.{n}") for n in range(9)))
        assert (crowd.count(401), crowd.count(429)) == (2, 7)

    run(scenario)


def test_a_changed_file_counts_at_once(harness: Harness) -> None:
    async def scenario() -> None:
        root, reader = header("root", PASSWORD), header("reader", "pässwörter")
        assert [await harness.status(each) for each in (root, reader)] == [200, 200]
        demoted = User("root", "read", ROOT.hash)
        harness.logins.replace({"root": demoted})
        assert harness.logins.known(root) == demoted
        assert harness.logins.known(reader) is None
        assert await harness.status(reader) == 401
        harness.logins.replace({"root": User("root", "admin", hash_of("another one"))})
        assert await harness.status(root) == 401

    run(scenario)


def test_a_file_that_changes_while_a_password_is_checked_counts(harness: Harness) -> None:
    harness.gate.clear()

    async def scenario() -> None:
        check = asyncio.create_task(harness.status(header("root", PASSWORD)))
        await asyncio.to_thread(harness.begun.wait)
        harness.logins.replace({})
        harness.gate.set()
        assert await check == 401

    run(scenario)


# --- the file -----------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read() -> None:
    assert users.parse(users.dump([ROOT, READER])) == {"root": ROOT, "reader": READER}
    assert users.parse(b"version: 1\nusers:\n") == {}
    others = "$2y$12$7c26oxE6IIm.1q4ND9EXteFeJQ7fHQDenc5w4uOYoS2Mrc1lBTJaW"  # OpenSearch's and htpasswd's spelling
    taken = users.parse(f"version: 1\nusers:\n  taken: {{role: read, hash: {others}}}\n".encode())
    assert users.matches(b"correct horse", taken["taken"].hash)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", r"\[version\] and \[users\]"),
        ("a: [", "not valid YAML"),
        ("\udc80", "not valid YAML"),
        ("version: 1", r"\[version\] and \[users\]"),
        ("version: 2\nusers: {}", r"version \[2\], this node reads version \[1\]"),
        ("version: 1\nusers: []\nmore: 1", "no others"),
        ("version: 1\nusers: [a]", "by name"),
        ("version: 1\nusers: {a: 1}", r"user \[a\] the members"),
        ("version: 1\nusers: {1: {}}", r"\[1\] as the name"),
        ("version: 1\nusers: {'a:b': {}}", r"no \[:\]"),
        ("version: 1\nusers: {a: {role: read, hash: plain}}", r"no bcrypt hash .* of user \[a\]"),
        (f"version: 1\nusers: {{a: {{role: root, hash: {ROOT.hash}}}}}", r"unknown role \[root\] of user \[a\]"),
        (f"version: 1\nusers: {{a: {{role: read, hash: {ROOT.hash.replace('$04', '$31')}}}}}", "cost up to 16"),
    ],
)
def test_files_that_are_wrong_are_told_why(text: str, problem: str) -> None:
    with pytest.raises(UsersProblem, match=problem):
        users.parse(text.encode(errors="surrogateescape"))


def test_passwords_that_would_be_no_protection_or_not_be_heard() -> None:
    assert users.matches(("ä" * 36).encode(), users.hashed("ä" * 36))
    for wrong in ("", "short", "ä" * 37, "tab\there or there"):
        with pytest.raises(UsersProblem):
            users.hashed(wrong)
