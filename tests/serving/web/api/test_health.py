"""Live and ready are two things."""

import pytest


@pytest.mark.parametrize("live", ["/livez", "/healthz"])
@pytest.mark.parametrize("ready", ["/readyz", "/ping"])
def test_a_service_with_a_model_is_live_and_ready(client, live, ready):
    assert client.get(live).get_json() == {"status": "ok"}
    response = client.get(ready)
    assert response.status_code == 200
    # No key is needed, so nothing is told of the model.
    assert response.get_json() == {"status": "ready"}


@pytest.mark.parametrize("live", ["/livez", "/healthz"])
@pytest.mark.parametrize("ready", ["/readyz", "/ping"])
def test_a_service_without_a_model_is_live_but_not_ready(client_without_model, live, ready):
    assert client_without_model.get(live).status_code == 200
    response = client_without_model.get(ready)
    assert response.status_code == 503
    assert response.mimetype == "application/problem+json"
    assert response.headers["Retry-After"] == "5"


def test_without_a_model_a_prediction_is_told_what_to_run(client_without_model):
    response = client_without_model.post("/predict", json={})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    detail = response.get_json()["detail"]
    assert "No version of `heart` is in stage `production`" in detail
    assert "dvc repro" in detail
