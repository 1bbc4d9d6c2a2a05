"""What processes print: UTF-8 among our own, and on a console whatever its encoding has."""

import codecs
import io
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PLAIN = {
    **{"✓": "ok", "✗": "FAILED", "⚠": "!", "→": "->", "←": "<-", "×": "x", "·": "-", "•": "*"},
    **{"–": "-", "—": "-", "−": "-", "±": "+/-", "≥": ">=", "≤": "<=", "…": "...", "²": "^2"},
    **{"█": "#", "▌": "#", "▐": "#", "│": "|"},
}


def replace_unprintable() -> None:
    """Let this process print plain words for what the console cannot, such as ✓ in Latin-1."""
    codecs.register_error("serving.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="serving.plain")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks; `?` where there is no word for one."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(PLAIN.get(character, "?") for character in lacking), error.end


def run_command(
    command: Sequence[str], folder: Path | None = None, *, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return what it printed, read as UTF-8 whatever the locale.

    Raises OSError where there is no such command, TimeoutExpired where it takes longer.
    """
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
