"""Moving stages on a real registry: sqlite, and PostgreSQL behind an MLflow server."""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from mlflow import MlflowClient

from pipeline.promotion.transitions import complete_move, move, reconcile
from pipeline.registry.ledger_store import LEDGER_TAG, LedgerStore, OvertakenError
from pipeline.registry.stages import number_at, set_stage
from pipeline.tracking.experiment import Tracking
from serving.receipts.receipt import Gate
from tests.pipeline.dying import Dying, KilledError

NOWHERE = "s3://nowhere/model"  # a source that a server takes without looking
GATES = (Gate("max_brier", True, "it is so", 0.1, 0.2),)


@pytest.fixture(scope="module")
def sqlite_uri(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("moves") / "mlflow.db"
    shutil.copyfile(empty_store, path)
    return f"sqlite:///{path}"


@pytest.fixture
def uri(request: pytest.FixtureRequest) -> str:
    """Give a sqlite file, or the server where the test asks for both."""
    on_a_server = getattr(request, "param", "sqlite") == "postgresql"
    return str(request.getfixturevalue("shared_server" if on_a_server else "sqlite_uri"))


# What rests on how a database settles who was first, and what an interruption leaves in it.
ON_BOTH = pytest.mark.parametrize("uri", ["sqlite", "postgresql"], indirect=True)


def new_name() -> str:
    return f"model-{uuid4().hex}"


def connect(uri: str, experiment: str = f"moves-{uuid4().hex}") -> Tracking:
    client = MlflowClient(uri, uri)
    found = client.get_experiment_by_name(experiment)
    number = found.experiment_id if found else client.create_experiment(experiment)
    return Tracking(client, str(number), str(number), uri)


@pytest.fixture
def store(uri: str) -> LedgerStore:
    """A model of the test's own with three versions, none in a stage."""
    opened = LedgerStore(connect(uri), new_name())
    opened.ensure_model()
    for _ in range(3):
        opened.tracking.client.create_model_version(opened.name, NOWHERE)
    return opened


def to(version: str | None, **more: Any) -> Callable[[str | None], dict[str, Any]]:
    what = {"command": "promote", "outcome": "moved", "gates": GATES, **more}
    return lambda _: {**what, "target": version}


def at(store: LedgerStore, stage: str = "production") -> str | None:
    return number_at(store.tracking, store.name, stage)


def told(store: LedgerStore) -> list[tuple[str, str | None, str | None]]:
    return [(entry.outcome, entry.source, entry.target) for entry in store.read().entries]


def by_hand(store: LedgerStore, version: str | None) -> None:
    set_stage(store.tracking, store.name, "production", version)


def test_move_is_in_the_ledger_and_in_the_registry(store: LedgerStore) -> None:
    entry = move(store, "production", to("1", reason="the first", receipt="abc"))
    assert at(store) == "1"
    ledger = store.read()
    assert ledger.entries == (entry,)
    assert ledger.done == {1}
    assert (entry.source, entry.target, entry.reason) == (None, "1", "the first")
    assert entry.gates == GATES
    assert "@" in entry.actor


@ON_BOTH
def test_ledger_is_one_for_all_who_share_the_registry(store: LedgerStore, uri: str) -> None:
    move(store, "production", to("1"))
    elsewhere = LedgerStore(connect(uri, f"another than {store.name}"), store.name)
    assert elsewhere.read() == store.read()
    move(elsewhere, "production", to("2"))
    assert told(store) == [("moved", None, "1"), ("moved", "1", "2")]
    assert store.read().faults == ()


def test_refusal_is_written_down_and_moves_nothing(store: LedgerStore) -> None:
    move(store, "production", to("1"))
    move(store, "production", to("2", outcome="refused"))
    assert at(store) == "1"
    assert told(store)[-1] == ("refused", "1", "2")
    assert reconcile(store, "production").version_in("production") == "1"


@pytest.mark.parametrize("now", ["2", None])
def test_move_outside_is_recorded_before_the_next_move(store: LedgerStore, now: str | None) -> None:
    move(store, "production", to("1"))
    by_hand(store, now)
    seen = []
    move(store, "production", lambda source: seen.append(source) or to("3")(source))
    assert seen == [now]
    assert told(store) == [("moved", None, "1"), ("outside", "1", now), ("moved", now, "3")]
    assert at(store) == "3"


def test_stage_older_than_the_ledger_is_its_first_entry(uri: str) -> None:
    store = LedgerStore(connect(uri), new_name())
    client = store.tracking.client
    client.create_registered_model(store.name)
    for _ in range(2):
        client.create_model_version(store.name, NOWHERE)
    by_hand(store, "1")
    move(store, "production", to("2"))
    assert told(store) == [("outside", None, "1"), ("moved", "1", "2")]


@pytest.mark.parametrize(
    ("uri", "after"),
    [("sqlite", False), ("sqlite", True), ("postgresql", True)],
    ids=["before", "after", "after-postgresql"],
    indirect=["uri"],
)
def test_killed_move_is_made_good_by_the_next(store: LedgerStore, after: bool) -> None:
    move(store, "production", to("1"))
    steps = 0
    for step in count(1):
        target = "23"[step % 2]
        dying = Dying(store.tracking.client, step, after=after)
        number = store.tracking.experiment_id
        weak = LedgerStore(Tracking(dying, number, number, "x"), store.name)
        with suppress(KilledError):
            move(weak, "production", to(target))
            break
        steps = step
        ledger = reconcile(store, "production")
        assert at(store) == ledger.last_move("production").target
        assert ledger.unfinished("production") == []
        assert ledger.faults == ()
        assert [e for e in ledger.entries if e.outcome == "outside"] == []
    assert steps == 3, "to write the entry, to move the stage, to mark it"


def test_interrupted_move_to_a_deleted_version_blocks_nothing(
    store: LedgerStore,
) -> None:
    move(store, "production", to("1"))
    store.append(store.read(), stage="production", source="1", **to("2")("1"))
    store.tracking.client.delete_model_version(store.name, "2")
    assert reconcile(store, "production").version_in("production") == "1"
    ledger = store.read()
    assert ledger.unfinished("production") == []
    assert ledger.faults == ()
    assert told(store)[1:] == [("moved", "1", "2"), ("outside", "2", "1")]
    assert ledger.entries[-1].reason == "version 2 is no longer in the registry"
    move(store, "production", to("3"))
    assert at(store) == "3"


@ON_BOTH
def test_two_moves_at_once_are_both_written(store: LedgerStore, uri: str) -> None:
    move(store, "production", to("1"))
    ready = threading.Barrier(2, timeout=30)
    waited = threading.local()

    def promote(version: str) -> None:
        own = LedgerStore(connect(uri), store.name)

        def decide(source: str | None) -> dict[str, Any]:
            if not getattr(waited, "once", False):
                waited.once = True
                ready.wait()
            return to(version)(source)

        move(own, "production", decide)

    threads = [threading.Thread(target=promote, args=[version]) for version in "23"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    ledger = store.read()
    first, winner, last = ledger.entries
    assert {winner.target, last.target} == {"2", "3"}
    assert (winner.source, last.source) == (first.target, winner.target), "it decided anew"
    assert at(store) == last.target
    assert ledger.unfinished("production") == []
    assert ledger.faults == ()


@ON_BOTH
def test_who_is_overtaken_decides_on_what_is_there_now(store: LedgerStore) -> None:
    move(store, "production", to("1"))
    seen: list[str | None] = []

    def slow(source: str | None) -> dict[str, Any]:
        seen.append(source)
        if len(seen) == 1:
            move(store, "production", to("2"))
        return to("3")(source)

    move(store, "production", slow)
    assert seen == ["1", "2"]
    assert told(store)[1:] == [("moved", "1", "2"), ("moved", "2", "3")]


@ON_BOTH
def test_entry_is_never_written_over(store: LedgerStore) -> None:
    before = store.read()
    store.append(before, stage="production", source=None, **to("1")(None))
    with pytest.raises(OvertakenError):
        store.append(before, stage="production", source=None, **to("2")(None))
    assert [entry.target for entry in store.read().entries] == ["1"]


def test_who_is_slow_does_not_have_the_last_word(store: LedgerStore) -> None:
    """The first of two has written its entry, and moves the stage only after the second."""
    move(store, "production", to("1"))
    store.append(store.read(), stage="production", source="1", **to("2")("1"))
    move(store, "production", to("3"))
    by_hand(store, "2")  # what the slow one does when it goes on
    complete_move(store, "production")
    assert at(store) == "3"


@ON_BOTH
def test_deleted_ledger_is_restored_by_the_next_entry(store: LedgerStore) -> None:
    move(store, "production", to("1"))
    client = store.tracking.client
    client.delete_run(client.get_registered_model(store.name).tags[LEDGER_TAG])
    assert store.is_deleted()
    move(store, "production", to("2"))
    assert told(store) == [("moved", None, "1"), ("moved", "1", "2")]
    assert not store.is_deleted()


def test_long_reasons_and_sentences_are_kept_in_part(store: LedgerStore) -> None:
    gates = [Gate(f"gate {n}", False, "é" * 5000, 0.123456789, 0.1) for n in range(11)]
    entry = move(store, "production", to("1", gates=gates, reason="x" * 5000))
    assert len(entry.reason) == 500
    assert store.read().entries == (entry,)


def test_ledger_changed_in_the_database_is_seen(tmp_path: Path, empty_store: Path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(empty_store.read_bytes())
    store = LedgerStore(connect(f"sqlite:///{path}"), "changed")
    store.ensure_model()
    for _ in range(2):
        store.tracking.client.create_model_version(store.name, NOWHERE)
        move(store, "production", to("1"))
    assert store.read().faults == ()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE params SET value = replace(value, 'promote', 'register')")
    assert store.read().faults == ("entry 2 does not follow from entry 1",)
