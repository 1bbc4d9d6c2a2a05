"""MLflow's registry as the service reads it: stages, claims, facts, and what it cannot do."""

import shutil
import socket
import time
from datetime import UTC, datetime
from hashlib import sha256
from types import SimpleNamespace

import pytest

from serving.errors import NoModelError
from serving.following.registry import Registry, UnreachableError, may_exist
from serving.model.scorer import Scorer
from serving.store.versions import Provenance
from tests.serving.small_model import NAME

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def source(registry):
    return Registry(registry.uri)


@pytest.fixture
def made(make_model, tmp_path):
    digest = make_model(tmp_path / "made")
    return tmp_path / "made", digest


def test_a_stage_is_an_alias(registry, source, made):
    registry.register(*made, alias="staging")
    registry.register(*made)
    found = source.resolve(NAME, "production")
    assert str(found.version) == "heart version 2 (production)"
    assert found.version.digest == made[1]
    assert source.resolve(NAME, "staging").version.version == "1"


@pytest.mark.parametrize("stage", ["production", "Production"])
def test_a_stage_may_be_one_of_those_that_mlflow_deprecated(registry, source, made, stage):
    registry.register(*made, alias=None)
    registry.register(*made, alias=None)
    with pytest.warns(FutureWarning, match="deprecated"):
        registry.client().transition_model_version_stage(NAME, "1", "Production")
    assert source.resolve(NAME, stage).version.version == "1"
    with pytest.raises(NoModelError):
        source.resolve(NAME, "staging")


def test_an_alias_counts_before_a_deprecated_stage(registry, source, made):
    registry.register(*made, alias=None)
    registry.register(*made)
    with pytest.warns(FutureWarning, match="deprecated"):
        registry.client().transition_model_version_stage(NAME, "1", "Production")
    assert source.resolve(NAME, "production").version.version == "2"


def test_what_is_not_registered_or_has_no_such_stage_is_no_model(registry, source, made):
    with pytest.raises(NoModelError, match="No version of `heart` is in stage `production`"):
        source.resolve(NAME, "production")
    registry.register(*made, alias=None)
    with pytest.raises(NoModelError):
        source.resolve(NAME, "production")


@pytest.mark.parametrize(
    ("gates", "why"),
    [
        (
            "failed",
            r"version 2 was kept out by its gates \(max_brier\): `python -m pipeline promote 2",
        ),
        ("passed", "version 2 was not promoted: `python -m pipeline promote 2 --to production`"),
        (None, "version 2 was not promoted"),
    ],
)
def test_empty_stage_says_what_keeps_the_newest_version_out(registry, source, made, gates, why):
    registry.register(*made, alias="staging")
    registry.register(*made, alias="staging", gates=gates)
    with pytest.raises(NoModelError, match=why):
        source.resolve(NAME, "production")


def test_the_claims_are_the_digest_the_receipt_and_its_signature(registry, source, made):
    registry.register(*made, key=b"k" * 32)
    found = source.resolve(NAME, "production")
    receipt, signature = found.tags["receipt"], found.tags["receipt.signature"]
    assert found.claims == f"digest={made[1]} receipt={receipt} receipt.signature={signature}"
    registry.register(made[0], None, gates=None)
    bare = source.resolve(NAME, "production").claims
    assert bare == "digest=None receipt=None receipt.signature=None"


def test_a_receipt_is_given_as_it_was_written(registry, source, made):
    registry.register(*made)
    found = source.resolve(NAME, "production")
    content = source.receipt(found.version, found.tags["receipt"])
    assert sha256(content).hexdigest() == found.tags["receipt"]


def test_a_receipt_that_is_not_there_is_told_with_its_version(registry, source, made):
    registry.register(*made)
    version = source.resolve(NAME, "production").version
    with pytest.raises(UnreachableError, match=r"give receipts/0000\.json of heart version"):
        source.receipt(version, "0000")


def run_of(registry, tmp_path) -> str:
    client = registry.client()
    experiment = client.create_experiment("heart", artifact_location=str(tmp_path / "artifacts"))
    run = client.create_run(experiment, start_time=int(1000 * STARTED.timestamp()))
    for name, value in {"test_auc": 0.875, "test_brier": 0.125, "cv_auc": 0.9}.items():
        client.log_metric(run.info.run_id, name, value)
    return str(run.info.run_id)


def registered(registry, made, run_id: str, **tags: str) -> None:
    client = registry.client()
    client.create_registered_model(NAME)
    version = client.create_model_version(
        NAME, str(made[0]), run_id=run_id, tags={"digest": made[1], **tags}
    )
    client.set_registered_model_alias(NAME, "production", version.version)


