"""MLflow's registry, as far as the service reads it: what a stage names, and its files.

The only file of the service that imports mlflow, and only when there is a registry to ask, since
importing it takes two seconds.
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from serving.config import without_password
from serving.errors import NoModelError
from serving.log import logger
from serving.model.version_files import DIGEST_TAG, ModelError
from serving.receipts.receipt import RECEIPT_TAG, SIGNATURE_TAG, parse_receipt, path_of
from serving.store.versions import Provenance, Version

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

DEFAULT_URI = "sqlite:///mlflow.db"
CLAIMS = (DIGEST_TAG, RECEIPT_TAG, SIGNATURE_TAG)  # what a verdict on a version rests on

# MLflow's client would retry for minutes, count its users, draw progress bars and load pickles.
MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


class UnreachableError(Exception):
    """A registry that cannot be read, or gives no files: what it does, and why."""


@dataclass(frozen=True)
class Found:
    """The version that a stage names: its identity, and what the registry claims of it."""

    version: Version
    tags: Mapping[str, str]
    run_id: str | None

    @property
    def claims(self) -> str:
        return " ".join(f"{tag}={self.tags.get(tag)}" for tag in CLAIMS)


class Registry:
    """A registry at a tracking URI; raises UnreachableError where it cannot be had."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        with warnings.catch_warnings(), _reading("cannot be read"):
            warnings.simplefilter("ignore")
            from mlflow import MlflowClient

            _give_up_early(uri)
            self._client = MlflowClient(uri, uri)

    def resolve(self, name: str, stage: str) -> Found:
        """Find the stage's version: by its alias, else by the stages that MLflow deprecated.

        Raises NoModelError where there is none, which says what keeps the newest version out.
        """
        with _reading("cannot be read"):
            found = self._resolve(name, stage)
            why = self._why_none(name, stage) if found is None else ""
        if found is None:
            raise NoModelError(name, stage, why)
        version = Version(name, _number(found), stage, found.tags.get(DIGEST_TAG, ""))
        return Found(version, dict(found.tags), found.run_id or None)

    def facts(self, found: Found) -> Provenance:
        """Return where a version comes from.

        What the registry does not know is left out, and so is what could not be written and read
        again, with a word to the log.
        """
        with _reading("cannot be read"):
            run: Any = _run_or_none(self._client, found.run_id)
        metrics = {} if run is None else _test_metrics(found, run.data.metrics)
        return Provenance(
            trained_at=None if run is None else _time(found, run.info.start_time),
            git_commit=found.tags.get("git.commit"),
            data_digest=found.tags.get("data.digest"),
            metrics=metrics,
        )

    def download(self, version: Version, target: Path) -> Path:
        return self._download(version, "", target)

    def receipt(self, version: Version, receipt_digest: str) -> bytes:
        with TemporaryDirectory() as folder:
            return self._download(version, path_of(receipt_digest), Path(folder)).read_bytes()

    def _download(self, version: Version, path: str, target: Path) -> Path:
        import mlflow

        with _reading(f"does not give {path or 'the files'} of {version}"):
            # `models:/name/version` would be looked up at the process's global URI instead.
            source = self._client.get_model_version_download_uri(version.name, version.version)
            downloaded = mlflow.artifacts.download_artifacts(
                artifact_uri=f"{source}/{path}" if path else source,
                dst_path=str(target),
                tracking_uri=self.uri,
            )
        return Path(downloaded)

    def _why_none(self, name: str, stage: str) -> str:
        """Return what keeps the newest version out of a stage, empty if there is no version."""
        newest = self._client.search_model_versions(
            f"name = '{name}'", max_results=1, order_by=["version_number DESC"]
        )
        if not newest:
            return ""
        version = Version(name, _number(newest[0]), stage, newest[0].tags.get(DIGEST_TAG, ""))
        failed = ", ".join(self._failed_gates(version, newest[0].tags))
        kept = f"was kept out by its gates ({failed})" if failed else "was not promoted"
        promote = f"python -m pipeline promote {version.version} --to {stage}"
        return f"version {version.version} {kept}: `{promote}` shows the gates and decides"

    def _failed_gates(self, version: Version, tags: Mapping[str, str]) -> list[str]:
        try:
            receipt = parse_receipt(self.receipt(version, tags[RECEIPT_TAG]))
        except (KeyError, UnreachableError, ModelError):  # it was registered, and never judged
            return []
        return [gate.gate for gate in receipt.gates if not gate.passed]

    def _resolve(self, name: str, stage: str) -> "ModelVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            model = self._client.get_registered_model(name)
            number = model.aliases.get(stage)
            if number is not None:
                return self._client.get_model_version(name, str(number))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        staged: list[ModelVersion] = model.latest_versions
        for version in staged:
            if (version.current_stage or "").lower() == stage.lower():
                return version
        return None


def may_exist(uri: str) -> bool:
    """Raise for a sqlite file that does not exist: asking MLflow for it would create it."""
    path = uri.removeprefix("sqlite:///").split("?")[0]
    return not uri.startswith("sqlite:///") or Path(path).is_file()


def _give_up_early(uri: str) -> None:
    """Keep MLflow from trying a database that is down for 100 seconds; no variable of it does."""
    if not uri.startswith(("http:", "https:")):
        from mlflow.store.db import utils

        utils.MAX_RETRY_COUNT = 1


@contextmanager
def _reading(failure: str) -> Iterator[None]:
    """Turn any failure into one sentence: each store and driver has errors of its own."""
    try:
        yield
    except Exception as error:
        raise UnreachableError(f"{failure}: {_reason(error)}") from error


def _number(found: "ModelVersion") -> str:
    """Return a version's number; raises UnreachableError for what is none."""
    number = str(found.version)
    if not re.fullmatch("[0-9]{1,18}", number):
        raise UnreachableError(f"gives a version whose number is none: {number[:40]!a}")
    return number


def _test_metrics(found: Found, metrics: Mapping[str, float]) -> dict[str, float]:
    figures = {key: value for key, value in metrics.items() if key.startswith("test_")}
    finite = {key: value for key, value in figures.items() if isfinite(value)}
    if lost := ", ".join(sorted(figures.keys() - finite.keys())):
        logger.warning("%s: left out, because it is no finite number: %s", found.version, lost)
    return finite


def _time(found: Found, milliseconds: float | None) -> datetime | None:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
    except (OverflowError, ValueError, OSError):
        logger.warning("%s: its run started at a time that no calendar has", found.version)
        return None


def _run_or_none(client: Any, run_id: str | None) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return None if run_id is None else client.get_run(run_id)
    except MlflowException:  # a deleted run takes nothing from the model
        return None


def _reason(error: BaseException) -> str:
    """Shorten a library's message to the system's own word for it, or to one line."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    line = " ".join(str(error).split()) or type(error).__name__
    # A lone surrogate could not be written to the status.
    return without_password(line)[:300].rstrip(".").encode(errors="replace").decode()
