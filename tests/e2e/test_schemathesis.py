"""Requests made up from the service's own OpenAPI document: none fails it, none is a surprise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.running import CONTRACTS, EXPLAINED, keep, running
from tests.serving.explained_model import write_svm

CONFIG = """
seed = 1
max-failures = 20

[generation]
max-examples = 15
deterministic = true
database = "none"

# Of a media type with a generator of its own it takes no examples;
# tests/serving/web/openapi/test_document.py sends them all.
[phases]
examples.enabled = false
stateful.enabled = false

# What schemathesis does not expect of invalid data: too many rows, a body that does not arrive.
[checks.negative_data_rejection]
expected-statuses = [400, 404, 405, 408, 413, 415, 422]

# No schema can say that data fits its shape,
[[operations]]
include-operation-id = ["modelInfer", "versionInfer"]
checks.positive_data_acceptance.enabled = false

# or that columns are of one length; where that is none, there is no row that could be wrong.
[[operations]]
include-operation-id = "invocations"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"""


@pytest.mark.parametrize("name", CONTRACTS)
def test_no_request_is_a_surprise_to_the_service(tmp_path: Path, name: str) -> None:
    store = keep(CONTRACTS[name], tmp_path)
    with running(tmp_path, SERVING_STORE=str(store), SERVING_MAX_ROWS="20") as url:
        assert requests_made_up(tmp_path, url, name) > 500


@pytest.mark.parametrize("name", EXPLAINED)
def test_no_request_for_an_explanation_is_a_surprise_to_the_service(
    tmp_path: Path, name: str
) -> None:
    store = keep(EXPLAINED[name], tmp_path, write_svm)
    with running(tmp_path, SERVING_STORE=str(store), SERVING_MAX_EXPLAINED="20") as url:
        assert requests_made_up(tmp_path, url, name, "--include-path", "/explain") > 50


def requests_made_up(folder: Path, url: str, name: str, *words: str) -> int:
    """Let schemathesis ask the service what it makes up, and give how many requests these were."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli"),
            *("--config-file", str(folder / "schemathesis.toml")),
            *("run", f"{url}/openapi.json", "--no-color", *words),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.e2e.csv_bodies",
            "CSV_BODIES_OF": name,
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (generated,) = re.findall(r"(\d+) generated", done.stdout)
    return int(generated)
