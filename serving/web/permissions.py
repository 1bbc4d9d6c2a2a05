"""Permissions: the key that each address needs, and whether it counts as a prediction.

What is not named here needs a key, so that a new address is closed until somebody opens it.
"""

import re
from enum import Enum
from typing import NamedTuple

from serving.web.keys import Role


class Needs(Enum):
    NOTHING = "nothing"
    ANY_KEY = "a key of any role"
    PREDICT = Role.PREDICT
    METRICS = Role.METRICS


class Route(NamedTuple):
    """The rules of an address; `name` is its label in metrics.

    `predicts`: its POST requests count against the limit to requests at once, and those of a route
    that `explains` against one of their own.
    """

    name: str
    needs: Needs
    predicts: bool = False
    explains: bool = False
    probe: bool = False


def _probe(name: str) -> Route:
    return Route(name, Needs.NOTHING, probe=True)


EXACT = {
    "/predict": Route("/predict", Needs.PREDICT, predicts=True),
    "/explain": Route("/explain", Needs.PREDICT, explains=True),
    "/invocations": Route("/invocations", Needs.PREDICT, predicts=True),
    "/livez": _probe("/livez"),
    "/readyz": _probe("/readyz"),
    "/healthz": _probe("/healthz"),
    "/ping": _probe("/ping"),
    "/v2/health/live": _probe("/v2/health/live"),
    "/v2/health/ready": _probe("/v2/health/ready"),
    "/v2": Route("/v2", Needs.ANY_KEY),
    "/version": Route("/version", Needs.ANY_KEY),
    "/contract": Route("/contract", Needs.ANY_KEY),
    "/openapi.json": Route("/openapi.json", Needs.ANY_KEY),
    "/metrics": Route("/metrics", Needs.METRICS),
    # The pages are the same for everyone and hold nothing of the model: they ask for a key
    # themselves, and send it with what they fetch.
    "/": Route("/", Needs.NOTHING),
    "/docs": Route("/docs", Needs.NOTHING),
}

V2_MODEL = r"/v2/models/[^/]+(?:/versions/[^/]+)?"
PATTERNS = [
    (
        re.compile(V2_MODEL + "/infer"),
        Route("/v2/models/{name}/infer", Needs.PREDICT, predicts=True),
    ),
    (re.compile(V2_MODEL + "/ready"), _probe("/v2/models/{name}/ready")),
    (re.compile(V2_MODEL), Route("/v2/models/{name}", Needs.ANY_KEY)),
    (re.compile(r"/static/.+"), Route("/static", Needs.NOTHING)),
]
ELSEWHERE = Route("elsewhere", Needs.ANY_KEY)


def route_of(path: str) -> Route:
    """Find how a path is treated."""
    exact = EXACT.get(path)
    if exact is None:
        # Flask drops slashes before a path: what it would find is what has to be asked for.
        path = "/" + path.lstrip("/")
        exact = EXACT.get(path)
    if exact is not None:
        return exact
    for pattern, route in PATTERNS:
        if pattern.fullmatch(path):
            return route
    return ELSEWHERE
