"""Signatures by a key that those who promote and those who serve share.

Imports nothing of ours nor anything heavy: gunicorn's master looks at the key before it starts.
"""

import hmac
from collections.abc import Mapping

KEY_VARIABLE = "REGISTRY_SIGNING_KEY"
KEY_LENGTH = 16  # characters, at least


def signing_key(environ: Mapping[str, str]) -> bytes | None:
    """Return the key, None where none is set; raises ValueError for one that is too short."""
    key = environ.get(KEY_VARIABLE, "")
    if key and len(key) < KEY_LENGTH:
        raise ValueError(
            f"{KEY_VARIABLE} has {len(key)} characters, {KEY_LENGTH} are needed: "
            "make one with `openssl rand -hex 32`"
        )
    return key.encode() or None


def sign(key: bytes, *parts: str) -> str:
    """Return the HMAC-SHA256 (RFC 2104) of texts in which no line breaks, as hexadecimal digits."""
    return hmac.new(key, "\n".join(parts).encode(), "sha256").hexdigest()


def is_signature(signature: str, key: bytes, *parts: str) -> bool:
    return hmac.compare_digest(signature.encode(), sign(key, *parts).encode())
