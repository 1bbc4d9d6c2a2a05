"""`python -m pipeline doctor` on a real store: what is wrong is found, and mended if it can be."""

import shutil
import sqlite3
import subprocess
from hashlib import md5

import pytest

from pipeline.__main__ import main
from pipeline.registry.ledger_store import LEDGER_TAG
from tests.conftest import forget_addresses
from tests.pipeline.registered import NAME


@pytest.fixture(scope="module")
def promoted(project_once, three_versions):
    """Versions 1, then 2 in production, 3 in staging, all with receipts."""

    def fill(made):
        for version, stage in (("1", "production"), ("2", "production"), ("3", "staging")):
            assert main(["promote", version, "--to", stage]) == 0

    return project_once("with_receipts", fill, three_versions)


@pytest.fixture
def found(as_json):
    """Give the sentences of one area's findings; all faults where none is named."""

    def sentences(area=None):
        findings = as_json("doctor")
        return [
            each["sentence"]
            for each in findings
            if (each["area"] == area if area else each["severity"] == "fault")
        ]

    return sentences


def test_a_project_in_order_has_no_fault(promoted, run, found):
    assert found() == []
    assert run("doctor").code == 0


def test_a_version_s_files_its_receipt_and_its_run_are_checked(
    promoted, run, found, client, files_of, project
):
    (files_of("1") / "model.onnx").write_bytes(b"")
    (receipt,) = (files_of("3") / "receipts").iterdir()
    receipt.write_bytes(receipt.read_bytes().replace(b"passed", b"PASSED"))
    client.delete_run(project.runs["2"])
    said = found()
    assert any(
        line.startswith("version 1 is not whole: model.onnx has the sha256") for line in said
    )
    assert any("version 3: its receipt is not the one that the registry names" in s for s in said)
    assert "version 2: the run that made it is no longer in the store" in said
    assert len(said) == 3
    assert run("doctor").code == 1


def test_a_receipt_is_missing_or_not_signed(done, found, monkeypatch):
    assert "version 1: it has no receipt; " in found("versions")[0]
    done("promote", "1", "--to", "staging")
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "a key that both ends share")
    assert "version 1: it is not signed" in found("versions")[0]


def test_a_version_of_somebody_else_s_is_told(promoted, client, found, run):
    client.create_model_version(NAME, "s3://nowhere/model")
    assert found() == ["version 4 has no digest: `dvc repro` did not register it"]
    assert (
        f"version 4 of {NAME} was not registered by `dvc repro`: there"
        in run("compare", "4", "1").err
    )


def test_where_a_version_came_from_is_followed_to_its_commit_and_its_table(
    promoted, found, client, project
):
    said = found("lineage")
    assert "version 1: its commit c0ffeec0ffee is not in this repository" in said[0]
    assert "version 1: the table that it learned from" in said[1]
    assert "is not to be found" in said[1]

    def git(*arguments):
        subprocess.run(["git", *arguments], cwd=project.folder, check=True, capture_output=True)

    table = project.folder / "data/diabetes.csv"
    table.write_text("a,b\n1,2\n")
    digest = md5(table.read_bytes()).hexdigest()
    git("init", "--quiet")
    git("add", "data/diabetes.csv")
    git("commit", "--quiet", "--message", "the table")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=project.folder, capture_output=True, text=True, check=True
    ).stdout.strip()
    table.write_text("another table\n")
    for version in "123":
        client.set_model_version_tag(NAME, version, "git.commit", commit)
        client.set_model_version_tag(
            NAME, version, "data.digest", "5e" * 16 if version == "3" else digest
        )
    client.set_model_version_tag(NAME, "2", "git.changed", "true")
    said = found("lineage")
    assert said[0] == f"version 2 was made from files that differed from its commit {commit[:12]}"
    assert said[1].startswith(
        "version 3: the table that it learned from (data/diabetes.csv, md5 5e"
    )
    assert len(said) == 2


def test_a_forced_version_in_production_is_a_note(project, done, found, run):
    params = project.folder / "params.yaml"
    params.write_text(params.read_text().replace("max_brier: 0.20", "max_brier: 0.01"))
    done("promote", "1", "--to", "production", "--force", "--reason", "in a hurry")
    for version in "23":
        done("promote", version, "--to", "staging")
    assert run("doctor").code == 0
    (said,) = found("stages")
    assert said.startswith("version 1 is in production with its gates forced by ")


def test_one_feature_that_carries_most_in_production_is_a_note(
    promoted, found, run, client, project
):
    assert not any("carries" in said for said in found("versions"))
    for version in "12":
        client.log_metric(project.runs[version], "importance/Glucose", 0.9 + int(version) / 100)
    assert (
        "in version 2, which is in production, `Glucose` carries 92% of the importance: check that "
        "its value is known before the outcome is"
    ) in found("versions")
    assert run("doctor").code == 0


def test_a_stage_that_was_moved_outside_goes_into_the_ledger(promoted, found, run, client, as_json):
    client.set_registered_model_alias(NAME, "production", "1")
    assert found() == [
        "production was changed outside: the registry has version 1, the ledger version 2"
    ]
    mended = run("doctor", "--fix")
    assert mended.code == 0
    assert "fixed: production is at version 1, and the ledger says so" in mended.err
    assert as_json("history")["lines"][-1]["what"] == "changed outside"


