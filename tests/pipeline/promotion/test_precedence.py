"""Which result may take a stage by itself, by the ledger alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.lineage.git import Checkout
from pipeline.params import Gates, PromoteFrom, Register
from pipeline.promotion.precedence import Contender, barred, later_move, why_not
from pipeline.promotion.rollback import candidates
from pipeline.registry.ledger import Entry, Ledger

AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
HERE = Checkout("main", changed=False, ci=False)


def settings(**changes: Any) -> Register:
    return Register(gates=Gates(max_roc_auc_drop=0.05), **changes)


def contender(version: int | str, experiment: str = "", *, new: bool = False) -> Contender:
    return Contender(str(version), f"of {version}", experiment, new, HERE)


@dataclass
class Team:
    """A registry that the rules alone move: its ledger, and its newest version."""

    entries: list[Entry] = field(default_factory=list)
    newest: int = 0

    @property
    def ledger(self) -> Ledger:
        return Ledger(tuple(self.entries))

    def at(self, stage: str = "production") -> str | None:
        return self.ledger.version_in(stage)

    def write(
        self, command: str, target: int | str, stage: str = "production", **more: Any
    ) -> None:
        what = {"outcome": "moved", "newest": self.newest, "digest": f"of {target}", **more}
        number, source = len(self.entries) + 1, self.at(stage)
        self.entries.append(
            Entry(
                number=number,
                time=AT,
                actor="ann",
                command=command,
                stage=stage,
                source=source,
                target=str(target),
                **what,
            )
        )

    def come_out(self, one: Contender, *, passes: bool = True) -> None:
        """Let a result come out of the pipeline, as `place` does."""
        self.newest = max(self.newest, int(one.version))
        for stage in ("staging", "production"):
            kept = self.at(stage) == one.version or why_not(self.ledger, stage, one, settings())
            if not kept and (passes or stage == "staging"):
                self.write("register", one.version, stage, experiment=one.experiment)

    def roll_back(self) -> None:
        for version in candidates(self.ledger, self.ledger.version_in("production"))[:1]:
            self.write("rollback", version)


@pytest.fixture
def team() -> Team:
    """A team with version 1, then 2 in production, each by `dvc repro`."""
    made = Team()
    for version in (1, 2):
        made.come_out(contender(version, new=True))
    assert made.at() == made.at("staging") == "2"
    return made


def test_older_result_moves_no_stage(team: Team) -> None:
    team.come_out(contender(1))
    assert (team.at(), team.at("staging")) == ("2", "2")
    told = why_not(team.ledger, "production", contender(1), settings())
    assert told == (
        "version 2 came later (ann, 2026-03-01 09:30); "
        "`python -m pipeline promote 1 --to production` decides"
    )


def test_newer_result_takes_both_stages(team: Team) -> None:
    team.come_out(contender(3, new=True))
    assert (team.at(), team.at("staging")) == ("3", "3")


def test_result_from_before_the_promotion_leaves_it(team: Team) -> None:
    """An experiment was registered as version 3, then somebody promoted version 1."""
    team.come_out(contender(3, "wide", new=True))
    team.write("promote", 1)
    assert later_move(team.ledger, "production", contender(3)) == team.entries[-1]
    team.come_out(contender(4, new=True))
    assert team.at() == "4"


def test_of_two_runs_at_once_the_newer_version_wins() -> None:
    team = Team(newest=3)
    for version in (3, 2):
        team.come_out(contender(version, new=True))
    assert team.at() == "3"
    team = Team(newest=3)
    for version in (2, 3):
        team.come_out(contender(version, new=True))
    assert team.at() == "3"


def test_ledger_without_the_newest_version_is_read(team: Team) -> None:
    old = [msgspec.structs.replace(entry, newest=0, experiment=None) for entry in team.entries]
    team = Team(old, newest=2)
    assert later_move(team.ledger, "production", contender(1))
    assert later_move(team.ledger, "production", contender(3)) is None
    team.write("rollback", 1, newest=0)
    assert later_move(team.ledger, "production", contender(2)) == team.entries[-1]


def test_model_registered_again_is_as_old_as_it_was(team: Team) -> None:
    again = Contender("3", "of 1", "", True, HERE)
    assert later_move(team.ledger, "production", again) == team.entries[-1]
    assert later_move(team.ledger, "production", contender(3, new=True)) is None


@pytest.mark.parametrize(("outside", "version", "kept"), [("1", 2, False), ("3", 2, True)])
def test_stage_moved_outside_counts_from_its_last_promotion(
    team: Team, outside: str, version: int, kept: bool
) -> None:
    team.write("", outside, outcome="outside", newest=0)
    assert bool(later_move(team.ledger, "production", contender(version))) is kept


def test_version_rolled_back_from_does_not_fill_an_empty_stage(team: Team) -> None:
    team.write("rollback", 1)
    team.entries.append(
        msgspec.structs.replace(team.entries[-1], number=9, outcome="outside", target=None)
    )
    assert team.at() is None
    assert "back from version 2" in why_not(team.ledger, "production", contender(2), settings())
    assert why_not(team.ledger, "production", contender(3), settings()) == ""


@pytest.mark.parametrize(
    ("auto_promote", "experiment", "empty", "promoted"),
    [
        ("repro", "", False, True),
        ("repro", "wide", False, False),
        ("repro", "wide", True, True),
        ("always", "wide", False, True),
        ("never", "", False, False),
        ("never", "wide", True, False),
        (True, "wide", False, False),
        (True, "", False, True),
        (False, "", True, False),
    ],
)
def test_settings_say_what_is_promoted_by_itself(
    team: Team, auto_promote: Any, experiment: str, empty: bool, promoted: bool
) -> None:
    ledger = Ledger() if empty else team.ledger
    one = contender(3, experiment, new=True)
    told = why_not(ledger, "production", one, settings(auto_promote=auto_promote))
    assert (told == "") is promoted


@pytest.mark.parametrize(
    ("found", "clean", "missing"),
    [
        (HERE, True, ""),
        (HERE._replace(changed=True), True, "tracked files differ from HEAD"),
        (HERE._replace(changed=True), False, ""),
        (HERE._replace(branch="try"), True, "branch main, and this is branch try"),
        (HERE._replace(branch=""), True, "this is no branch"),
        (Checkout("", changed=True, ci=True), True, ""),
    ],
)
def test_protected_registry_takes_one_branch_or_ci(
    found: Checkout, clean: bool, missing: str
) -> None:
    told = barred(PromoteFrom(branch="main", clean=clean), found)
    assert (missing in told) if missing else (told == "")


def test_registry_is_not_protected_by_itself() -> None:
    assert barred(None, HERE._replace(branch="try", changed=True)) == ""


# A person (0 or 1), what they do, and a number: which version is meant, or whether gates pass.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["repro", "changed", "experiment", "promote", "rollback"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


@given(STEPS)
def test_production_moves_only_if_it_is_meant(steps: list[tuple[int, str, int]]) -> None:
    team, workspaces, left = Team(), [0, 0], set[str]()
    for person, action, number in steps:
        before, arrival = team.at(), team.ledger.last_move("production")
        version = workspaces[person]
        if action in ("changed", "experiment"):
            version = workspaces[person] = team.newest + 1
        if action == "promote" and team.newest:
            version = number % team.newest + 1
            team.write("promote", version)
            left.discard(str(version))
        elif action == "rollback":
            team.roll_back()
            assert team.at() == before or team.at() not in left
            left |= {before} if team.at() != before and before else set()
        elif version:
            name = "wide" if action == "experiment" else ""
            one = contender(version, name, new=action != "repro")
            team.come_out(one, passes=number > 0)
            if team.at() != before:
                assert team.at() == str(version)
                assert number > 0, "its gates passed"
                assert before is None or (not name and version > int(before)), "it is newer"
            if arrival and action == "repro" and version <= arrival.newest:
                assert team.at() == before, "it was there when production was moved"
        assert team.at() not in left, "a version that was rolled back from"
