"""Model cards on a real store: made from it, and kept there."""

import shutil

import pandas as pd
import pytest

from pipeline.errors import PipelineError
from pipeline.params import CardTexts
from pipeline.registry.references import find_version
from pipeline.reports.card_publisher import (
    DESCRIPTION_LENGTH,
    attach_card,
    facts_of,
    shortened_card,
    tables_of,
)
from pipeline.reports.importance_plot import read_importance
from pipeline.tracking.store import open_tracking
from tests.pipeline.registered import NAME

TEXTS = CardTexts(intended_use="To learn.")


@pytest.fixture(scope="module")
def registered(tmp_path_factory, one_version):
    return one_version.copy(tmp_path_factory.mktemp("cards") / "project")


@pytest.fixture
def tracking(registered):
    """Open the store, whose card is that of nobody yet."""
    with registered.entered(), open_tracking(NAME) as opened:
        opened.client.update_model_version(NAME, "1", "")
        for card in registered.folder.rglob("model_card.*"):
            card.unlink()
        yield opened


def artifact(tracking, registered, name):
    path = tracking.client.download_artifacts(registered.runs["1"], name)
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def description(tracking):
    return tracking.client.get_model_version(NAME, "1").description


def test_the_tables_and_plots_are_the_run_s(tracking, pima):
    facts, images = facts_of(tracking, find_version(tracking, NAME, "1"), TEXTS)
    assert set(images) >= {"roc", "precision_recall", "calibration", "subgroups", "importance"}
    assert facts.subgroups.to_csv(index=False) == (pima.plots / "subgroups.csv").read_text()
    assert facts.importance["feature"].tolist() == read_importance(pima.plots)["feature"].tolist()
    assert facts.calibration["rows"].sum() == len(pd.read_csv(pima.test))


def test_the_card_is_kept_with_the_run_and_describes_the_version(tracking, registered):
    assert attach_card(tracking, NAME, "1", TEXTS)
    markdown = artifact(tracking, registered, "model_card.md")
    assert "# pima-diabetes, version 1\n" in markdown
    assert "To learn." in markdown
    assert "data:image/png;base64," in artifact(tracking, registered, "model_card.html")
    assert description(tracking).startswith("# pima-diabetes, version 1\n")
    assert len(description(tracking)) <= DESCRIPTION_LENGTH
    assert f"artifacts of run {registered.runs['1']}.*" in description(tracking)


def test_a_card_that_is_there_is_not_written_again(tracking, registered):
    attach_card(tracking, NAME, "1", TEXTS)
    before = {path: path.stat().st_mtime_ns for path in registered.folder.rglob("model_card.*")}
    changed_at = tracking.client.get_model_version(NAME, "1").last_updated_timestamp
    assert len(before) == 2
    assert not attach_card(tracking, NAME, "1", TEXTS)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert tracking.client.get_model_version(NAME, "1").last_updated_timestamp == changed_at


def test_a_card_whose_words_were_changed_is_written_anew(tracking, registered):
    attach_card(tracking, NAME, "1", TEXTS)
    assert attach_card(tracking, NAME, "1", CardTexts(intended_use="To teach."))
    for name in ("model_card.md", "model_card.html"):
        text = artifact(tracking, registered, name)
        assert "To teach." in text
        assert "To learn." not in text
    assert "To teach." in description(tracking)


def test_a_description_that_a_person_wrote_is_left(tracking):
    tracking.client.update_model_version(NAME, "1", "The one that Anna likes.")
    attach_card(tracking, NAME, "1", TEXTS)
    assert description(tracking) == "The one that Anna likes."


def test_a_card_that_is_too_long_is_cut_between_sections_and_says_so():
    text = "# title\n" + "".join(f"\n## part {n}\n\n{'x' * 990}\n" for n in range(6))
    short = shortened_card(text, "r1")
    assert len(short) <= DESCRIPTION_LENGTH
    assert "## part 3" in short
    assert "## part 4" not in short
    assert short.endswith(
        "x\n\n*Shortened: the whole card is model_card.md among the artifacts of run r1.*"
    )
    assert shortened_card("# short", "r1") == "# short"


def test_a_section_longer_than_the_description_leaves_a_card_that_fits():
    short = shortened_card(f"# title\n\n{'word ' * 2000}", "r1")
    assert len(short) <= DESCRIPTION_LENGTH
    assert short.startswith("# title\n\nword")
    assert "*Shortened: " in short


def test_a_version_that_the_registry_does_not_give_back_has_no_card(one_version, tmp_path):
    made = one_version.copy(tmp_path / "project")
    with made.entered():
        for model in list(made.folder.rglob("model.onnx")):
            shutil.rmtree(model.parent)
        with (
            open_tracking(NAME) as opened,
            pytest.raises(
                PipelineError, match=r"version 1 has no card: model\.onnx cannot be read"
            ),
        ):
            attach_card(opened, NAME, "1", TEXTS)


def test_the_calibration_of_several_classes_is_the_likeliest_one_s():
    files = {
        "calibration.csv": b"class,rows\nNA,1\n",
        "top_calibration.csv": b"rows\n2\n",
        "classes.csv": b"class,rows\nNA,3\n",
    }
    tables = tables_of(files)
    assert tables["calibration"]["rows"].tolist() == [2]
    assert tables["classes"]["class"].tolist() == ["NA"]
    assert tables["subgroups"] is tables["importance"] is None
    two = tables_of({"calibration.csv": b"rows\n4\n", "importance.csv": b"feature\nNA\n"})
    assert two["importance"]["feature"].tolist() == ["NA"]
    assert two["calibration"]["rows"].tolist() == [4]
    assert two["classes"] is None
