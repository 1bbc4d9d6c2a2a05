"""A trained project, made once: a copy of this repository in which `dvc repro` has run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "DVC_NO_ANALYTICS": "1",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}
os.environ.update(QUIET)


@dataclass(frozen=True)
class Project:
    """A project's folder, and the environment in which its commands run."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; what it printed is shown where it fails unexpectedly."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.full_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}")
        return done

    def full_environment(self) -> dict[str, str]:
        """Give the machine's environment without what steers MLflow and DVC, and this one."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**clean, **QUIET, "PATH": path, **self.environment}

    @property
    def store(self) -> str:
        return self.environment.get("MLFLOW_TRACKING_URI", f"sqlite:///{self.path}/mlflow.db")

    def on(self, tracking_uri: str) -> "Project":
        """Give the same project with another tracking store."""
        return replace(self, environment={**self.environment, "MLFLOW_TRACKING_URI": tracking_uri})

    def copy(self, path: Path) -> "Project":
        """Copy the project without its tracking store, which a new `dvc repro` makes anew."""
        ignored = shutil.ignore_patterns("mlflow.db*", "mlruns", "model_store")
        shutil.copytree(self.path, path, ignore=ignored, symlinks=True)
        return replace(self, path=path)


def copy_of_repository(path: Path) -> Project:
    """Copy what git would take of this repository, without its results, and commit it there."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and name != "dvc.lock":
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, path / name)
    project = Project(path)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "A copy")
    return project


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `dvc repro`, its dvc.lock committed. Not to be changed: copy it."""
    project = copy_of_repository(tmp_path_factory.mktemp("trained") / "project")
    project.run("dvc", "repro")
    project.run("git", "add", "--all")
    project.run("git", "commit", "--quiet", "--message", "The first result")
    return project


@pytest.fixture
def project(trained: Project, tmp_path: Path) -> Project:
    """A trained project of the test's own, with an empty tracking store."""
    return trained.copy(tmp_path / "project")
