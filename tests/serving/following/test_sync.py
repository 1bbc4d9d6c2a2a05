"""Sync's outcomes, against a real registry."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from serving.config import ConfigError, Settings
from serving.following.sync import registry_uri, sync
from serving.predictor import load_served
from serving.store import sync_status, versions
from serving.store.sync_status import REMEMBERED, Kind
from tests.conftest import ROOT
from tests.serving.conftest import write_receipt
from tests.serving.explained_model import write_svm


def test_a_version_is_downloaded_verified_and_put_in_force(
    registry, make_model, settings, tmp_path
):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)

    outcome = sync(settings, registry.uri)

    assert outcome.kind is Kind.UPDATED
    assert outcome.detail == "heart version 1 (production) was downloaded and is now in force."
    assert versions.current(settings.store) == versions.Version("heart", "1", "production", digest)
    folder = versions.version_dir(settings.store, digest)
    kept = {"model.onnx", "contract.json", "golden.json", "version.json", "receipt.json"}
    assert {file.name for file in folder.iterdir()} == kept


def test_nothing_but_versions_and_the_pointer_is_left_in_the_store(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    sync(settings, registry.uri)
    assert sorted(p.name for p in settings.store.iterdir()) == [
        ".lock",
        "current.json",
        "sync.json",
        "versions",
    ]
    assert len(list((settings.store / "versions").iterdir())) == 1


def test_downloads_that_killed_followers_left_do_not_add_up(
    registry, make_model, settings, tmp_path
):
    """Each look that is given up ends its process; none may succeed for days."""
    (settings.store / ".download-x").mkdir(parents=True)
    (settings.store / ".download-x/model.onnx").write_bytes(b"half a mod")
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    (tmp_path / "made/model.onnx").unlink()
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    assert list(settings.store.glob(".download-*")) == []


def test_a_second_sync_changes_nothing_and_needs_no_artifacts(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"))
    sync(settings, registry.uri)
    shutil.rmtree(tmp_path / "made")
    assert sync(settings, registry.uri).kind is Kind.UNCHANGED


def test_store_of_an_earlier_release_gets_the_facts_of_its_version(
    registry, make_model, settings, tmp_path
):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    version = versions.current(settings.store)
    (versions.version_dir(settings.store, digest) / versions.VERSION_FILE).write_text("{}")
    assert not versions.has_facts(settings.store, version)
    shutil.rmtree(tmp_path / "made")
    assert sync(settings, registry.uri).detail == f"{version} was in the store and is now in force."
    assert versions.has_facts(settings.store, version)
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
    assert versions.current(settings.store).digest == second

    shutil.rmtree(tmp_path / "one")
    registry.client().set_registered_model_alias("heart", "production", "1")

    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.UPDATED
    assert "was in the store" in outcome.detail
    assert versions.current(settings.store).digest == first


def test_a_damaged_copy_in_the_store_is_fetched_anew(registry, make_model, settings, tmp_path):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    model = versions.version_dir(settings.store, digest) / "model.onnx"
    model.write_bytes(b"half a mod")

    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert model.read_bytes() == (tmp_path / "made" / "model.onnx").read_bytes()


def test_an_explanation_that_an_earlier_release_left_out_is_fetched(registry, settings, tmp_path):
    digest = write_svm(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    left_out = versions.version_dir(settings.store, digest) / "explanation.onnx"
    left_out.unlink()
    assert load_served(settings).scorer.explainer is None
    pointer = (settings.store / "current.json").stat()
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert load_served(settings).scorer.explainer is not None
    assert (settings.store / "current.json").stat().st_ino != pointer.st_ino  # workers load it


def test_a_version_whose_explanation_is_another_is_refused(registry, settings, tmp_path):
    digest = write_svm(tmp_path / "made")
    (tmp_path / "made/explanation.onnx").write_bytes(b"another")
    registry.register(tmp_path / "made", digest)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "explanation.onnx is not the one that model.onnx was made with" in outcome.detail


def test_a_damaged_pointer_is_replaced(registry, make_model, settings, tmp_path):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest)
    sync(settings, registry.uri)
    (settings.store / "current.json").write_bytes(b"{")
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert versions.current(settings.store).digest == digest


def test_a_registry_that_still_uses_mlflows_own_stages_is_read(
    registry, make_model, settings, tmp_path
):
    digest = make_model(tmp_path / "made")
    registry.register(tmp_path / "made", digest, alias=None)
    with pytest.warns(FutureWarning, match="deprecated"):
        registry.client().transition_model_version_stage("heart", "1", "Production")
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert versions.current(settings.store).version == "1"


def test_a_model_that_is_not_registered_is_named_with_what_to_run(registry, settings):
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.NO_VERSION
    assert "`heart` is in stage `production`" in outcome.detail
    assert "dvc repro" in outcome.detail


def test_a_version_without_the_stage_is_no_version_to_serve(
    registry, make_model, settings, tmp_path
):
    registry.register(tmp_path / "made", make_model(tmp_path / "made"), alias="staging")
    assert sync(settings, registry.uri).kind is Kind.NO_VERSION
    assert versions.current(settings.store) is None


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
    assert versions.current(settings.store) == stored


def test_a_file_that_is_no_database_is_unreachable(settings, tmp_path):
    (tmp_path / "mlflow.db").write_text("not a database, but long enough to be looked at " * 40)
    outcome = sync(settings, f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert outcome.kind is Kind.UNREACHABLE
    assert "not a database" in outcome.detail


def test_artifacts_that_are_gone_are_the_registrys_fault(registry, settings, tmp_path):
    registry.register(tmp_path / "gone", "0" * 64)
    shutil.rmtree(tmp_path / "gone")
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.UNREACHABLE
    assert "of heart version 1" in outcome.detail
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
    assert versions.current(settings.store) == stored
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


@pytest.fixture
def put(registry, make_model, tmp_path):
    """Register a version that differs by its number, and let production name it."""

    def one(number: int, digest: str | None = "its own", **more) -> tuple[Path, str]:
        folder = tmp_path / f"made {number}"
        made = make_model(folder, float(number))
        version = registry.register(folder, made if digest == "its own" else digest, **more)
        return folder, version

    return one


def refusals(settings) -> list[tuple[str, str]]:
    found = sync_status.read(settings.store)
    assert found is not None
    return [(refusal.version, refusal.reason) for refusal in found.refused]


@pytest.mark.parametrize(
    ("gates", "required", "reason"),
    [
        ("passed", True, None),
        ("passed", False, None),
        ("failed", False, None),
        (None, False, None),
        ("failed", True, "its gates did not pass: max_brier"),
        ("PASSED", True, "its receipt does not parse"),
        (None, True, "it has no receipt that its gates passed"),
    ],
)
def test_gates_count_where_they_are_required(registry, put, settings, gates, required, reason):
    settings = msgspec.structs.replace(settings, require_gates=required)
    put(1, gates=gates)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is (Kind.REFUSED if reason else Kind.UPDATED)
    if reason:
        assert reason in outcome.detail
        assert "SERVING_REQUIRE_GATES=0" in outcome.detail or "parse" in reason
        assert not (settings.store / "versions").exists(), "it was downloaded all the same"


def test_who_no_longer_requires_gates_gets_what_was_refused_for_them(registry, put, settings):
    put(1, gates="failed")
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    lenient = msgspec.structs.replace(settings, require_gates=False)
    assert sync(lenient, registry.uri).kind is Kind.UPDATED


def test_a_refused_version_is_not_downloaded_again_and_goes_on_being_refused(
    registry, put, settings
):
    folder, _ = put(1, "0" * 64)
    first = sync(settings, registry.uri)
    assert first.kind is Kind.REFUSED
    shutil.rmtree(folder)  # a download would fail, and that is another outcome
    for _ in range(2):
        again = sync(settings, registry.uri)
        assert (again.kind, again.detail) == (Kind.REFUSED, first.detail)
        assert again.desired == first.desired
        assert refusals(settings) == [("1", first.refusal.reason)]
    assert sync(settings, registry.uri, retry=True).kind is Kind.UNREACHABLE


def test_what_was_refused_is_remembered_on_disk_for_the_next_process(
    registry, put, settings, tmp_path
):
    folder, _ = put(1, "0" * 64)
    sync(settings, registry.uri)
    shutil.rmtree(folder)
    shutil.copytree(settings.store, tmp_path / "other store")
    elsewhere = msgspec.structs.replace(settings, store=tmp_path / "other store")
    assert sync(elsewhere, registry.uri).kind is Kind.REFUSED
    (elsewhere.store / "sync.json").unlink()
    assert sync(elsewhere, registry.uri).kind is Kind.UNREACHABLE


def test_asked_to_retry_a_version_that_was_mended_is_taken(registry, put, settings, make_model):
    folder, _ = put(1)
    (folder / "golden.json").unlink()
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    make_model(folder, 1.0)
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    assert sync(settings, registry.uri, retry=True).kind is Kind.UPDATED
    assert versions.current(settings.store).version == "1"


def test_a_refused_version_of_which_the_registry_says_something_else_is_tried_again(
    registry, put, settings
):
    folder, _ = put(1, gates="failed")
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    client = registry.client()
    digest = client.get_model_version("heart", "1").tags["digest"]
    for tag, value in write_receipt(folder, digest, "passed").items():
        client.set_model_version_tag("heart", "1", tag, value)
    assert sync(settings, registry.uri).kind is Kind.UPDATED


KEY = "a key that both ends share"


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", KEY)
    return KEY.encode()


def test_who_has_the_key_takes_what_is_signed_with_it(registry, put, settings, key):
    put(1, key=key)
    assert sync(settings, registry.uri).kind is Kind.UPDATED


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize(
    ("signed_with", "gates", "reason"),
    [
        (None, "passed", "it is not signed"),
        (b"another key, as long as ours", "passed", "its signature was not made with"),
        (None, None, "it has no receipt"),
    ],
)
def test_who_has_a_key_takes_nothing_else(
    registry, put, settings, key, signed_with, gates, reason, required
):
    settings = msgspec.structs.replace(settings, require_gates=required)
    put(1, key=signed_with, gates=gates)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert reason in outcome.detail
    assert KEY not in outcome.detail


def test_a_signature_is_of_the_model_as_well_as_the_receipt(registry, put, settings, key):
    """Who can write to the registry, but has no key, puts another model under a good receipt."""
    _, first = put(1, key=key, alias=None)
    put(2, key=key)
    client = registry.client()
    tags = client.get_model_version("heart", first).tags
    client.set_model_version_tag("heart", "2", "receipt", tags["receipt"])
    client.set_model_version_tag("heart", "2", "receipt.signature", tags["receipt.signature"])
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "its signature was not made with" in outcome.detail


def test_a_key_that_is_too_short_is_named_with_its_variable(registry, settings, monkeypatch):
    monkeypatch.setenv("REGISTRY_SIGNING_KEY", "short")
    with pytest.raises(ConfigError, match="REGISTRY_SIGNING_KEY has 5 characters"):
        sync(settings, registry.uri)


def test_a_forced_version_is_taken_only_by_who_allows_it(registry, put, settings):
    put(1, gates="forced")
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "ann@desk forced it past its gates: it is urgent" in outcome.detail
    assert "SERVING_ALLOW_FORCED=1" in outcome.detail
    allowing = msgspec.structs.replace(settings, allow_forced=True)
    assert sync(allowing, registry.uri).kind is Kind.UPDATED


def tampered(folder: Path) -> None:
    (receipt,) = (folder / "receipts").iterdir()
    receipt.write_bytes(receipt.read_bytes().replace(b"failed", b"passed"))


def test_a_receipt_that_was_changed_is_refused(registry, put, settings):
    folder, _ = put(1, gates="failed")
    tampered(folder)
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "its receipt is not the one that the registry names" in outcome.detail


@pytest.mark.parametrize(
    ("model", "digest"), [("kidney", "its own"), ("heart", "0" * 64)], ids=["name", "digest"]
)
def test_a_receipt_of_another_model_is_refused(registry, put, settings, model, digest):
    folder, _ = put(1, gates=None)
    client = registry.client()
    own = client.get_model_version("heart", "1").tags["digest"]
    other = write_receipt(folder, own if digest == "its own" else digest, "passed", model=model)
    client.set_model_version_tag("heart", "1", "receipt", other["receipt"])
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert "its receipt is of another model" in outcome.detail


def test_a_receipt_that_is_not_there_keeps_the_last_good_version(registry, put, settings):
    put(1)
    sync(settings, registry.uri)
    folder, _ = put(2)
    shutil.rmtree(folder / "receipts")
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.UNREACHABLE
    assert versions.current(settings.store).version == "1"


def test_the_receipt_is_asked_for_once(registry, put, settings):
    folder, _ = put(1)
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    shutil.rmtree(folder)
    assert sync(settings, registry.uri).kind is Kind.UNCHANGED


def test_a_version_in_force_whose_receipt_is_withdrawn_is_named_as_refused(registry, put, settings):
    folder, _ = put(1)
    sync(settings, registry.uri)
    client = registry.client()
    digest = client.get_model_version("heart", "1").tags["digest"]
    failed = write_receipt(folder, digest, "failed")
    client.set_model_version_tag("heart", "1", "receipt", failed["receipt"])
    outcome = sync(settings, registry.uri)
    assert outcome.kind is Kind.REFUSED
    assert versions.current(settings.store).version == "1"


def test_a_refused_version_that_the_stage_leaves_and_comes_back_to_is_tried_anew(
    registry, put, settings, make_model
):
    folder, bad = put(1)
    (folder / "golden.json").unlink()
    assert sync(settings, registry.uri).kind is Kind.REFUSED
    put(2)
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert [version for version, _ in refusals(settings)] == [bad], "it is still listed"
    make_model(folder, 1.0)
    registry.client().set_registered_model_alias("heart", "production", bad)
    assert sync(settings, registry.uri).kind is Kind.UPDATED
    assert versions.current(settings.store).version == bad


def test_two_refused_versions_in_turn_are_each_tried_anew(registry, put, settings, make_model):
    folder, first = put(1)
    (folder / "golden.json").unlink()
    sync(settings, registry.uri)
    put(2, "0" * 64)
    sync(settings, registry.uri)
    assert [version for version, _ in refusals(settings)] == ["2", "1"]
    make_model(folder, 1.0)
    registry.client().set_registered_model_alias("heart", "production", first)
    assert sync(settings, registry.uri).kind is Kind.UPDATED


def test_the_latest_refusals_are_listed_with_their_reasons(registry, put, settings):
    for number in range(1, REMEMBERED + 3):
        put(number, "0" * 64 if number % 2 else "its own", gates="passed" if number % 2 else None)
        sync(settings, registry.uri)
    found = refusals(settings)
    assert [version for version, _ in found] == [str(n) for n in range(12, 2, -1)]
    assert ["has the sha256" in reason for _, reason in found] == [False, True] * 5
    assert ["that its gates passed" in reason for _, reason in found] == [True, False] * 5


def test_a_version_that_is_refused_again_is_listed_once(registry, put, settings):
    put(1, "0" * 64)
    for _ in range(3):
        sync(settings, registry.uri, retry=True)
    assert len(refusals(settings)) == 1


def test_where_a_version_comes_from_goes_into_the_store_with_it(registry, put, settings, tmp_path):
    client = registry.client()
    experiment = client.create_experiment("heart", artifact_location=str(tmp_path / "runs"))
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "test_auc", 0.875)
    folder, _ = put(1, alias=None)
    digest = client.get_model_version("heart", "1").tags["digest"]
    receipt = write_receipt(folder, digest, "passed")
    tags = {"digest": digest, "git.commit": "abc", "data.digest": "def", **receipt}
    version = client.create_model_version("heart", str(folder), run_id=run.info.run_id, tags=tags)
    client.set_registered_model_alias("heart", "production", version.version)
    sync(settings, registry.uri)
    facts = versions.facts(settings.store, versions.current(settings.store))
    assert (facts.git_commit, facts.data_digest) == ("abc", "def")
    assert facts.metrics == {"test_auc": 0.875}
    assert 1000 * facts.trained_at.timestamp() == run.info.start_time
    assert sync(settings, registry.uri).kind is Kind.UNCHANGED


def test_a_stage_that_is_taken_away_leaves_the_last_version_answering(registry, put, settings):
    put(1)
    sync(settings, registry.uri)
    registry.client().delete_registered_model_alias("heart", "production")
    assert sync(settings, registry.uri).kind is Kind.NO_VERSION
    assert versions.current(settings.store).version == "1"
    found = sync_status.read(settings.store)
    assert (found.outcome, found.desired) == ("no version", None)


def test_the_outcome_is_noted_for_the_workers(registry, put, settings):
    put(1)
    outcome = sync(settings, registry.uri)
    found = sync_status.read(settings.store)
    assert (found.outcome, found.detail) == (outcome.kind, outcome.detail)
    assert found.desired == versions.current(settings.store)
    assert found.checked_at == found.reached_at
    assert found.good


def test_while_the_registry_is_out_of_reach_what_it_said_last_is_kept(registry, put, settings):
    put(1)
    sync(settings, registry.uri)
    before = sync_status.read(settings.store)
    registry.path.write_text("not a database, but long enough to be looked at " * 40)
    assert sync(settings, registry.uri).kind is Kind.UNREACHABLE
    after = sync_status.read(settings.store)
    assert (after.desired, after.reached_at) == (before.desired, before.reached_at)
    assert after.checked_at > before.checked_at
    assert not after.good


def test_a_digest_that_is_none_is_refused_before_anything_is_downloaded(registry, put, settings):
    folder, _ = put(1, "../../../etc")
    shutil.rmtree(folder)
    assert sync(settings, registry.uri).kind is Kind.REFUSED


def test_the_registry_may_be_another_than_where_runs_are_tracked(monkeypatch):
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert registry_uri() == "sqlite:///mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking")
    assert registry_uri() == "http://tracking"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "http://registry")
    assert registry_uri() == "http://registry"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "")
    assert registry_uri() == "http://tracking"


def test_the_command_follows_mlflows_own_variable_for_a_registry(registry, put, settings, tmp_path):
    put(1)
    given = {"MLFLOW_REGISTRY_URI": registry.uri, "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    done = subprocess.run(
        [sys.executable, "-m", "serving.following.sync"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), **settings.to_variables(), **given},
        capture_output=True,
        text=True,
    )
    said = "heart version 1 (production) was downloaded and is now in force.\n"
    assert (done.returncode, done.stderr) == (0, said)


def test_the_command_says_one_line_and_leaves_no_database(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "serving.following.sync"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "SERVING_MODEL": "heart"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("No version of `heart` is in stage")
    assert [path.name for path in tmp_path.rglob("*")] == ["model_store", "sync.json"]
