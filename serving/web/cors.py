"""Cross-origin requests: which pages of other origins a browser lets call this service (CORS)."""

from collections.abc import Iterable, Mapping
from typing import Any

from serving.errors import Headers

EXPOSED_HEADERS = "Retry-After, X-Model-Version, X-Request-ID"
PREFLIGHT_HEADERS: Headers = [
    ("Access-Control-Allow-Methods", "GET, POST"),
    (
        "Access-Control-Allow-Headers",
        "Authorization, Content-Encoding, Content-Type, X-API-Key, X-Request-ID",
    ),
    ("Access-Control-Max-Age", "600"),
]


class Origins:
    """The origins that may call; `*` is every one."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def headers(self, environ: Mapping[str, Any]) -> Headers:
        """Return what an answer says to the page that asked; nothing where none may."""
        if not self._allowed:
            return []
        origin = environ.get("HTTP_ORIGIN", "")
        everyone = "*" in self._allowed
        headers = [] if everyone else [("Vary", "Origin")]
        if origin and (everyone or origin in self._allowed):
            headers.append(("Access-Control-Allow-Origin", "*" if everyone else origin))
            headers.append(("Access-Control-Expose-Headers", EXPOSED_HEADERS))
        return headers


def is_preflight(environ: Mapping[str, Any]) -> bool:
    """True if a browser asks whether it may send a request."""
    return (
        environ["REQUEST_METHOD"] == "OPTIONS"
        and "HTTP_ORIGIN" in environ
        and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )
