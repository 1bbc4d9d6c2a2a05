"""The guide is run as a reader follows it: every command typed, every answer compared."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from shutil import which
from unittest import SkipTest

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from tests.conftest import ROOT, copy_of_repository
from tests.guide.shell import Terminal, commands


def in_the_terminal(example: Example) -> str | None:
    return example.namespace["terminal"].check(example.parsed)


@pytest.fixture
def guide() -> Document:
    parsers = [SkipParser(), CodeBlockParser("console", in_the_terminal)]
    return Sybil(parsers).parse(ROOT / "docs/guide.md")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a fresh clone, in which the environment is installed already."""
    project = copy_of_repository(tmp_path / "project")
    (project.path / ".venv").symlink_to(Path(sys.prefix))
    for lock in project.path.glob("requirements*.lock"):
        os.utime(lock, (0, 0))  # so that make takes it for installed
    opened = Terminal(project.path, project.full_environment())
    yield opened
    opened.close()


def test_the_guide_does_what_it_says(guide: Document, terminal: Terminal) -> None:
    guide.namespace.update(terminal=terminal, absent=lambda program: which(program) is None)
    for example in guide.examples():
        with suppress(SkipTest):  # for want of an interpreter, whose client has a test of its own
            example.evaluate()


BLOCK = """\
$ python -c 'print(
>   1)'
1
$ true
$ echo one two \\
>   three
one ... three
"""


def test_a_block_is_taken_apart_into_commands_and_what_they_print() -> None:
    assert commands(BLOCK) == [
        ("python -c 'print(\n  1)'", "1\n"),
        ("true", ""),
        ("echo one two \\\n  three", "one ... three\n"),
    ]


def test_a_command_that_gives_something_else_is_told(terminal: Terminal) -> None:
    assert terminal.check(BLOCK) is None
    said = terminal.check("$ echo 1\n2\n")
    assert said == "$ echo 1\nshould give\n2\n\nand gave\n1\n"
