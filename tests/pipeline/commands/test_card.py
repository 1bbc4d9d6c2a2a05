"""`python -m pipeline card` on a real store, with a real model."""

import re

import pytest

from pipeline.__main__ import main
from tests.pipeline.pages import Page


@pytest.fixture(scope="module")
def project(tmp_path_factory, one_version):
    made = one_version.copy(tmp_path_factory.mktemp("card") / "project")
    with made.entered():
        made.stage("production", "1")
        yield made


@pytest.fixture
def card(project, capsys):
    def run(*arguments):
        code = main(["card", *arguments])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return run


def test_the_card_of_a_version_and_of_its_stage_is_markdown_on_standard_output(card):
    code, out, err = card("production")
    assert (code, err) == (0, "")
    assert out.startswith("---\nlibrary_name: onnx\n")
    assert "It is no medical device" in out  # the words of params.yaml
    assert card("1")[1] == out


def test_a_file_has_what_standard_output_would_have(card, tmp_path):
    code, out, err = card("1", "--out", str(tmp_path / "card.md"))
    assert (code, out) == (0, "")
    assert err == f"the card of version 1 is {tmp_path / 'card.md'}\n"
    assert (tmp_path / "card.md").read_text() == card("1")[1]


def test_the_page_has_the_plots_and_needs_nothing_else(card, tmp_path):
    code, out, _ = card("1", "--html", str(tmp_path / "card.html"))
    page = Page((tmp_path / "card.html").read_text())
    assert (code, out) == (0, "")
    assert page.tags.count("img") == 6
    assert page.tags.count("table") == 8
    assert not {"script", "link", "iframe"} & set(page.tags)
    assert all(re.match("data:image/png;base64,", reference) for reference in page.references)


def test_nothing_is_changed_in_the_store(card, project):
    before = {path: path.read_bytes() for path in (project.folder / "mlruns").rglob("*.*")}
    card("1")
    after = {path: path.read_bytes() for path in (project.folder / "mlruns").rglob("*.*")}
    assert after == before


def test_a_version_that_is_not_there_is_told(card):
    code, out, err = card("12")
    assert (code, out) == (1, "")
    assert err.startswith("card failed: '12' is no version, stage, finished run or experiment of")


def test_the_help_has_examples(card):
    assert "python -m pipeline card 3 --out MODEL_CARD.md" in card("--help")[1]


def test_a_version_must_be_named(card):
    assert card()[0] == 2
