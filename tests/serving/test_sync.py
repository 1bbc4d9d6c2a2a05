"""Sync's outcomes, against a real registry."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from serving import store
from serving.config import Settings
from serving.sync import Kind, sync

ROOT = Path(__file__).parents[2]


def test_a_version_is_downloaded_verified_and_put_in_force(
    registry, make_model, settings, tmp_path
):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)

    outcome = sync(settings, registry.uri)

    assert outcome.kind is Kind.UPDATED
    assert outcome.detail == "heart version 1 (production) was downloaded and is now in force."
    assert store.current(settings.store) == store.Version("heart", "1", "production", digest)
    folder = store.version_dir(settings.store, digest)
    assert {file.name for file in folder.iterdir()} == {*store.FILES, store.VERSION_FILE}


def test_nothing_but_versions_and_the_pointer_is_left_in_the_store(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    sync(settings, registry.uri)
    assert sorted(p.name for p in settings.store.iterdir()) == [
        "current.json",
        "sync.json",
        "versions",
    ]
    assert len(list((settings.store / "versions").iterdir())) == 1


def test_a_second_sync_changes_nothing_and_needs_no_artifacts(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    sync(settings, registry.uri)
    shutil.rmtree(tmp_path / "made")
    assert sync(settings, registry.uri).kind is Kind.UNCHANGED


def test_an_alias_that_moves_back_needs_no_second_download(
    registry, make_model, settings, tmp_path
):
    first = make_model(tmp_path / "one")
    registry.register(tmp_path / "one", first)
    sync(settings, registry.uri)
    second = make_model(tmp_path / "two", bias=1.0)
    registry.register(tmp_path / "two", second)
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert store.current(settings.store).digest == second

    shutil.rmtree(tmp_path / "one")
    registry.client().set_registered_model_alias("heart", "production", "1")

    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.UPDATED
    assert "was in the store" in outcome.detail
    assert store.current(settings.store).digest == first


def test_a_damaged_copy_in_the_store_is_fetched_anew(registry, make_model, settings, tmp_path):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    model = store.version_dir(settings.store, digest) / "model.onnx"
    model.write_bytes(b"half a mod")

    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert model.read_bytes() == (tmp_path / "made" / "model.onnx").read_bytes()


def test_a_damaged_pointer_is_replaced(registry, make_model, settings, tmp_path):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    (settings.store / "current.json").write_bytes(b"{")
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert store.current(settings.store).digest == digest


def test_a_registry_that_still_uses_mlflows_own_stages_is_read(
    registry, make_model, settings, tmp_path
):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest, alias=None)
    with pytest.warns(FutureWarning, match="deprecated"):
        registry.client().transition_model_version_stage("heart", "1", "Production")
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert store.current(settings.store).version == "1"


def test_a_model_that_is_not_registered_is_named_with_what_to_run(registry, settings):
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.NO_VERSION
    assert "`heart` with the stage `production`" in outcome.detail
    assert "dvc repro" in outcome.detail


def test_a_version_without_the_stage_is_no_version_to_serve(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"), alias="staging")
    assert sync(settings, registry.uri).kind is Kind.NO_VERSION
    assert store.current(settings.store) is None


def test_a_sqlite_registry_that_is_not_there_is_not_created(settings, tmp_path):
    outcome = sync(settings, f"sqlite:///{tmp_path / 'none.db'}")
    assert outcome.kind is Kind.NO_VERSION
    assert not (tmp_path / "none.db").exists()


def test_a_server_that_is_down_is_unreachable_and_the_last_good_version_stays(
    settings, stored, monkeypatch
):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        outcome = sync(settings, f"http://me:secret@127.0.0.1:{port}")
    assert outcome.kind is Kind.UNREACHABLE
    assert outcome.detail == (
        f"The registry at http://***@127.0.0.1:{port} cannot be read: Connection refused."
    )
    assert store.current(settings.store) == stored


def test_a_file_that_is_no_database_is_unreachable(settings, tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at " * 40)
    outcome = sync(settings, f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert outcome.kind is Kind.UNREACHABLE
    assert "not a database" in outcome.detail


def test_artifacts_that_are_gone_are_the_registrys_fault(registry, settings, tmp_path):
    registry.register(tmp_path / "gone", "0" * 64)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.UNREACHABLE
    assert "does not give heart version 1" in outcome.detail
    assert "No such artifact" in outcome.detail
    assert "\n" not in outcome.detail


@pytest.mark.parametrize(
    ("digest", "reason"),
    [
        ("0" * 64, "has the sha256"),
        ("../../../etc", "is no sha256 digest"),
        (None, "is no sha256 digest"),
    ],
)
def test_a_version_whose_digest_is_not_the_models_is_refused_and_the_last_good_stays(
    registry, make_model, settings, stored, tmp_path, digest, reason
):
    make_model(tmp_path / "other", bias=1.0)
    registry.register(tmp_path / "other", digest)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert outcome.detail.startswith("heart version 1 (production) is refused: ")
    assert reason in outcome.detail
    assert store.current(settings.store) == stored
    assert [p.name for p in (settings.store / "versions").iterdir()] == [stored.digest]


def test_a_version_without_its_contract_is_refused(registry, make_model, settings, tmp_path):
    digest = make_model(tmp_path / "made")
    (tmp_path / "made" / "contract.json").unlink()
    registry.register(tmp_path / "made", digest)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "contract.json cannot be read" in outcome.detail


def test_a_store_that_cannot_be_a_folder_is_told(registry, make_model, tmp_path):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    (tmp_path / "file").write_text("")
    settings = Settings(model="heart", store=tmp_path / "file")
    assert sync(settings, registry.uri).kind is Kind.STORE_FAILED


def test_the_command_says_one_line_and_leaves_no_database(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "serving.sync"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "SERVING_MODEL": "heart"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("The registry has given no version of `heart`")
    assert [path.name for path in tmp_path.rglob("*")] == ["model_store", "sync.json"]
