"""Every error has the shape of its protocol, RFC 9457 on our own routes, whoever raised it."""

import pytest
from werkzeug.http import HTTP_STATUS_CODES

from serving import errors
from serving.errors import ServingError, pointer

ROW = {"Glucose": 148, "Age": 50, "Smoker": 1}
REQUESTS = {
    400: lambda c: c.post("/predict", data=b"{", content_type="application/json"),
    404: lambda c: c.get("/nothing/here"),
    405: lambda c: c.get("/predict"),
    413: lambda c: c.post("/predict", json={"rows": [ROW] * 21}),
    415: lambda c: c.post("/predict", data=b"{}"),
    422: lambda c: c.post("/predict", json={**ROW, "Age": 5}),
}


def check_shape(response, status):
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    problem = response.get_json(force=True)
    assert problem["type"] == "about:blank"
    assert problem["status"] == status
    assert problem["title"] == HTTP_STATUS_CODES[status]
    assert problem["detail"].endswith(".")
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail"}
    for error in problem.get("errors", []):
        assert set(error) == {"pointer", "detail"}
        assert error["pointer"].startswith("/")
    return problem


@pytest.mark.parametrize("status", REQUESTS)
def test_errors_have_the_one_shape(client, status):
    problem = check_shape(REQUESTS[status](client), status)
    assert ("errors" in problem) == (status == 422)


def test_service_without_a_model_has_the_same_shape(client_without_model):
    check_shape(client_without_model.get("/readyz"), 503)


def test_wrong_method_is_answered_with_the_right_ones(client):
    assert set(client.get("/predict").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}


def test_error_of_ours_is_logged_and_not_told(app, caplog):
    @app.get("/broken")
    def broken():
        raise RuntimeError("the secret reason")

    response = app.test_client().get("/broken")
    assert "its log says why" in check_shape(response, 500)["detail"]
    assert "secret" not in response.get_data(as_text=True)
    assert "the secret reason" in caplog.text
    assert "Traceback" in caplog.text


def test_pointers_are_escaped_as_rfc_6901_says():
    assert pointer(["rows", 0, "a/b", "m~n", "~1"]) == "/rows/0/a~1b/m~0n/~01"
    assert pointer([]) == ""


FAMILY = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ServingError) and kind is not ServingError
]


def test_headers_say_how_to_send_a_key_and_when_to_return():
    headers = {kind.__name__: kind.headers for kind in FAMILY if kind.headers}
    assert headers == {
        "NoKeyError": {"WWW-Authenticate": "Bearer"},
        "NoModelError": {"Retry-After": "5"},
        "OverloadedError": {"Retry-After": "1"},
    }
