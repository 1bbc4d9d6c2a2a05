"""What only a running process shows of who imports whom; `lint-imports` checks the rest."""

import ast
import subprocess
import sys

from tests.conftest import ROOT


def imported(module: str) -> set[str]:
    """Return the dotted names of all that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def printed_by(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_guide_s_first_application_stands_alone() -> None:
    packages = {name.split(".")[0] for name in imported("docs/examples/hello.py")}
    assert packages == {"flask", "markupsafe"}


def test_what_every_request_passes_brings_no_flask_with_it() -> None:
    """Nor do gunicorn's worker and the processes beside it, through whatever they import."""
    script = (
        "import serving.web.middleware, serving.server.worker, sys;"
        "import serving.web.watcher, serving.following.follower;"
        "print({'flask', 'mlflow'} & set(sys.modules))"
    )
    assert printed_by(script) == "set()\n"


def test_gunicorn_s_master_does_not_import_prometheus_client() -> None:
    """It must come after the folder of the figures is named, which is in the workers."""
    script = (
        "import sys, runpy; runpy.run_path('serving/server/gunicorn.conf.py');"
        "import serving.server.worker;"
        "print('prometheus_client' in sys.modules)"
    )
    assert printed_by(script) == "False\n"
