"""Git: the project's commit and branch, and the files of a commit."""

import os
import subprocess
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
