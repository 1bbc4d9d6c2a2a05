"""Who may ask for what: every address, with every kind of key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map

from serving.config import Settings
from serving.web.app import BLUEPRINTS, create_app
from serving.web.keys import Role, new_key
from serving.web.metrics import Metrics
from serving.web.permissions import ELSEWHERE, Needs, route_of
from serving.web.worker_state import State
from tests.serving.calling import Called, call, environ

PREDICT, PREDICT_KEY = new_key("a-predict", [Role.PREDICT])
METRICS, METRICS_KEY = new_key("a-metrics", [Role.METRICS])
SECRETS = {"no key": None, "wrong key": "wrong", "predict": PREDICT, "metrics": METRICS}

NEEDS = {
    "GET /": Needs.NOTHING,
    "GET /docs": Needs.NOTHING,
    "GET /static/<path:name>": Needs.NOTHING,
    "GET /static/swagger/<name>": Needs.NOTHING,
    "GET /livez": Needs.NOTHING,
    "GET /readyz": Needs.NOTHING,
    "GET /healthz": Needs.NOTHING,
    "GET /ping": Needs.NOTHING,
    "GET /v2/health/live": Needs.NOTHING,
    "GET /v2/health/ready": Needs.NOTHING,
    "GET /v2/models/<name>/ready": Needs.NOTHING,
    "GET /v2/models/<name>/versions/<version>/ready": Needs.NOTHING,
    "GET /v2": Needs.ANY_KEY,
    "GET /v2/models/<name>": Needs.ANY_KEY,
    "GET /v2/models/<name>/versions/<version>": Needs.ANY_KEY,
    "GET /version": Needs.ANY_KEY,
    "GET /contract": Needs.ANY_KEY,
    "GET /openapi.json": Needs.ANY_KEY,
    "GET /metrics": Needs.METRICS,
    "POST /predict": Needs.PREDICT,
    "POST /explain": Needs.PREDICT,
    "POST /invocations": Needs.PREDICT,
    "POST /v2/models/<name>/infer": Needs.PREDICT,
    "POST /v2/models/<name>/versions/<version>/infer": Needs.PREDICT,
}
PROBES = [route for route in NEEDS if route.endswith(("z", "/ping", "/live", "/ready"))]
REFUSED = {
    Needs.NOTHING: {},
    Needs.ANY_KEY: {"no key": 401, "wrong key": 401},
    Needs.PREDICT: {"no key": 401, "wrong key": 401, "metrics": 403},
    Needs.METRICS: {"no key": 401, "wrong key": 401, "predict": 403},
}


@pytest.fixture
def guarded(settings, served):
    return create_app(State(settings, served, (PREDICT_KEY, METRICS_KEY), Metrics()))


def path_of(rule: str) -> str:
    for part, value in (
        ("<path:name>", "predict.js"),
        ("<name>", "heart"),
        ("<version>", "1"),
    ):
        rule = rule.replace(part, value)
    return rule


def ask(app, method: str, path: str, secret: str | None = None) -> Called:
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return call(app, environ(method, path, **headers))


def test_every_rule_of_the_application_is_in_the_table(guarded):
    rules = {
        f"{method} {rule.rule}"
        for rule in guarded.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert rules == set(NEEDS)


@pytest.mark.parametrize("rule", NEEDS)
def test_every_rule_is_named_and_needs_what_it_should(rule):
    route = route_of(path_of(rule.split()[1]))
    assert route is not ELSEWHERE
    assert route.needs is NEEDS[rule]
    assert route.explains == (rule == "POST /explain")
    assert route.predicts == (rule.startswith("POST ") and not route.explains)
    assert route.probe == (rule in PROBES)


@pytest.mark.parametrize("key", SECRETS)
@pytest.mark.parametrize("rule", NEEDS)
def test_a_route_lets_in_whom_it_should_and_refuses_the_others(guarded, app, rule, key):
    method, path = rule.split()
    answer = ask(guarded, method, path_of(path), SECRETS[key])
    status = REFUSED[NEEDS[rule]].get(key)
    if status is None:
        # Let through: it is answered as by a service that has no keys.
        assert answer.status == ask(app, method, path_of(path)).status
        assert answer.status not in (401, 403)
    else:
        assert answer.status == status
        assert (answer.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PREDICT"])
@pytest.mark.parametrize("rule", [rule for rule in NEEDS if NEEDS[rule] is not Needs.NOTHING])
def test_another_method_is_no_way_past(guarded, rule, method):
    assert ask(guarded, method, path_of(rule.split()[1])).status == 401


@pytest.mark.parametrize(
    "path", ["/nothing", "/admin", "/v1", "/v2/", "/v2/models", "/static", "/static/"]
)
def test_what_is_not_there_is_not_told_without_a_key(guarded, path):
    assert ask(guarded, "GET", path).status == 401
    assert ask(guarded, "GET", path, METRICS).status == 404


ODD = [
    "/predict/",
    "//predict",
    "/./predict",
    "/static/../predict",
    "/static/..//version",
    "/static/../version",
    "/static//version",
    "/PREDICT",
    "/Version",
    "/predict;x",
    "/predict\n",
    "/predict\0",
    "/version ",
    "/%70redict",
    "/docs/../version",
    "/livez/../version",
    "/v2/models/a/b/infer",
    "/v2/models//infer",
    "/v2/models/heart/ready/infer",
    "/v2/models/heart/infer/ready",
    "/v2/models/heart/versions/ready",
    "/v2/models/heart/versions/1/ready/",
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ODD)
def test_an_odd_path_is_no_way_past(guarded, path, method):
    answer = ask(guarded, method, path)
    open_to_all = path.startswith("/static/")  # where there is nothing but the pages' files
    assert answer.status in ((404, 405) if open_to_all else (401,))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [("//predict", "metrics"), ("///invocations", "metrics"), ("//metrics", "predict")],
)
def test_slashes_before_a_path_which_flask_drops_are_no_way_past_a_role(guarded, path, wrong):
    method = "GET" if path == "//metrics" else "POST"
    assert ask(guarded, method, path).status == 401
    assert ask(guarded, method, path, SECRETS[wrong]).status == 403


PIECES = [
    *("predict", "PREDICT", "version", "metrics", "static", "docs", "livez", "ping", "contract"),
    *("v2", "models", "heart", "versions", "1", "infer", "ready", "health", "live", "swagger"),
    *("/", "/", "/", "/", ".", "..", ";x", "%2f", " ", "\n", "\0", "é", "?", "\\"),
]
OPEN = {rule for rule, needs in NEEDS.items() if needs is Needs.NOTHING}


def url_map() -> Map:
    settings = Settings(model="heart")
    return create_app(State(settings, None, None, Metrics())).url_map


URLS = url_map().bind("127.0.0.1")


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["GET", "POST"]))
def test_flask_never_finds_more_behind_a_path_than_its_route_needs(pieces, method):
    """The table and Flask's own routing read a path in the same way."""
    path = "/" + "".join(pieces)
    try:
        rule, _ = URLS.match(path, method, return_rule=True)
    except HTTPException:
        return
    assert route_of(path).needs is NEEDS[f"{method} {rule.rule}"]


def test_there_are_blueprints_to_look_at():
    assert len(BLUEPRINTS) == 7
    assert len(OPEN) == 12
