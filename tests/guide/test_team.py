"""The team's page is run: a tracking server, a DVC remote, two clones, a small grid."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser

from tests.conftest import ROOT, Project
from tests.guide.shell import Terminal
from tests.guide.test_guide import in_the_terminal


@pytest.fixture
def terminal(trained: Project, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal beside the repository `hub.git` and Ann's clone of it, nothing trained yet."""
    made = trained.copy(tmp_path / "made")
    params = made.path / "params.yaml"
    params.write_text(params.read_text().replace("grid_size: 10", "grid_size: 2"))
    made.run("git", "commit", "--quiet", "--all", "--message", "A small grid")
    for clone in (("--bare", "made", "hub.git"), ("hub.git", "ann")):
        subprocess.run(["git", "clone", "--quiet", *clone], cwd=tmp_path, check=True)
    opened = Terminal(tmp_path, made.full_environment())
    yield opened
    opened.close()


def test_the_page_of_the_team_does_what_it_says(terminal: Terminal) -> None:
    page = Sybil([CodeBlockParser("console", in_the_terminal)]).parse(ROOT / "docs/team.md")
    page.namespace.update(terminal=terminal)
    for example in page.examples():
        example.evaluate()
