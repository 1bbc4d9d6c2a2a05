"""The docs say what is true: commands, settings and links exist."""

import re
from pathlib import Path

import msgspec
import pytest

from serving.config import Settings
from tests.conftest import ROOT

DOCS = [ROOT / "README.md", ROOT / "data/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("doc", DOCS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_make_target_that_is_named_exists(doc: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", doc.read_text(), re.MULTILINE))
    assert named <= targets


def test_the_docs_name_every_setting_of_the_service_and_its_default() -> None:
    docs = (ROOT / "docs/serving.md").read_text()
    rows = [line for line in docs.splitlines() if line.startswith("| `SERVING_")]
    names = [name for row in rows for name in re.findall(r"`(SERVING_\w+)`", row)]
    fields = msgspec.structs.fields(Settings)
    assert names == [field.encode_name for field in fields]
    # `model` has no default of its own, and an empty one is told in words.
    shown = Settings(model="-").to_variables()
    expected = [shown[name] for name in names[1:] if shown.get(name)]
    assert [d for row in rows[1:] for d in re.findall(r"`([^`]+)`", row.split("|")[2])] == expected


def test_the_picture_of_the_flow_names_the_stages() -> None:
    readme = (ROOT / "README.md").read_text()
    for stage in ("preprocess", "grid_search", "evaluate", "register"):
        assert stage in readme
