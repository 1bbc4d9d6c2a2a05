"""MLflow's registry: for each model's digest exactly one version, and the stages it stands in.

A stage is a registered-model alias of that name.
"""

import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mlflow.onnx
import onnx
import pandas as pd
from mlflow.artifacts import download_artifacts
from mlflow.entities import LoggedModelOutput
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from pipeline.errors import PipelineError
from pipeline.ledgerstore import NOT_FOUND, LedgerStore
from pipeline.tracking import Tracking
from serving.contract import Contract
from serving.receipt import (
    RECEIPT_TAG,
    SIGNATURE_TAG,
    Demands,
    Receipt,
    check_receipt,
    check_tags,
    digest_of,
    path_of,
)
from serving.scorer import (
    CONTRACT_FILE,
    DIGEST_TAG,
    GOLDEN_FILE,
    MODEL_FILE,
    ModelError,
    Scorer,
)
from serving.signing import sign

MOST_VERSIONS = 10_000  # that MLflow gives at once
LOGGED_MODEL = "models:/"  # before a logged model's id: where a version's files are
VERDICT_TAG = "gates"  # the receipt's verdict, to search by
SERVED_WITH = ("mlflow", "onnx", "onnxruntime", "numpy", "pandas")


@dataclass(frozen=True)
class Candidate:
    """A trained model on its way into the registry: its folder, and its scorer."""

    folder: Path
    scorer: Scorer
    example: pd.DataFrame


def ensure_version(
    tracking: Tracking, name: str, candidate: Candidate, run_id: str, tags: Mapping[str, str]
) -> tuple[str, bool]:
    """Give the number of the one version with the candidate's digest, and whether it is new."""
    client, digest = tracking.client, candidate.scorer.digest
    LedgerStore(tracking, name).ensure_model()
    found = client.search_model_versions(f"name = '{name}' and tags.{DIGEST_TAG} = '{digest}'")
    if found:
        return str(min(int(version.version) for version in found)), False
    model_id = _log_model(tracking, name, candidate, run_id)
    version = client.create_model_version(
        name,
        source=f"{LOGGED_MODEL}{model_id}",
        run_id=run_id,
        model_id=model_id,
        tags={**tags, DIGEST_TAG: digest},
    )
    return str(version.version), True


def version_at(tracking: Tracking, name: str, stage: str) -> ModelVersion | None:
    """Give the version that a stage names, or None."""
    try:
        return tracking.client.get_model_version_by_alias(name, stage)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return None
        raise


def set_stage(tracking: Tracking, name: str, stage: str, version: str | None) -> None:
    """Let a stage name a version, or none; raises ModelError for one that is not there."""
    if version is None:
        tracking.client.delete_registered_model_alias(name, stage)
        return
    with _there():
        tracking.client.set_registered_model_alias(name, stage, version)


def number_at(tracking: Tracking, name: str, stage: str) -> str | None:
    """Give the number of the version that a stage names, or None."""
    now = version_at(tracking, name, stage)
    return None if now is None else str(now.version)


def numbers(tracking: Tracking, name: str) -> list[str]:
    """Give the numbers of all versions, the oldest first."""
    found = tracking.client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    return sorted((str(version.version) for version in found), key=int)


def stages(tracking: Tracking, name: str) -> list[str]:
    """Give the stages that name a version."""
    try:
        return sorted(tracking.client.get_registered_model(name).aliases)
    except MlflowException as error:
        if error.error_code in NOT_FOUND:
            return []
        raise


@dataclass(frozen=True)
class Facts:
    """What the registry and the store know of a version; `params` is None where its run is gone."""

    tags: dict[str, str]
    stages: list[str]
    params: dict[str, str] | None
    metrics: dict[str, float]


def facts_of(tracking: Tracking, name: str, number: str) -> Facts:
    version = tracking.client.get_model_version(name, number)
    tags, stages = dict(version.tags), sorted(version.aliases)
    try:
        run = tracking.client.get_run(str(version.run_id))
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        return Facts(tags, stages, None, {})
    if run.info.lifecycle_stage != "active":
        return Facts(tags, stages, None, {})
    return Facts(tags, stages, dict(run.data.params), dict(run.data.metrics))


def tags_of(tracking: Tracking, name: str, version: str) -> dict[str, str]:
    """Give a version's tags; raises ModelError where it is not there."""
    with _there():
        return dict(tracking.client.get_model_version(name, version).tags)


@contextmanager
def _there() -> Iterator[None]:
    """Say in a word of our own that a version was deleted, which is no failure of the store."""
    try:
        yield
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        raise ModelError("it is no longer in the registry") from error


