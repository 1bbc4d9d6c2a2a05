"""No file and no output of a process is read or written in the locale's encoding."""

import ast
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SOURCES = [
    path
    for folder in ("pipeline", "serving", "bench", "docs")
    for path in ROOT.glob(f"{folder}/**/*.py")
]
TEXT = {"read_text", "write_text"}


def faults(source: str) -> list[int]:
    """List the lines that leave an encoding to the locale."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if _is_fault(call)]


def _is_fault(call: ast.Call) -> bool:
    named = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Attribute) and call.func.attr in TEXT:
        return "encoding" not in named
    return bool({"text", "universal_newlines"} & named) and "encoding" not in named


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_encoding_is_named(path):
    assert faults(path.read_text(encoding="utf-8")) == []


def test_locale_is_found():
    assert faults("p.read_text()\nrun(c, text=True)\np.read_text(encoding='utf-8')") == [1, 2]


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", "ok FAILED 1 -> 2, ? ?"),
        ("latin-1", "ok FAILED 1 -> 2, é ?"),
        ("cp1252", "ok FAILED 1 -> 2, é ?"),
        ("utf-8", "✓ ✗ 1 → 2, é 漢"),
    ],
)
def test_console_prints_plain_words_for_what_it_lacks(encoding, printed):
    code = "from serving.console import replace_unprintable as r; r(); print('✓ ✗ 1 → 2, é 漢')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode(encoding).rstrip() == printed