def test_a_stage_that_no_command_ever_moved_goes_into_the_ledger(promoted, found, run, client):
    client.set_registered_model_alias(NAME, "shadow", "1")
    assert found() == [
        "shadow was changed outside: the registry has version 1, the ledger no version"
    ]
    assert run("doctor", "--fix").code == 0


def test_a_deleted_ledger_is_restored(promoted, found, run, client, as_json):
    before = as_json("history")["lines"]
    client.delete_run(client.get_registered_model(NAME).tags[LEDGER_TAG])
    assert found() == ["the ledger's run was deleted in MLflow"]
    assert run("doctor", "--fix").code == 0
    assert as_json("history")["lines"] == before


def database(project):
    return sqlite3.connect(project.folder / "mlflow.db")


def test_a_ledger_that_is_gone_for_good_is_begun_anew_and_says_so(
    promoted, found, run, project, client, as_json
):
    run_id = client.get_registered_model(NAME).tags[LEDGER_TAG]
    with database(project) as connection:
        for table in ("params", "tags", "metrics", "latest_metrics", "runs"):
            connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))
    (said,) = found()
    assert f"its run {run_id} was removed for good" in said
    assert run("history").code == 1
    mended = run("doctor", "--fix")
    assert mended.code == 0
    assert "what the old one said is lost" in mended.err
    lines = as_json("history")["lines"]
    assert {(line["stage"], line["what"], line["to"]) for line in lines} == {
        ("production", "changed outside", "2"),
        ("staging", "changed outside", "3"),
    }


def test_an_entry_that_was_changed_is_told_and_not_mended(promoted, found, run, project):
    with database(project) as connection:
        connection.execute(
            'UPDATE params SET value = replace(value, \'"to":"1"\', \'"to":"3"\') '
            "WHERE key = 'entry.000001'"
        )
    (said,) = found("ledger")
    assert said.startswith("the ledger is damaged: entry 2 does not follow from entry 1")
    assert run("doctor", "--fix").code == 1


def test_a_moved_project_is_told_by_every_command_and_mended(
    promoted, project, run, monkeypatch, tmp_path, as_json
):
    project.folder.rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/mlflow.db")
    for command in (["history"], ["rollback"], ["promote", "1", "--to", "production"]):
        refused = run(*command)
        assert refused.code == 1
        assert f"the project was moved or copied from {project.folder}" in refused.err
        assert "`python -m pipeline doctor --fix` corrects it" in refused.err
    (fault,) = [each for each in as_json("doctor") if each["severity"] == "fault"]
    assert fault["area"] == "paths"
    mended = run("doctor", "--fix")
    assert mended.code == 0
    assert (tmp_path / "elsewhere/mlflow.db.before-move").is_file()
    assert run("rollback").code == 0


def test_a_copy_of_a_project_does_not_write_into_the_first_one(
    promoted, project, run, monkeypatch, tmp_path
):
    shutil.copytree(project.folder, tmp_path / "copy")
    before = sorted(project.folder.rglob("*"))
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/copy/mlflow.db")
    forget_addresses()
    assert run("promote", "1", "--to", "staging").code == 1
    assert run("doctor", "--fix").code == 0
    assert run("promote", "1", "--to", "staging").code == 0
    assert sorted(project.folder.rglob("*")) == before


def test_a_copy_of_the_store_alone_does_not_write_into_the_first_project(
    promoted, project, run, monkeypatch, tmp_path
):
    ignored = shutil.ignore_patterns("mlruns")
    shutil.copytree(project.folder, tmp_path / "copy", ignore=ignored)
    before = sorted(project.folder.rglob("*"))
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/copy/mlflow.db")
    forget_addresses()
    refused = run("promote", "1", "--to", "staging")
    assert refused.code == 1
    assert f"the project was moved or copied from {project.folder}" in refused.err
    assert "cannot be downloaded" in run("doctor", "--fix").out
    assert sorted(project.folder.rglob("*")) == before


def test_packages_that_differ_from_the_lock_file_are_a_note(promoted, project, found):
    (project.folder / "requirements.lock").write_text(
        "click==0.1 \\\n    --hash=sha256:00\nnothing-like-it==1.0 ; sys_platform == 'win32' \\\n"
        "msgspec==99 ; python_version < '3' \\\n"
    )
    no_commit, said = found("environment")
    assert no_commit.startswith("results have no commit: this folder is in no git repository")
    assert said.startswith("other versions than requirements.lock has: click ")
    assert "(locked: 0.1)" in said
    assert "msgspec" not in said


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("delete", f"there is no registered model {NAME} any more: it was deleted"),
        ("rename", f"the registered model {NAME} is called other now"),
        ("empty", "the newest result has no version: it was deleted, or never registered"),
    ],
)
def test_registered_model_that_was_taken_away_is_told(promoted, client, found, as_json, how, said):
    match how:
        case "delete":
            client.delete_registered_model(NAME)
        case "rename":
            client.rename_registered_model(NAME, "other")
        case "empty":
            for version in client.search_model_versions(f"name = '{NAME}'"):
                client.delete_model_version(NAME, version.version)
    assert found("versions")[0].startswith(said)
    advice = [each for each in as_json("status")["advice"] if each["what"].startswith(said)]
    assert [each["type"] for each in advice] == ["dvc repro"]
