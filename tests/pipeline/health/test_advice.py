"""What is out of step, and what to type: sentences of an overview that is made up."""

from datetime import UTC, datetime

import msgspec
import pytest

from pipeline.health.advice import advice
from pipeline.health.finding import Finding
from pipeline.health.overview import Git, LastRun, Overview, ServiceLine, VersionLine

EARLY, LATE = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2))
RESULT = LastRun("r1", "tall-reef", EARLY, "FINISHED", "d2", 0.8, "")
FAILURE = LastRun("r2", "", LATE, "FAILED", "", None, "evaluate: no rows")
VERSIONS = [
    VersionLine("1", "d1", [], "failed", None),
    VersionLine("2", "d2", ["production"], "passed", None),
]
IN_STEP = Overview("m", Git("c", False), {}, RESULT, None, VERSIONS, [], None)
URL = "http://x"


def serving(**changes):
    return ServiceLine(URL, **{"version": "2", "digest": "d2", **changes})


def in_production(number, **changes):
    stages = {"stages": ["production"], **changes}
    return [
        msgspec.structs.replace(v, **(stages if v.version == number else {"stages": []}))
        for v in VERSIONS
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, []),
        ({"service": serving()}, []),
        ({"changed": {"evaluate": "", "register": ""}}, ["evaluate, register would run again"]),
        (
            {"changed": {"evaluate": "x deleted"}, "can_pull": True},
            [
                "files of the last result are missing, as in a fresh clone",
                "evaluate would run again",
            ],
        ),
        ({"last_run": None}, ["there is no result yet"]),
        ({"last_failure": FAILURE}, ["the last run failed in evaluate: no rows"]),
        (
            {"last_failure": msgspec.structs.replace(FAILURE, started=EARLY)},
            [],
        ),
        ({"versions": in_production("")}, ["no version is in production"]),
        (
            {"versions": in_production("2", gates="forced")},
            ["version 2 is in production, and its gates say: forced"],
        ),
        (
            {"versions": in_production("1", gates="passed")},
            ["the last result is version 2, production is version 1"],
        ),
        (
            {"service": serving(problem="it does not answer")},
            [f"the service at {URL}: it does not answer"],
        ),
        (
            {"service": serving(refused="it has no receipt")},
            ["the service refuses what the stage names: it has no receipt"],
        ),
        (
            {"service": serving(version=None, digest=None)},
            ["the service answers with no version, production is version 2"],
        ),
    ],
)
def test_what_is_out_of_step(changes, told):
    found = list(advice(msgspec.structs.replace(IN_STEP, **changes), []))
    assert [each.what for each in found] == told
    assert all(each.type for each in found)


FOREIGN = VersionLine("3", "", ["production"], "no receipt", None)


@pytest.mark.parametrize(
    ("versions", "can_go_back", "command"),
    [
        ([*in_production(""), FOREIGN], True, "python -m pipeline rollback"),
        ([*in_production(""), FOREIGN], False, "python -m pipeline promote 2 --to production"),
        ([FOREIGN], False, "dvc repro"),
    ],
)
def test_way_out_of_foreign_version_is_one_that_works(versions, can_go_back, command):
    changes = {"versions": versions, "can_go_back": can_go_back}
    (found, *_) = advice(msgspec.structs.replace(IN_STEP, **changes), [])
    assert found.what == "version 3 is in production, and `dvc repro` did not register it"
    assert found.type == command


def test_finding_has_the_command_that_fixes_it():
    findings = [
        Finding("stages", "fault", "moved", lambda: "done"),
        Finding("ledger", "fault", "damaged"),
        Finding("versions", "fault", "deleted", command="dvc repro"),
    ]
    assert [(each.what, each.type) for each in advice(IN_STEP, findings)] == [
        ("moved", "python -m pipeline doctor --fix"),
        ("damaged", "python -m pipeline doctor"),
        ("deleted", "dvc repro"),
    ]
