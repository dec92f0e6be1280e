"""Users of the HTTP interface: a file of names, roles and hashes of passwords, and what each role may do.

Hashes are bcrypt's, as in OpenSearch's `internal_users.yml` and what `htpasswd -B` makes, so that they can be taken along.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import bcrypt
from msgspec import Struct

from quidditch.rest.route import Route

ROLES = ("admin", "read")
"""`admin` may all, `read` what changes nothing (:attr:`Route.reads`)."""
FORMAT = 1
MIN_PASSWORD_CHARACTERS = 8
MAX_PASSWORD_BYTES = 72
"""What bcrypt takes into account."""
_NAME = re.compile(r"[^\s:\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,127}")
_HASH = re.compile(r"\$2[aby]\$(?:0[4-9]|1[0-6])\$[./A-Za-z0-9]{53}")
"""A higher cost than 16 would keep a login waiting for seconds."""


class UsersProblem(Exception):
    """A file of users, a name or a password that cannot be used; the message is a sentence without its subject."""


class User(Struct, frozen=True):
    """Somebody who may log in."""

    name: str
    role: str
    hash: str

    def may(self, route: Route) -> bool:
        return self.role == "admin" or route.reads


def parse(data: bytes) -> dict[str, User]:
    """The users of a file, by name. Raises :class:`UsersProblem`."""
    import yaml

    try:
        content = yaml.safe_load(data)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsersProblem(f"is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or content.keys() != {"version", "users"}:
        raise UsersProblem("must have the members [version] and [users], and no others")
    if content["version"] != FORMAT:
        raise UsersProblem(f"has version [{content['version']}], this node reads version [{FORMAT}]")
    users = content["users"] or {}
    if not isinstance(users, dict):
        raise UsersProblem("must have users by name in [users]")
    return {name: _user(name, value) for name, value in users.items()}


def _user(name: Any, value: Any) -> User:
    if not isinstance(name, str):
        raise UsersProblem(f"has [{name}] as the name of a user, which is no text")
    check_name(name)
    if not isinstance(value, dict) or value.keys() != {"role", "hash"}:
        raise UsersProblem(f"must give user [{name}] the members [role] and [hash], and no others")
    if not isinstance(value["hash"], str) or not _HASH.fullmatch(value["hash"]):
        raise UsersProblem(f"has no bcrypt hash (of a cost up to 16) in [hash] of user [{name}]")
    return User(name, check_role(value["role"], f" of user [{name}]"), value["hash"])


def dump(users: Iterable[User]) -> bytes:
    """The file of these users."""
    import yaml

    content = {"version": FORMAT, "users": {user.name: {"role": user.role, "hash": user.hash} for user in users}}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def check_name(name: str) -> str:
    """Raises :class:`UsersProblem` for a name that basic authentication cannot carry, or that nobody can read."""
    if not _NAME.fullmatch(name):
        raise UsersProblem(
            f"has [{name}] as the name of a user: a name has 1 to 128 characters, no [:] and no control characters"
        )
    return name


def check_role(role: Any, of: str = "") -> str:
    if role not in ROLES:
        raise UsersProblem(f"has the unknown role [{role}]{of}; there are {' and '.join(ROLES)}")
    return str(role)


def hashed(password: str) -> str:
    """The hash to keep of a new password. Raises :class:`UsersProblem`."""
    data = password.encode()
    if len(password) < MIN_PASSWORD_CHARACTERS or len(data) > MAX_PASSWORD_BYTES:
        raise UsersProblem(
            f"has less than {MIN_PASSWORD_CHARACTERS} characters or more than {MAX_PASSWORD_BYTES} bytes"
        )
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in password):
        raise UsersProblem("has control characters")
    return bcrypt.hashpw(data, bcrypt.gensalt()).decode()


def matches(password: bytes, hash: str) -> bool:
    """Whether this is the password. Takes a quarter of a second of a core, without the GIL."""
    return len(password) <= MAX_PASSWORD_BYTES and bcrypt.checkpw(password, hash.encode())


def without(users: Mapping[str, User], name: str) -> list[User]:
    """All others. Raises :class:`UsersProblem` if there is no such user."""
    if name not in users:
        raise UsersProblem(f"has no user [{name}]; there are {', '.join(users) or 'none'}")
    return [user for user in users.values() if user.name != name]
