"""A copy of the project in a folder of its own, and commands run there."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE = "data/diabetes.csv"
OURS = (
    "pipeline",
    "serving",
    TABLE,
    "data/none",
    "dvc.yaml",
    "params.yaml",
    ".dvc/config",
    ".dvcignore",
)
# What somebody's shell sets for these must not reach what is measured.
SET_BY_OTHERS = ("MLFLOW_", "SERVING_", "GUNICORN_")


def copy_project(folder: Path, more: Iterable[str] = ()) -> Path:
    """Copy what `dvc repro` needs, and `more`, to a new repository."""
    folder.mkdir()
    for name in (*OURS, *more):
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    run(folder, "git", "init", "--quiet")
    return folder


def environment() -> dict[str, str]:
    found = {k: v for k, v in os.environ.items() if not k.startswith(SET_BY_OTHERS)}
    found |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "1"}
    found["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{found['PATH']}"
    return found


def run(folder: Path, *command: str, variables: dict[str, str] | None = None) -> str:
    """Return what a command writes to stdout; where it fails, so does the bench."""
    done = subprocess.run(
        command, cwd=folder, env=environment() | (variables or {}), capture_output=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
    return done.stdout.decode()


def seconds(folder: Path, *command: str) -> float:
    start = time.perf_counter()
    run(folder, *command)
    return time.perf_counter() - start
