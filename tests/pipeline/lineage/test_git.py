"""What git says of the project's folder, and what DVC is told where there is none."""

import os
import subprocess
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.lineage.dvc_scm import LOCAL, tell_dvc
from pipeline.lineage.git import file_at, git_commit, has_commit, why_no_commit


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in a repository of its own, which has one commit."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")

    def run(*arguments):
        done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q")
    for name in ("code.py", "dvc.lock"):
        (tmp_path / name).write_text("first\n")
    run("add", ".")
    run("commit", "-qm", "first")
    return run


def test_the_commit_is_git_heads(git, tmp_path):
    head = git("rev-parse", "HEAD")
    assert git_commit() == (head, False)
    (tmp_path / "untracked").touch()
    (tmp_path / "dvc.lock").write_text("what this very run writes\n")
    assert git_commit() == (head, False)
    (tmp_path / "code.py").write_text("changed\n")
    assert git_commit() == (head, True)


def test_outside_of_git_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() == ("unknown", False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == ("unknown", False)


def test_without_git_nothing_is_found_at_a_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_commit("c0ffee")
    assert file_at("c0ffee", "params.yaml") is None


def test_where_there_is_a_commit_nothing_is_wrong(git):
    assert why_no_commit() is None


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("none", "this folder is in no git repository: `git init`"),
        ("empty", "nothing is committed yet: `git commit`"),
        ("broken", "git refuses"),
        ("absent", "git is not installed"),
    ],
)
def test_why_there_is_no_commit(state, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if state == "empty":
        subprocess.run(["git", "init", "-q"], check=True)
    if state in ("broken", "absent"):
        (tmp_path / ".git").mkdir()
    if state == "absent":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert why_no_commit().startswith(told)


def test_repository_of_another_user_is_told_as_such(git, tmp_path, monkeypatch):
    another = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: another)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own tests have it
    why = why_no_commit()
    assert f"git refuses {tmp_path}, which belongs to another user" in why
    assert f"git config --global --add safe.directory {tmp_path}" in why


def test_experiment_without_a_commit_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "3"]) == 1
    assert "an experiment needs a commit of git to start from: this" in capsys.readouterr().err


def test_dvc_is_told_where_there_is_no_git_and_told_again_where_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(".dvc").mkdir()
    Path(".dvc/config").touch()
    tell_dvc()
    assert "no_scm = true" in LOCAL.read_text()
    (tmp_path / ".git").mkdir()
    tell_dvc()
    assert "no_scm" not in LOCAL.read_text()
