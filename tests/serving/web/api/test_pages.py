"""What the pages are made of, who may have it, and what the model says of itself."""

import re

import msgspec
import pytest

from serving.web.app import create_app
from serving.web.keys import Role, new_key
from serving.web.metrics import Metrics
from serving.web.worker_state import State

ASSETS = ["/static/index.js", "/static/service.js", "/static/docs.js", "/static/pages.css"]
PARTS = ["elements", "explanation", "features", "numbers", "outcomes", "what_if"]
MODULES = [f"/static/{name}.js" for name in PARTS]
PAGES = ["/", "/docs"]
SWAGGER = ["/static/swagger/swagger-ui.css", "/static/swagger/swagger-ui-bundle.js"]
MODEL = {"name": "heart", "version": "1", "stage": "production"}


def get(client, path, **more):
    """Ask, and close the file that a page comes from."""
    return client.get(path, buffered=True, **more)


def test_the_contract_is_given_with_an_example_and_the_limits_of_a_request(client, contract):
    response = client.get("/contract")
    assert response.status_code == 200
    assert response.headers["X-Model-Version"] == "1"
    assert response.get_json() == {
        "model": MODEL,
        "contract": client.application.json.loads(contract.to_json()),
        "example": {"Glucose": 122, "Age": 51, "Smoker": True},
        "labels": ["no", "yes"],
        "max_rows": 20,
        "max_body": 100_000,
        "max_explained": 0,
    }


@pytest.mark.parametrize("path", ["/contract", "/openapi.json"])
def test_without_a_model_there_is_no_contract(client_without_model, path):
    response = get(client_without_model, path)
    assert response.status_code == 503
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "5"


@pytest.mark.parametrize("path", [*PAGES, *ASSETS, *MODULES, *SWAGGER, "/static/icon.svg"])
def test_pages_and_their_parts_run_nothing_from_elsewhere(client, path):
    response = get(client, path)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"unsafe|\*|http", response.headers["Content-Security-Policy"])
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-cache"
    again = get(client, path, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("path", PAGES)
def test_all_that_a_page_refers_to_is_there(client, path):
    html = get(client, path).get_data(as_text=True)
    named = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(named) >= 3
    for name in named:
        # Relative, so that it is found behind a proxy that serves it under a path of its own.
        assert not name.startswith(("/", "http"))
        assert get(client, "/" + name.removeprefix("./")).status_code == 200
    assert "style=" not in html
    assert not re.search(r"<script(?! [^>]*src=)", html)
    assert not re.search(r"\son\w+=", html)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_the_same_without_a_model(client, client_without_model, path):
    assert get(client_without_model, path).data == get(client, path).data


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/missing.css",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/swagger/LICENSE",
        "/static/swagger/../__init__.py",
        "/static/swagger/..%2f__init__.py",
        "/templates/index.html",
    ],
)
def test_nothing_else_is_given_away(client, path):
    response = get(client, path)
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize("path", [*PAGES, ASSETS[0], SWAGGER[0]])
def test_without_pages_only_programs_are_told(settings, served, path):
    client = client_of(settings, served, pages=False)
    response = get(client, path)
    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"
    assert client.get("/contract").status_code == 200
    assert client.get("/openapi.json").status_code == 200


def test_with_keys_the_pages_are_open_and_what_they_fetch_is_not(settings, served):
    secret, key = new_key("prometheus", [Role.METRICS])
    client = client_of(settings, served, keys=(key,))
    for path in [*PAGES, *ASSETS, *SWAGGER]:
        assert get(client, path).status_code == 200
    for path in ["/contract", "/openapi.json"]:
        assert get(client, path).status_code == 401
        allowed = get(client, path, headers={"Authorization": f"Bearer {secret}"})
        assert allowed.status_code == 200


def client_of(settings, served, *, pages=True, keys=None):
    settings = msgspec.structs.replace(settings, pages=pages)
    return create_app(State(settings, served, keys, Metrics())).test_client()
