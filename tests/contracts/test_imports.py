"""Arrows point one way: who may import whom."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

MODULES = [
    path.relative_to(ROOT).as_posix()
    for package in ("pipeline", "serving")
    for path in sorted((ROOT / package).rglob("*.py"))
]
MAY_IMPORT_MLFLOW = {
    "pipeline/candidates.py",
    "pipeline/live.py",
    "pipeline/runs.py",
    "pipeline/tracking.py",
    "pipeline/ledgerstore.py",
    "pipeline/registry.py",
    "serving/following/registry.py",
}
WEB = {"serving/app.py", "serving/wsgi.py"}
# The guide's first application: beside the service, not of it.
HELLO = "serving/hello.py"
WHAT_PIPELINE_SHARES = {
    "serving.contract",
    "serving.receipt",
    "serving.rules",
    "serving.scorer",
    "serving.signing",
}
PURE = {
    "pipeline/calls.py",
    "pipeline/card.py",
    "pipeline/comparison.py",
    "pipeline/columns.py",
    "pipeline/estimate.py",
    "pipeline/profile.py",
    "pipeline/section.py",
    "pipeline/sentinels.py",
    *(module for module in MODULES if module.startswith("pipeline/search/")),
    "pipeline/metrics.py",
    "pipeline/gates.py",
    "pipeline/compatibility.py",
    "pipeline/ledger.py",
    "pipeline/model.py",
    "pipeline/encoding.py",
    "pipeline/export.py",
    "pipeline/paired.py",
    "pipeline/graph.py",
    "pipeline/parity.py",
    "pipeline/recoding.py",
    "pipeline/subgroups.py",
}


def imported(module: str) -> set[str]:
    """Give the dotted names of all that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def printed_by(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def packages(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported(module)}


def test_there_are_modules_to_look_at() -> None:
    assert {"pipeline/tracking.py", "serving/contract.py"} <= set(MODULES)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("serving/")])
def test_serving_never_imports_the_pipeline(module: str) -> None:
    assert "pipeline" not in packages(module)


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("pipeline/")])
def test_the_pipeline_shares_only_contract_and_scorer(module: str) -> None:
    ours = {name for name in imported(module) if name.startswith("serving")}
    assert all(
        any(name == shared or name.startswith(f"{shared}.") for shared in WHAT_PIPELINE_SHARES)
        for name in ours
    )


@pytest.mark.parametrize("module", MODULES)
def test_mlflow_is_imported_only_where_runs_and_versions_are(module: str) -> None:
    assert ("mlflow" in packages(module)) == (module in MAY_IMPORT_MLFLOW)


@pytest.mark.parametrize("module", MODULES)
def test_flask_is_imported_only_in_the_web_part(module: str) -> None:
    """What every request passes (front, access, keys, body, reader, errors, ...) is not of it."""
    web = module in WEB | {HELLO} or module.startswith("serving/api/")
    assert "flask" not in packages(module) or web


def test_the_guide_s_first_application_stands_alone() -> None:
    assert packages(HELLO) == {"flask", "markupsafe"}
    assert [module for module in MODULES if "serving.hello" in imported(module)] == []


def test_what_every_request_passes_brings_no_flask_with_it() -> None:
    """Nor do gunicorn's worker and the processes beside it, through whatever they import."""
    script = (
        "import serving.front, serving.worker, sys;"
        "import serving.following.watch, serving.following.follow;"
        "print({'flask', 'mlflow'} & set(sys.modules))"
    )
    assert printed_by(script) == "set()\n"


def test_gunicorn_s_master_does_not_import_prometheus_client() -> None:
    """It must come after the folder of the figures is named, which is in the workers."""
    script = (
        "import sys, runpy; runpy.run_path('serving/gunicorn.conf.py'); import serving.worker;"
        "print('prometheus_client' in sys.modules)"
    )
    assert printed_by(script) == "False\n"


def test_only_the_follower_leads_to_the_registry() -> None:
    """A process that answers never comes to import mlflow."""
    users = {
        name: [module for module in MODULES if f"serving.following.{name}" in imported(module)]
        for name in ("registry", "sync", "follow")
    }
    assert users == {
        "registry": ["serving/following/sync.py"],
        "sync": ["serving/following/follow.py"],
        "follow": [],
    }


def test_the_contract_is_the_ground_floor() -> None:
    assert packages("serving/contract.py") & {"serving", "pipeline", "flask", "mlflow"} == set()


@pytest.mark.parametrize("module", sorted(PURE))
def test_a_pure_module_knows_no_path_and_no_store(module: str) -> None:
    known = imported(module)
    if module == "pipeline/search/checkpoint.py":  # the one that knows a file
        known -= {"pathlib"}
    assert not known & {"pathlib", "os", "mlflow", "pipeline.tracking", "pipeline.registry"}


def test_no_module_of_the_service_imports_what_trains() -> None:
    for module in MODULES:
        if module.startswith("serving/"):
            assert not packages(module) & {"sklearn", "pandas", "scipy", "matplotlib"}, Path(module)
