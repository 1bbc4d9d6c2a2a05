"""API keys: who may ask for what. The file holds a line a key, and of the key only its sha256.

    # name  roles  sha256 of the key
    frontend  predict  2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae

A key is 256 random bits, so that its plain sha256 gives nothing away; a password would need more.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from serving.files import new_file

HEADER = "# name  roles  sha256 of the key\n"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHA256 = re.compile(r"[0-9a-f]{64}")


class Role(StrEnum):
    PREDICT = "predict"
    METRICS = "metrics"


class KeysError(Exception):
    """A keys file that cannot be used: the file, the line, and what to do, in one sentence."""


class Key(NamedTuple):
    name: str
    roles: frozenset[Role]
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}  {','.join(sorted(self.roles))}  {self.sha256}"


def read_keys(path: Path) -> list[Key]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise KeysError(
            f"the keys file {path} cannot be read: {reason}; "
            f"`python -m serving keys add NAME --role predict` makes one"
        ) from error
    keys: list[Key] = []
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            key = _parse(line, f"{path}, line {number}")
            if any(key.name == other.name for other in keys):
                raise KeysError(f"{path}, line {number}: there is a key `{key.name}` above")
            keys.append(key)
    return keys


def write_keys(path: Path, keys: Iterable[Key]) -> None:
    """Write the file whole, readable to its owner only, or to whom it was before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path, private=True) as file:
        file.write((HEADER + "".join(f"{key}\n" for key in keys)).encode())


def new_key(name: str, roles: Iterable[Role]) -> tuple[str, Key]:
    """Make a key: the secret, to be shown once, and what is kept of it."""
    if not NAME.fullmatch(name):
        raise KeysError(f"`{name}` is no name for a key: use letters, digits, `.`, `_` and `-`")
    secret = secrets.token_urlsafe(32)
    return secret, Key(name, frozenset(roles), _digest(secret.encode()))


def find(keys: Iterable[Key], secret: bytes) -> Key | None:
    """Find the key of a secret; takes as long for a wrong one as for each of the right ones."""
    digest, found = _digest(secret), None
    for key in keys:
        if hmac.compare_digest(key.sha256, digest):
            found = key
    return found


def _digest(secret: bytes) -> str:
    return sha256(secret).hexdigest()


def _parse(line: str, where: str) -> Key:
    words = line.split()
    if len(words) != 3 or not SHA256.fullmatch(words[2]) or not NAME.fullmatch(words[0]):
        # The line itself is not shown: it may hold a key.
        raise KeysError(f"{where}: expected a name, its roles, and the sha256 of the key")
    name, roles, digest = words
    try:
        return Key(name, frozenset(Role(role) for role in roles.split(",")), digest)
    except ValueError as error:
        known = ", ".join(Role)
        raise KeysError(f"{where}: the roles are {known}, with commas between them") from error
