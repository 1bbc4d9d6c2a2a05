"""What the follower leaves for the workers to read."""

import time

import pytest

from serving.store import sync_status
from serving.store.sync_status import Refusal, Status
from serving.store.versions import Version

REFUSED = Refusal("2", "b" * 64, "it lies", 1.5, "digest=b gates=passed")
OTHER = Refusal("1", "a" * 64, "it is damaged", 1.0, "digest=a gates=passed")


def of(**more) -> Status:
    return Status(**{"outcome": "updated", "detail": "A sentence.", "checked_at": 2.0, **more})


def test_what_is_written_is_read(tmp_path):
    desired = Version("heart", "2", "production", "b" * 64)
    whole = of(reached_at=2.0, desired=desired, refused=(REFUSED, OTHER))
    sync_status.write(tmp_path / "store", whole)
    assert sync_status.read(tmp_path / "store") == whole
    sync_status.write(tmp_path / "store", of())
    assert sync_status.read(tmp_path / "store") == of()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["sync.json"]


def test_it_is_replaced_not_rewritten(tmp_path):
    """A reader that has the old one open goes on seeing all of it."""
    sync_status.write(tmp_path, of(detail="The first."))
    with (tmp_path / "sync.json").open() as opened:
        sync_status.write(tmp_path, of(detail="The second."))
        assert "The first." in opened.read()


def test_where_nothing_was_ever_followed_there_is_none(tmp_path):
    assert sync_status.read(tmp_path) is None
    assert sync_status.read(tmp_path / "no" / "store") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"outcome": "updated"}', b"\xff"])
def test_what_is_no_status_is_none(tmp_path, content):
    (tmp_path / "sync.json").write_bytes(content)
    assert sync_status.read(tmp_path) is None


@pytest.mark.parametrize(
    ("outcome", "good"),
    [("updated", True), ("unchanged", True), ("refused", False), ("registry unreachable", False)],
)
def test_a_sync_is_good_where_the_store_holds_what_the_stage_names(outcome, good):
    assert of(outcome=outcome).good is good


def test_a_refusal_holds_for_the_latest_version_while_the_registry_says_the_same_of_it():
    found = of(refused=(REFUSED, OTHER))
    assert found.refusal_of("2", REFUSED.claims) == REFUSED
    assert found.refusal_of("2", "digest=c gates=passed") is None
    assert found.refusal_of("1", OTHER.claims) is None
    assert of().refusal_of("2", REFUSED.claims) is None


def test_a_clock_that_was_set_back_makes_nothing_younger_than_new():
    assert sync_status.age(None) is None
    assert sync_status.age(time.time() - 60) == pytest.approx(60, abs=5)
    assert sync_status.age(time.time() + 60) == 0


@pytest.mark.parametrize(
    "spoilt",
    [
        {"checked_at": float("inf")},
        {"desired": Version("heart", "7é", "production", "b" * 64)},
        {"detail": "\ud800"},
    ],
)
def test_a_status_that_could_not_be_read_back_leaves_the_last_one(tmp_path, spoilt):
    sync_status.write(tmp_path, of())
    with pytest.raises(ValueError):  # noqa: PT011 (msgspec's and Python's own)
        sync_status.write(tmp_path, of(**spoilt))
    assert sync_status.read(tmp_path) == of()
