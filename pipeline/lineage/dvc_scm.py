"""Tell DVC whether this folder is in a git repository.

Without one, as in an unpacked ZIP, DVC refuses to run unless its setting `core.no_scm` says so. It
goes into `.dvc/config.local`, which is this folder's own: in the tracked file it would end
experiments for everybody.
"""

import sys
from pathlib import Path

from pipeline.lineage.git import repository
from serving.console import run_command

LOCAL = Path(".dvc/config.local")
SETTING = "core.no_scm"


def tell_dvc() -> None:
    """Set DVC's setting where there is no git, and unset it where there is."""
    without = LOCAL.is_file() and "no_scm" in LOCAL.read_text(encoding="utf-8")
    wanted = repository() is None
    if wanted != without:
        change = [SETTING, "true"] if wanted else ["--unset", SETTING]
        run_command([sys.executable, "-m", "dvc", "config", "--local", *change])


if __name__ == "__main__":
    tell_dvc()