def test_a_version_is_traced_to_its_run_its_commit_and_its_data(registry, source, made, tmp_path):
    tags = {"git.commit": "abc", "data.digest": "def"}
    registered(registry, made, run_of(registry, tmp_path), **tags)
    assert source.facts(source.resolve(NAME, "production")) == Provenance(
        trained_at=STARTED,
        git_commit="abc",
        data_digest="def",
        metrics={"test_auc": 0.875, "test_brier": 0.125},
    )


def test_a_run_that_is_gone_leaves_what_the_version_itself_says(registry, source, made):
    registered(registry, made, "0" * 32, **{"git.commit": "abc"})
    assert source.facts(source.resolve(NAME, "production")) == Provenance(git_commit="abc")


NAN = float("nan")


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf")])
def test_a_metric_that_is_no_finite_number_is_left_out(
    source, registry, made, monkeypatch, caplog, value
):
    registered(registry, made, "0" * 32)
    run = SimpleNamespace(
        data=SimpleNamespace(metrics={"test_auc": value, "test_brier": 0.125}),
        info=SimpleNamespace(start_time=int(1000 * STARTED.timestamp())),
    )
    monkeypatch.setattr(source._client, "get_run", lambda _: run)
    facts = source.facts(source.resolve(NAME, "production"))
    assert facts == Provenance(trained_at=STARTED, metrics={"test_brier": 0.125})
    assert "no finite number: test_auc" in caplog.text


@pytest.mark.parametrize("moment", [2**62, -(2**62), 10**18, None])
def test_a_time_that_no_calendar_has_is_left_out(source, made, registry, monkeypatch, moment):
    registered(registry, made, "0" * 32)
    run = SimpleNamespace(data=SimpleNamespace(metrics={}), info=SimpleNamespace(start_time=moment))
    monkeypatch.setattr(source._client, "get_run", lambda _: run)
    assert source.facts(source.resolve(NAME, "production")) == Provenance()


@pytest.mark.parametrize("number", ["7é", "7\r\nX", "", "٧", "-1", "7.0", "../7", "7\n", "1" * 30])
def test_a_version_s_number_is_digits_only(source, made, registry, monkeypatch, number):
    registry.register(*made)
    version = source._client.get_model_version(NAME, "1")
    monkeypatch.setattr(version, "_version", number)
    monkeypatch.setattr(source._client, "get_model_version", lambda *_: version)
    with pytest.raises(UnreachableError, match="gives a version whose number is none: ") as raised:
        source.resolve(NAME, "production")
    assert str(raised.value).isprintable()


def test_a_version_that_was_registered_by_hand_has_no_facts(registry, source, made):
    registry.register(*made)
    assert source.facts(source.resolve(NAME, "production")) == Provenance()


def test_a_downloaded_version_is_the_one_that_was_registered(registry, source, made, tmp_path):
    registry.register(*made)
    (tmp_path / "here").mkdir()
    files = source.download(source.resolve(NAME, "production").version, tmp_path / "here")
    assert tmp_path / "here" in [files, *files.parents]
    assert Scorer.load(files, made[1]).digest == made[1]


def test_files_that_are_gone_are_told_in_one_line(registry, source, made, tmp_path):
    registry.register(*made)
    shutil.rmtree(made[0])
    with pytest.raises(UnreachableError) as raised:
        source.download(source.resolve(NAME, "production").version, tmp_path)
    assert str(raised.value).startswith("does not give the files of heart version 1 (production): ")
    assert "\n" not in str(raised.value)


def test_a_server_that_is_down_is_told_in_the_systems_own_word(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = Registry(f"http://me:secret@127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(UnreachableError) as raised:
            down.resolve(NAME, "production")
    assert str(raised.value) == "cannot be read: Connection refused"


@pytest.mark.parametrize(
    "uri",
    [
        "nonsense://me:secret@h/x",
        "postgresql://me:secret@127.0.0.1:1/x",
        "mysql+none://me:secret@h/x",
    ],
)
def test_a_registry_that_cannot_be_opened_is_told_without_its_password(uri):
    started = time.monotonic()
    with pytest.raises(UnreachableError, match="cannot be read: ") as raised:
        Registry(uri).resolve(NAME, "production")
    assert time.monotonic() - started < 10, "MLflow would try for 100 seconds"
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "may"),
    [
        ("sqlite:///{folder}/is.db", True),
        ("sqlite:///{folder}/is.db?timeout=5", True),
        ("sqlite:///{folder}/is-not.db", False),
        ("sqlite:///{folder}", False),
        ("http://127.0.0.1:9", True),
    ],
)
def test_only_a_sqlite_file_that_is_there_is_asked(tmp_path, uri, may):
    (tmp_path / "is.db").write_text("")
    assert may_exist(uri.format(folder=tmp_path)) is may
