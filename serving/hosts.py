"""Hosts and origins as settings name them -> as requests have them, letter by letter."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
NAME = re.compile(rf"{LABEL}(?:\.{LABEL})*")
DEFAULT_PORTS = {"http": 80, "https": 443}


def read_host(text: str) -> str:
    """Return a host, or `.example.org` for all below it, in small letters and without brackets.

    Raises ValueError, with the sentence to say, for what no header Host is compared with: it has no
    scheme, and its port does not matter.
    """
    if text == "*":
        raise ValueError("`*` is no host: without this setting every host is answered for")
    if text.startswith("*."):
        raise ValueError(f"`{text}` is no host: write `{text[1:]}` for a host and all below it")
    dot = "." if text.startswith(".") else ""
    host = _read_name(text.removeprefix("."))
    if host is None:
        raise ValueError(f"`{text}` is no host: write its name alone, such as api.example.org")
    return dot + host


def read_origin(text: str) -> str:
    """Return an origin as browsers send it: in small letters, without a default port or a slash.

    `*` stands for all. Raises ValueError, with the sentence to say, for what is none (RFC 6454).
    """
    if text in ("*", "null"):
        return text
    refusal = ValueError(
        f"`{text}` is no origin: write scheme, host and port, such as https://app.example.org or "
        "http://localhost:3000"
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise refusal from None
    host = _read_name(parts.hostname or "")
    beside = parts.path.removeprefix("/") or parts.query or parts.fragment or "@" in parts.netloc
    if not parts.scheme or host is None or beside:
        raise refusal
    host = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _read_name(text: str) -> str | None:
    """Return a host's name or address in its usual form; None if it is neither."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ip_address(bare))
    except ValueError:
        name = text.lower().removesuffix(".")
        return name if NAME.fullmatch(name) else None
