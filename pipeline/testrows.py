"""Where the rows are that a run was tested on."""

import subprocess
import sys
from functools import cache
from hashlib import md5
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.lineage import project_root

TEST = Path("data/test.csv")
CACHE = ".dvc/cache"


def find_test_rows(digest: str) -> Path:
    """Give the file with this md5: the test split as it is now, or as DVC keeps it in its cache.

    Raises PipelineError, with what to type, where neither is it.
    """
    current = project_root() / TEST
    if _is(current, digest):
        return current
    cached = _in_cache(digest)
    if _is(cached, digest):
        return cached
    raise PipelineError(
        f"the test rows with the md5 {digest} are neither in {TEST} nor in DVC's cache: "
        "`dvc fetch --all-commits` brings them from the project's remote; without one, run "
        "`dvc repro` at the commit of that run"
    )


def is_kept(digest: str) -> bool:
    """Say whether DVC's cache has the file with this md5."""
    return _in_cache(digest).is_file()


def _in_cache(digest: str) -> Path:
    return _cache(project_root()) / "files" / "md5" / digest[:2] / digest[2:]


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and md5(path.read_bytes()).hexdigest() == digest


@cache
def _cache(root: Path) -> Path:
    """Ask DVC for a project's cache, which its configuration may put elsewhere."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    asked = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return root / (asked.stdout.strip() if asked.returncode == 0 else CACHE)
