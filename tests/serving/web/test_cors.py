"""Cross-origin requests: who may read answers in a browser."""

import pytest

from serving.web.keys import Role, new_key
from tests.serving.calling import ORIGIN, call, environ, post, preflight

SECRET, KEY = new_key("frontend", [Role.PREDICT])


def test_without_the_setting_no_page_of_others_may_read(app):
    headers = post(app, Origin=ORIGIN).headers
    assert not [name for name in headers if name.startswith("Access-Control") or name == "Vary"]
    asked = preflight(app)
    assert asked.status == 200
    assert set(asked.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert "Access-Control-Allow-Origin" not in asked.headers


def test_without_the_setting_a_preflight_needs_a_key_like_anything_else(make_app):
    assert preflight(make_app(keys=(KEY,))).status == 401


def test_an_allowed_origin_may_read_the_answer_and_its_headers(make_app):
    headers = post(make_app(cors_origins=(ORIGIN,)), Origin=ORIGIN).headers
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert headers["Vary"] == "Origin"
    assert {"X-Model-Version", "X-Request-ID", "Retry-After"} == set(
        headers["Access-Control-Expose-Headers"].split(", ")
    )
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.org",
        "http://shop.example.org",
        ORIGIN + ".evil.org",
        ORIGIN + ":8443",
        "null",
        "",
    ],
)
def test_another_origin_may_not_and_caches_are_told_that_it_depends(make_app, origin):
    app = make_app(cors_origins=(ORIGIN,))
    for headers in (post(app, Origin=origin).headers, preflight(app, origin=origin).headers):
        assert "Access-Control-Allow-Origin" not in headers
        assert headers["Vary"] == "Origin"


def test_a_request_without_an_origin_varies_too(make_app):
    assert post(make_app(cors_origins=(ORIGIN,))).headers["Vary"] == "Origin"


def test_every_origin_may_where_the_setting_says_so(make_app):
    headers = post(make_app(cors_origins=("*",)), Origin="https://any.where").headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in headers


@pytest.mark.parametrize("origins", [(ORIGIN,), ("*",)])
def test_a_preflight_needs_no_key_and_names_what_may_be_sent(make_app, origins):
    answer = preflight(make_app(keys=(KEY,), cors_origins=origins))
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] in origins
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Content-Type", "X-API-Key"} <= set(allowed)


def test_what_only_looks_like_a_preflight_needs_a_key(make_app):
    app = make_app(keys=(KEY,), cors_origins=(ORIGIN,))
    assert call(app, environ("OPTIONS", "/predict", Origin=ORIGIN)).status == 401
    asked = {"Origin": ORIGIN, "Access_Control_Request_Method": "POST"}
    assert post(app, **asked).status == 401
