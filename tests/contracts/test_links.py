"""Every link in the docs leads somewhere: to a file, and to a heading where it names one."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.conftest import ROOT

DOCUMENTS = [
    path.relative_to(ROOT).as_posix()
    for path in sorted(
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data/README.md"]
    )
]
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(path: Path) -> Iterator[Token]:
    for block in MARKDOWN.parse(path.read_text()):
        yield block
        yield from block.children or []


def links(path: Path) -> set[str]:
    """Give where a document's links and pictures lead, but for other sites."""
    found = {str(t.attrs.get("href") or t.attrs.get("src") or "") for t in tokens(path)} - {""}
    return {link for link in found if not re.match(r"[a-z]+:", link)}


def anchors(path: Path) -> set[str]:
    """Give a document's headings as GitHub names them in addresses."""
    found = set()
    blocks = MARKDOWN.parse(path.read_text())
    for opening, inline in pairwise(blocks):
        if opening.type == "heading_open":
            text = "".join(t.content for t in inline.children if t.type in ("text", "code_inline"))
            found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return found


def test_the_docs_are_found() -> None:
    assert {"README.md", "docs/guide.md", "docs/registry.md"} <= set(DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file_and_every_anchor_to_a_heading(document: str) -> None:
    path = ROOT / document
    for link in links(path):
        file, _, anchor = unquote(link).partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{link} names no heading"


def test_every_document_can_be_reached_from_the_map() -> None:
    named = {
        (ROOT / "docs" / link.partition("#")[0]).resolve()
        for link in links(ROOT / "docs/README.md")
    }
    missing = {ROOT / name for name in DOCUMENTS} - named - {ROOT / "docs/README.md"}
    assert not missing, f"docs/README.md does not name {sorted(map(str, missing))}"


def test_every_picture_is_shown_somewhere() -> None:
    shown = {
        (ROOT / d).parent.joinpath(link).resolve() for d in DOCUMENTS for link in links(ROOT / d)
    }
    assert {path.resolve() for path in (ROOT / "docs/img").iterdir()} <= shown
