"""Where test rows are found."""

import subprocess
import sys

import pytest

from pipeline.errors import PipelineError
from pipeline.lineage.dvc import can_pull, dvc_command, find_test_rows
from tests.pipeline.registered import digest, keep_in_cache


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/test.csv").write_text("a,y\n1,0\n")
    (tmp_path / "old.csv").write_text("a,y\n2,1\n")
    return tmp_path


def test_the_test_split_as_it_is_now_is_taken_where_it_is_the_one(project):
    path = project / "data/test.csv"
    assert find_test_rows(digest(path)) == path


def test_an_earlier_test_split_is_found_in_dvc_s_cache(project):
    kept = keep_in_cache(project, project / "old.csv")
    assert find_test_rows(digest(project / "old.csv")) == kept


def test_a_cache_that_dvc_was_told_to_keep_elsewhere_is_asked_for(project, tmp_path):
    for command in (["init", "--no-scm", "--quiet"], ["cache", "dir", "elsewhere"]):
        subprocess.run([sys.executable, "-m", "dvc", *command], check=True, capture_output=True)
    md5 = digest(project / "old.csv")
    kept = project / "elsewhere/files/md5" / md5[:2] / md5[2:]
    kept.parent.mkdir(parents=True)
    kept.write_text("a,y\n2,1\n")
    assert find_test_rows(md5) == kept


def test_within_an_experiment_s_copy_the_project_s_rows_are_found(project, monkeypatch, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    monkeypatch.chdir(copy)
    monkeypatch.setenv("DVC_ROOT", str(project))
    path = project / "data/test.csv"
    assert find_test_rows(digest(path)) == path


def test_a_damaged_copy_in_the_cache_is_not_taken_and_one_is_told_what_to_type(project):
    md5 = digest(project / "old.csv")
    keep_in_cache(project, project / "old.csv").write_text("a,y\n3,1\n")
    with pytest.raises(PipelineError) as error:
        find_test_rows(md5)
    assert str(error.value).startswith(
        f"the test rows with the md5 {md5} are neither in data/test.csv nor in DVC's cache: "
        "`dvc fetch --all-commits`"
    )


def test_pull_is_for_missing_files_and_needs_a_remote(project):
    dvc = [sys.executable, "-m", "dvc"]
    missing = {"preprocess": "data/training.csv deleted"}
    subprocess.run([*dvc, "init", "--no-scm", "--quiet"], check=True, capture_output=True)
    assert not can_pull(missing)
    subprocess.run([*dvc, "remote", "add", "shelf", "/shelf"], check=True, capture_output=True)
    assert can_pull(missing)
    assert not can_pull({"preprocess": "data/training.csv modified"})


def test_pipeline_does_not_start_on_a_lock_with_conflicts(project):
    (project / "dvc.lock").write_text("stages:\n<<<<<<< HEAD\n  a: 1\n=======\n>>>>>>> other\n")
    with pytest.raises(PipelineError, match=r"dvc\.lock has conflict markers of git at line 2"):
        dvc_command(())