def keep_receipt(
    tracking: Tracking, name: str, number: str, receipt: Receipt, key: bytes | None
) -> str:
    """Put a receipt among the version's artifacts, then name it in its tags; give its digest.

    With a key it is signed together with the model that it is of.
    """
    content = receipt.to_json()
    digest = digest_of(content)
    version = tracking.client.get_model_version(name, number)
    model_id = str(version.source or "").removeprefix(LOGGED_MODEL)
    if not model_id.startswith("m-"):
        raise PipelineError(
            f"version {number} of {name} was not registered by `dvc repro`: "
            "it has no place for a receipt"
        )
    with TemporaryDirectory() as folder:
        path = Path(folder, path_of(digest))
        path.parent.mkdir()
        path.write_bytes(content)
        tracking.client.log_model_artifacts(model_id, folder)
    signature = "" if key is None else sign(key, digest, receipt.digest)
    name_receipt(tracking, name, number, receipt, digest, signature)
    return digest


def name_receipt(
    tracking: Tracking, name: str, number: str, receipt: Receipt, digest: str, signature: str
) -> None:
    """Let a version's tags name one of the receipts among its artifacts."""
    now = tags_of(tracking, name, number)
    tags = {RECEIPT_TAG: digest, VERDICT_TAG: receipt.verdict, SIGNATURE_TAG: signature}
    for tag, value in tags.items():
        if value and now.get(tag) != value:
            tracking.client.set_model_version_tag(name, number, tag, value)


def receipt_of(
    tracking: Tracking,
    name: str,
    number: str,
    key: bytes | None,
    named: Mapping[str, str] | None = None,
) -> tuple[Receipt, str]:
    """Read a version's receipt and check it as the service would, whatever its verdict.

    Gives its digest as well. `named` are tags that name another receipt than the version's own do.

    Raises ModelError where there is none, it was changed, or it is not signed with the key.
    """
    tags = {**tags_of(tracking, name, number), **(named or {})}
    digest = tags.get(RECEIPT_TAG, "")
    if not digest:
        raise ModelError("it has no receipt")
    demands = Demands(gates=False, key=key)
    check_tags(tags, demands)
    address = f"models:/{name}/{number}/{path_of(digest)}"
    with TemporaryDirectory() as folder:
        try:
            content = Path(download_artifacts(address, dst_path=folder)).read_bytes()
        except (MlflowException, OSError, ImportError) as error:
            raise ModelError(f"its receipt cannot be downloaded: {one_line(error)}") from error
    return check_receipt(content, tags, model=name, demands=demands), digest


@contextmanager
def downloaded(tracking: Tracking, name: str, number: str) -> Iterator[Scorer]:
    """Download a version and open it as the service would.

    Raises ModelError where it is not whole.
    """
    with TemporaryDirectory() as folder:
        try:
            path = download_artifacts(f"models:/{name}/{number}", dst_path=folder)
        except (MlflowException, OSError, ImportError) as error:
            raise ModelError(f"version {number} cannot be downloaded: {one_line(error)}") from error
        yield Scorer.load(Path(path), tags_of(tracking, name, number).get(DIGEST_TAG))


def signature(contract: Contract) -> ModelSignature:
    """Declare every column `double`: an integer column could not be missing (mlflow#25593)."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.double, feature.name, required=not feature.nullable)
        for feature in contract.features
    ]
    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.long, "label"),
        ColSpec(DataType.double, "probability"),
    ]
    return ModelSignature(Schema(inputs), Schema(outputs))


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _log_model(tracking: Tracking, name: str, candidate: Candidate, run_id: str) -> str:
    """Upload the candidate as a logged model of the run; give the logged model's id."""
    client = tracking.client
    experiments = [tracking.experiment_id]
    # Another machine may have made other bytes of the same run, which are a version.
    versions = client.search_model_versions(f"name = '{name}'", max_results=MOST_VERSIONS)
    kept = {str(version.source).removeprefix(LOGGED_MODEL) for version in versions}
    for leftover in client.search_logged_models(experiments, f"source_run_id = '{run_id}'"):
        if leftover.model_id not in kept:
            client.delete_logged_model(leftover.model_id)
    logged = client.create_logged_model(
        tracking.experiment_id, name="model", source_run_id=run_id, model_type="onnx"
    )
    with TemporaryDirectory() as parent:
        folder = Path(parent, "model")
        mlflow.onnx.save_model(
            onnx.load(candidate.folder / MODEL_FILE),
            folder,
            mlflow_model=Model(run_id=run_id, model_id=logged.model_id, model_uuid=logged.model_id),
            signature=signature(candidate.scorer.contract),
            input_example=candidate.example,
            # Given, since to infer it MLflow starts the model in a process of its own.
            conda_env=_environment(),
            save_as_external_data=False,
            onnx_execution_providers=["CPUExecutionProvider"],
        )
        # The files themselves, since what MLflow saved went through a parser.
        for file in (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE):
            shutil.copyfile(candidate.folder / file, folder / file)
        client.log_model_artifacts(logged.model_id, str(folder))
    client.finalize_logged_model(logged.model_id, "READY")
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    return str(logged.model_id)


def _environment() -> dict[str, Any]:
    """Name what `mlflow models serve` needs to answer with the model, as installed here."""
    pip = [f"{name}=={installed_version(name)}" for name in SERVED_WITH]
    python = f"python={platform.python_version()}"
    return {"channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pip}]}
