"""The running service follows the registry's stage, and answers all the while."""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.running import Service, eventually, load, service
from tests.serving.conftest import Registry
from tests.serving.following.conftest import bloat, now_on, promoting
from tests.serving.small_model import NAME


class Shared(NamedTuple):
    """A service that several tests use, one after the other, each with biases of its own."""

    running: Service
    registry: Registry
    promote: Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def shared(empty_store, tmp_path_factory) -> Iterator[Shared]:
    folder = tmp_path_factory.mktemp("following")
    registry = Registry(shutil.copyfile(empty_store, folder / "mlflow.db"))
    variables = {"MLFLOW_TRACKING_URI": registry.uri, "SERVING_WORKERS": "2"}
    with service(folder, **variables) as running:
        yield Shared(running, registry, promoting(registry, folder))


def test_promotion_under_load_fails_no_request(shared):
    running, promote = shared.running, shared.promote
    first, first_digest = promote(0.0)
    now_on(running, first, first_digest, 2)
    with load(running) as clients:
        time.sleep(0.5)
        second, second_digest = promote(1.0)
        now_on(running, second, second_digest, 2)
        swapped = time.monotonic()
        time.sleep(0.5)
    assert running.workers_on(first, first_digest) == 0
    assert running.version()["in_step"]
    clients.check({first: 0.0, second: 1.0})
    assert clients.versions(since=swapped) == {second}
    assert clients.versions() == {first, second}


def test_version_that_is_slow_to_verify_holds_nobody_up(shared):
    running, promote = shared.running, shared.promote
    first, first_digest = promote(2.0)
    now_on(running, first, first_digest, 2)
    with load(running, clients=2) as clients:
        slow, slow_digest = promote(3.0, spoil=bloat)
        promoted = time.monotonic()
        now_on(running, slow, slow_digest, 2)
        took = time.monotonic() - promoted
        at_first = sum(answer.version == first for answer in clients.answers)
    clients.check({first: 2.0, slow: 3.0})
    assert took > 1
    assert at_first > 50 * took


def test_quick_moves_end_where_the_stage_ends(shared):
    running, client = shared.running, shared.registry.client()
    first, first_digest = shared.promote(4.0)
    now_on(running, first, first_digest, 2)
    second, second_digest = shared.promote(5.0)
    now_on(running, second, second_digest, 2)
    with load(running, clients=2) as clients:
        # The way back needs no download.
        shutil.rmtree(shared.registry.path.parent / "made 4.0")
        for version in (first, second, first, second, first):
            client.set_registered_model_alias(NAME, "production", version)
            time.sleep(0.1)
        now_on(running, first, first_digest, 2)
        client.delete_registered_model_alias(NAME, "production")
        eventually(lambda: running.version()["desired"] is None)
        assert running.predict().json()["model"]["version"] == first
        assert running.get("/readyz").status_code == 200
    clients.check({first: 4.0, second: 5.0})


def test_stages_that_mlflow_deprecated_are_followed(shared):
    running, client = shared.running, shared.registry.client()
    first, first_digest = shared.promote(7.0)
    second, second_digest = shared.promote(8.0, alias=None)
    with pytest.warns(FutureWarning):
        client.transition_model_version_stage(NAME, first, "Production")
    client.delete_registered_model_alias(NAME, "production")
    now_on(running, first, first_digest, 2)
    with pytest.warns(FutureWarning):
        client.transition_model_version_stage(
            NAME, second, "Production", archive_existing_versions=True
        )
    now_on(running, second, second_digest, 2)


def test_killed_follower_and_worker_come_back(shared):
    running = shared.running
    follower = running.follower()
    os.kill(follower, signal.SIGKILL)
    eventually(lambda: running.follower() not in (None, follower))
    version, digest = shared.promote(6.0)
    now_on(running, version, digest, 2)
    killed = running.workers()[0]
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: len(running.workers()) == 2 and killed not in running.workers())
    now_on(running, version, digest, 2)
    for _ in range(20):
        assert running.predict().headers["X-Model-Version"] == version
