"""DVC: the project's changed stages, and test rows by their digest."""

import sys
from collections.abc import Mapping
from functools import cache
from hashlib import md5
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import PipelineError
from pipeline.files import project_root
from pipeline.lineage.dvc_lock import check_merged
from serving.console import run_command

LOCK = Path("dvc.lock")
DELETED = "deleted"  # DVC's word for a file that is not there


def changed_stages() -> dict[str, str]:
    """Ask DVC which stages would run again, and why; raises PipelineError for an unmerged lock."""
    check_merged(LOCK)
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    asked = run_command(command, project_root())
    if asked.returncode != 0:
        return {"dvc": " ".join(asked.stderr.split())[:300]}
    found: Mapping[str, list[Any]] = msgspec.json.decode(asked.stdout or "{}")
    return {stage: why for stage, changes in found.items() if (why := _why(changes))}


def can_pull(changed: Mapping[str, str]) -> bool:
    """True if files of stages are missing, as in a fresh clone, and a DVC remote may have them."""
    if not any(f" {DELETED}" in why for why in changed.values()):
        return False
    command = [sys.executable, "-m", "dvc", "remote", "list"]
    asked = run_command(command, project_root())
    return asked.returncode == 0 and bool(asked.stdout.strip())


def _why(changes: list[Any]) -> str:
    """Name what changed; that `register` always runs is no change."""
    names = [
        f"{path} {_how(how)}"
        for change in changes
        if isinstance(change, dict)
        for paths in change.values()
        if isinstance(paths, dict)
        for path, how in paths.items()
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _how(how: object) -> str:
    """Name the kind of change; of params.yaml DVC names the sections."""
    return f"({', '.join(how)})" if isinstance(how, dict) else str(how)


def dvc_command(settings: tuple[str, ...]) -> list[str]:
    """Return the command to run; a setting without a value (`key=`) stays as params.yaml has it.

    Raises PipelineError for an unmerged lock.
    """
    check_merged(LOCK)
    given = [setting for setting in settings if not setting.endswith("=")]
    dvc = [sys.executable, "-m", "dvc"]
    if not given:
        return [*dvc, "repro"]
    return [*dvc, "exp", "run", *(word for setting in given for word in ("-S", setting))]


TEST = Path("data/test.csv")

CACHE = ".dvc/cache"


def find_test_rows(digest: str) -> Path:
    """Return the file with this md5: the test split as it is now, or as DVC keeps it in its cache.

    Raises PipelineError, with what to type, where neither is it.
    """
    found = find_file(TEST, digest)
    if found is not None:
        return found
    raise PipelineError(
        f"the test rows with the md5 {digest} are neither in {TEST} nor in DVC's cache: "
        "`dvc fetch --all-commits` brings them from the project's remote; without one, run "
        "`dvc repro` at the commit of that run"
    )


def find_file(path: Path, digest: str) -> Path | None:
    """Return the file with this md5: in its place, or as DVC keeps it in its cache."""
    here = project_root() / path
    if _is(here, digest):
        return here
    cached = _in_cache(digest)
    return cached if _is(cached, digest) else None


def is_kept(digest: str) -> bool:
    """True if DVC's cache has the file with this md5."""
    return _in_cache(digest).is_file()


def _in_cache(digest: str) -> Path:
    return _cache(project_root()) / "files" / "md5" / digest[:2] / digest[2:]


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and md5(path.read_bytes()).hexdigest() == digest


@cache
def _cache(root: Path) -> Path:
    """Ask DVC for a project's cache, which its configuration may put elsewhere."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    asked = run_command(command, root)
    return root / (asked.stdout.strip() if asked.returncode == 0 else CACHE)
