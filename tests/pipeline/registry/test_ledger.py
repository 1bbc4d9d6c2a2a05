"""The ledger as it is read: chained, and what was changed, taken out or interrupted is seen."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from pipeline.registry.ledger import Entry, Ledger, digest, summary
from serving.receipts.receipt import Gate

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


def stored(*moves: dict[str, object]) -> dict[str, str]:
    """Write moves a day apart, as a store keeps them, each marked as done."""
    kept: dict[str, str] = {}
    previous = ""
    for number, move in enumerate(moves, start=1):
        entry = Entry(
            **{
                "number": number,
                "time": START + timedelta(days=number),
                "actor": "ann@desk",
                "command": "promote",
                "stage": "production",
                "outcome": "moved",
                "source": None,
                "target": str(number),
                "previous": previous,
                **move,
            }
        )
        kept[f"entry.{number:06d}"] = entry.to_text()
        kept[f"done.{number:06d}"] = "done"
        previous = digest(entry.to_text())
    return kept


THREE = stored({}, {}, {})


def test_what_was_written_is_read_in_order() -> None:
    ledger = Ledger.parse({**dict(reversed(THREE.items())), "another": "parameter"})
    assert [entry.target for entry in ledger.entries] == ["1", "2", "3"]
    assert ledger.faults == ()
    assert ledger.last == 3
    assert ledger.head == digest(THREE["entry.000003"])


def test_an_empty_ledger_has_no_fault_and_begins_with_one() -> None:
    ledger = Ledger.parse({})
    assert (ledger.last, ledger.head, ledger.faults) == (0, "", ())
    assert ledger.last_move("production") is None


def change(key: str, old: str, new: str) -> dict[str, str]:
    assert old in THREE[key]
    return {**THREE, key: THREE[key].replace(old, new)}


@pytest.mark.parametrize(
    ("kept", "fault"),
    [
        (change("entry.000002", "ann@desk", "bob@desk"), "entry 3 does not follow from entry 2"),
        (change("entry.000002", '"to":"2"', '"to":"1"'), "entry 3 does not follow from entry 2"),
        (change("entry.000002", '"number":2', '"number":7'), "entry 2 does not follow"),
        (change("entry.000002", "{", "<"), "entry 2 does not parse"),
        ({k: v for k, v in THREE.items() if "2" not in k}, "entry 2 is missing"),
        ({k: v for k, v in THREE.items() if "1" not in k}, "entry 1 is missing"),
    ],
)
def test_what_was_changed_or_taken_out_is_found(kept: dict[str, str], fault: str) -> None:
    assert any(fault in found for found in Ledger.parse(kept).faults)


def test_a_fault_hides_none_of_the_entries_that_can_be_read() -> None:
    ledger = Ledger.parse(change("entry.000002", "{", "<"))
    assert [entry.number for entry in ledger.entries] == [1, 3]
    assert ledger.last == 3


def test_a_stage_stands_where_its_last_move_says_and_stood_where_it_said_then() -> None:
    ledger = Ledger.parse(
        stored({}, {"stage": "staging"}, {"outcome": "refused"}, {"outcome": "outside"})
    )

    def at(day: float, stage: str = "production") -> str | None:
        found = ledger.last_move(stage, until=START + timedelta(days=day))
        return found.target if found else None

    assert [at(0.9), at(1), at(3.5), at(4)] == [None, "1", "1", "4"]
    assert [at(1.9, "staging"), at(2, "staging")] == [None, "2"]


def test_a_move_without_its_mark_is_unfinished() -> None:
    kept = stored({}, {"outcome": "refused"}, {"stage": "staging"}, {})
    for number in (2, 3, 4):
        del kept[f"done.{number:06d}"]
    ledger = Ledger.parse(kept)
    assert [entry.number for entry in ledger.unfinished("production")] == [4]
    assert [entry.number for entry in ledger.unfinished("staging")] == [3]


def test_the_versions_that_a_stage_held_are_given_the_latest_first() -> None:
    ledger = Ledger.parse(
        stored({}, {}, {"target": "1"}, {"outcome": "refused", "target": "9"}, {"target": None})
    )
    assert ledger.past_versions("production") == ["1", "2"]


def test_an_entry_says_from_and_to_in_the_store() -> None:
    entry = msgspec.json.decode(THREE["entry.000001"])
    assert (entry["from"], entry["to"]) == (None, "1")


def test_the_gates_are_summed_up_in_a_few_words() -> None:
    good, bad = Gate("max_brier", True, ""), Gate("contract", False, "")
    assert summary([]) == ""
    assert summary([good, good]) == "all 2 gates passed"
    assert summary([good, bad]) == "failed: contract"


@pytest.mark.parametrize(
    ("targets", "replaced"),
    [
        ([("promote", "1")], None),
        ([("promote", "1"), ("promote", "2")], "1"),
        ([("promote", "1"), ("", None), ("", "2")], "1"),
        ([("promote", "1"), ("promote", "2"), ("promote", "2")], "1"),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1")], None),
        ([("promote", "1"), ("promote", "2"), ("promote", "3"), ("rollback", "2")], "1"),
    ],
    ids=["the first", "the next", "by hand", "twice", "back to the first", "back"],
)
def test_a_version_took_the_place_of_the_one_before_it(
    targets: list[tuple[str, str | None]], replaced: str | None
) -> None:
    ledger = Ledger.parse(stored(*({"command": c, "target": t} for c, t in targets)))
    assert ledger.predecessor("production", str(targets[-1][1])) == replaced
