"""The origin of a result: dvc.lock, which DVC writes stage by stage."""

import json
import os
from dataclasses import dataclass
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError
from pipeline.files import conflict_line

REPRODUCE = "run `dvc repro`"


@dataclass(frozen=True)
class Lock:
    """The stages of dvc.lock that lead to a model, and the digests of what they read and wrote."""

    stages: dict[str, Any]

    @classmethod
    def read(cls, path: Path, stages: list[str]) -> "Lock":
        """Raise PipelineError where a stage has not been run."""
        try:
            check_merged(path)
            locked = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))["stages"]
            return cls({name: locked[name] for name in stages})
        except (OSError, KeyError, TypeError) as error:
            raise PipelineError(f"{path} does not have every stage: {REPRODUCE}") from error
        except YAMLError as error:
            raise PipelineError(
                f"{path} is not valid YAML: `git checkout {path}`, then {REPRODUCE}"
            ) from error

    def fingerprint(self) -> str:
        """Sha256 over each stage's command, dependencies (data and code) and parameters."""
        inputs = {
            name: {
                "cmd": stage["cmd"],
                "deps": {dep["path"]: dep["md5"] for dep in stage.get("deps", [])},
                "params": stage.get("params", {}),
            }
            for name, stage in self.stages.items()
        }
        return sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()

    def md5(self, path: Path) -> str:
        """Return the digest that DVC recorded for a file that a stage read or wrote."""
        wanted = os.path.relpath(path)  # as DVC writes what is inside the project
        for stage in self.stages.values():
            for entry in [*stage.get("outs", []), *stage.get("deps", [])]:
                if os.path.relpath(entry["path"]) == wanted:
                    return str(entry["md5"])
        raise PipelineError(f"dvc.lock does not know {path}: {REPRODUCE}")

    def check_unchanged(self, path: Path) -> None:
        """Raise PipelineError where a file is not the one that the stages wrote."""
        try:
            actual = _directory_md5(path) if path.is_dir() else md5(path.read_bytes()).hexdigest()
        except OSError as error:
            raise PipelineError(f"{path} cannot be read: {REPRODUCE}") from error
        if actual != self.md5(path):
            raise PipelineError(f"{path} is not what dvc.lock records of it: {REPRODUCE}")


def check_merged(path: Path) -> None:
    """Raise PipelineError for a lock file that a merge left with conflicts."""
    line = conflict_line(path.read_text(encoding="utf-8")) if path.exists() else None
    if line is not None:
        raise PipelineError(
            f"{path} has conflict markers of git at line {line}: "
            f"`git checkout --theirs {path}` takes one side, then {REPRODUCE}, which writes it anew"
        )


def _directory_md5(folder: Path) -> str:
    """Digest a folder as DVC does: the md5 of its list of files and their md5s."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    entries = [
        {"md5": md5(path.read_bytes()).hexdigest(), "relpath": path.relative_to(folder).as_posix()}
        for path in files
    ]
    entries.sort(key=lambda entry: entry["relpath"])
    return md5(json.dumps(entries, sort_keys=True).encode()).hexdigest() + ".dir"
