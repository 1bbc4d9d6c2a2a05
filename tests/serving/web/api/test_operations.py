"""`/version` and `/metrics`: whether the service follows its stage, as far as a worker knows."""

import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.store import sync_status
from serving.store.sync_status import Status
from serving.store.versions import Version

DUE = 2 * 10 + 60 + 30 + 5  # two intervals, a look, a trial, and a moment


@pytest.fixture
def told(client, settings, stored):
    """Write what the follower found; gives what the service says of it."""

    def tell(outcome: str = "unchanged", *, age: float = 0.0, desired: Version = stored):
        moment = time.time() - age
        status = Status(outcome, "A sentence.", moment, moment, desired)
        sync_status.write(settings.store, status)
        text = client.get("/metrics").get_data(as_text=True)
        samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
        return client.get("/version").json, {sample.name: sample.value for sample in samples}

    return tell


def test_a_service_with_what_the_stage_names_is_in_step(told):
    version, figures = told()
    assert version["in_step"]
    assert version["sync"]["outcome"] == "unchanged"
    assert version["sync"]["overdue"] is False
    assert (figures["serving_sync_ok"], figures["serving_sync_overdue"]) == (1, 0)


@pytest.mark.parametrize(("age", "overdue"), [(DUE - 5, False), (DUE + 5, True)])
def test_a_report_that_is_overdue_is_told(told, age, overdue):
    """The follower hangs, is gone, or cannot write to the store."""
    version, figures = told(age=age)
    assert version["sync"]["overdue"] is overdue
    assert version["in_step"] is not overdue
    assert figures["serving_sync_overdue"] == overdue
    assert figures["serving_sync_ok"] == (not overdue)


@pytest.mark.parametrize("outcome", ["overdue", "failed", "store failed", "registry unreachable"])
def test_a_look_that_failed_leaves_it_open_whether_the_service_is_in_step(told, outcome):
    version, figures = told(outcome)
    assert not version["in_step"]
    assert figures["serving_sync_ok"] == 0


def test_a_service_that_answers_with_another_version_is_not_in_step(told, stored):
    other = Version(stored.name, "2", stored.stage, stored.digest)
    assert not told("refused", desired=other)[0]["in_step"]


def test_where_nothing_was_ever_followed_nothing_is_in_step(client):
    version = client.get("/version").json
    assert (version["sync"], version["in_step"]) == (None, False)
    assert "serving_sync_ok 0.0" in client.get("/metrics").get_data(as_text=True)
