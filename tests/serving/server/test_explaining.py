"""Explanations beside predictions, in the real service: predictions do not wait for them."""

import threading
import time

import pytest
import requests

from serving.server.worker import PATIENCE
from serving.store import versions
from serving.store.versions import Version
from tests.running import Service, service
from tests.serving.explained_model import write_svm
from tests.serving.small_model import NAME

MANY = {"rows": [{"Glucose": 60 + i, "Age": 30, "Smoker": False} for i in range(100)]}


@pytest.fixture
def running(settings, tmp_path):
    """A service of one worker, which takes long to explain a hundred rows."""
    version = Version(
        NAME, "1", "production", write_svm(tmp_path / "made", rows=1200, background=200)
    )
    versions.adopt(settings.store, tmp_path / "made", version)
    versions.switch(settings.store, version)
    variables = {"SERVING_STORE": str(settings.store), "SERVING_WORKERS": "1"}
    with service(tmp_path, **variables) as found:
        yield found


def explain(running: Service, answers: list[requests.Response]) -> None:
    answers.append(requests.post(f"{running.url}/explain", json=MANY, timeout=60))


def test_predictions_do_not_wait_for_explanations(running):
    """Six ask at once: one is worked on, three wait, and two are told to come again."""
    answers: list[requests.Response] = []
    clients = [threading.Thread(target=explain, args=(running, answers)) for _ in range(6)]
    for client in clients:
        client.start()
    while len(answers) < 2:
        time.sleep(0.01)
    took = []
    while any(client.is_alive() for client in clients):
        begun = time.monotonic()
        assert running.predict().status_code == 200
        took.append(time.monotonic() - begun)
    assert [answer.status_code for answer in answers] == [503, 503, 200, 200, 200, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert [len(answer.json()["explanations"]) for answer in answers[2:]] == [100] * 4
    assert len(took) > 20
    assert sorted(took)[len(took) // 2] < PATIENCE


def test_an_explanation_under_way_is_answered_after_sigterm(running):
    answers: list[requests.Response] = []
    client = threading.Thread(target=explain, args=(running, answers))
    client.start()
    time.sleep(0.1)
    assert not answers
    running.process.terminate()
    client.join()
    assert answers[0].status_code == 200
    assert running.process.wait(10) == 0
