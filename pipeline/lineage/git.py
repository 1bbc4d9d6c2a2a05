"""Git: the project's commit and branch, and the files of a commit."""

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

from serving.console import run_command


class Checkout(NamedTuple):
    """The state of the working copy: its branch, and whether tracked files differ from the commit.

    The branch is empty where none is checked out. `ci` is true under continuous integration.
    """

    branch: str
    changed: bool
    ci: bool


def checkout() -> Checkout:
    """Return the state of the working copy; `CI` is the variable that such services set."""
    _, changed = git_commit()
    ci = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return Checkout(_git("branch", "--show-current"), changed, ci)


def git_commit() -> tuple[str, bool]:
    """Return the commit, and whether tracked files other than dvc.lock differ from it.

    Outside a git repository the commit is "unknown".
    """
    head = _git("rev-parse", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!dvc.lock")
    return head or "unknown", bool(changed)


def repository() -> Path | None:
    """Return the folder of the git repository around this one, whether git takes it or not."""
    here = Path.cwd()
    return next((each for each in (here, *here.parents) if (each / ".git").exists()), None)


def why_no_commit() -> str | None:
    """Return why there is no commit to record, and what makes one; None where there is one."""
    root = repository()
    if root is None:
        return "this folder is in no git repository: `git init`, `git add .` and `git commit`"
    try:
        asked = run_command(["git", "rev-parse", "--git-dir"])
    except OSError:
        return "git is not installed"
    if asked.returncode != 0 and root.stat().st_uid != os.geteuid():
        allow = f"git config --global --add safe.directory {root}"
        return f"git refuses {root}, which belongs to another user: `{allow}` allows it"
    if asked.returncode != 0:
        return f"git refuses {root}: {' '.join(asked.stderr.split())}"
    return None if _git("rev-parse", "HEAD") else "nothing is committed yet: `git commit`"


def has_commit(commit: str) -> bool:
    return bool(_git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"))


def file_at(commit: str, path: str) -> bytes | None:
    """Return a file as it was at a commit, None where git does not have it."""
    try:
        done = subprocess.run(["git", "show", f"{commit}:{path}"], capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def _git(*arguments: str) -> str:
    try:
        done = run_command(["git", *arguments])
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
