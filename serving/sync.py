"""The registry's stage -> the store: fetch the version, verify it, put it in place.

    python -m serving.sync

The only file of the service that imports mlflow, and only when there is a registry to ask, since
importing it takes two seconds. It says in one line on stderr what happened.
"""

import logging
import os
import re
import sys
import warnings
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from serving import store
from serving.config import ConfigError, Settings, read_settings
from serving.errors import NoModelError
from serving.scorer import DIGEST_TAG, ModelError, Scorer
from serving.store import Version

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

DEFAULT_TRACKING_URI = "sqlite:///mlflow.db"

# MLflow's client would retry for minutes, count its users, draw progress bars and load pickles.
MLFLOW_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}


class Kind(StrEnum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NO_VERSION = "no version"
    UNREACHABLE = "registry unreachable"
    REFUSED = "refused"
    STORE_FAILED = "store failed"


class Outcome(NamedTuple):
    """What a sync came to, with the sentence to say; only the first two kinds are a success."""

    kind: Kind
    detail: str

    @property
    def good(self) -> bool:
        return self.kind in (Kind.UPDATED, Kind.UNCHANGED)


class UnreachableError(Exception):
    """A registry that cannot be read, or gives no files: what it does, and why."""


def sync(settings: Settings, tracking_uri: str) -> Outcome:
    """Bring the store to the version that the registry's stage names.

    Whatever goes wrong, the store's last good version stays in force.
    """
    try:
        return _follow(settings, tracking_uri)
    except NoModelError as error:
        return Outcome(Kind.NO_VERSION, error.detail)
    except UnreachableError as error:
        where = _without_password(tracking_uri)
        return Outcome(Kind.UNREACHABLE, f"The registry at {where} {error}.")
    except ModelError as error:
        return Outcome(Kind.REFUSED, str(error))
    except OSError as error:
        return Outcome(Kind.STORE_FAILED, f"The store cannot be used: {error}.")


def _follow(settings: Settings, tracking_uri: str) -> Outcome:
    if not _may_exist(tracking_uri):
        raise NoModelError(settings.model, settings.stage)
    client = _client(tracking_uri)
    found = _resolve(client, settings)
    wanted = Version(
        settings.model, str(found.version), settings.stage, found.tags.get(DIGEST_TAG, "")
    )
    try:
        return _bring(client, tracking_uri, settings.store, wanted)
    except ModelError as error:
        raise ModelError(f"{wanted} is refused: {error}.") from error


def _bring(client: "MlflowClient", tracking_uri: str, folder: Path, wanted: Version) -> Outcome:
    here = _is_good(folder, wanted)
    if here and _current(folder) == wanted:
        return Outcome(Kind.UNCHANGED, f"{wanted} is in force already.")
    if not here:
        _fetch(client, tracking_uri, folder, wanted)
    store.switch(folder, wanted)
    how = "was in the store" if here else "was downloaded"
    return Outcome(Kind.UPDATED, f"{wanted} {how} and is now in force.")


def _resolve(client: "MlflowClient", settings: Settings) -> "ModelVersion":
    """Find the stage's version: by its alias, else by the stages that MLflow deprecated."""
    from mlflow.exceptions import MlflowException

    try:
        model = client.get_registered_model(settings.model)
        number = model.aliases.get(settings.stage)
        if number is not None:
            named: ModelVersion = client.get_model_version(settings.model, str(number))
            return named
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise NoModelError(settings.model, settings.stage) from error
        raise UnreachableError(f"cannot be read: {_reason(error)}") from error
    except Exception as error:  # a database's driver raises errors of its own
        raise UnreachableError(f"cannot be read: {_reason(error)}") from error
    staged: list[ModelVersion] = model.latest_versions
    for version in staged:
        if (version.current_stage or "").lower() == settings.stage.lower():
            return version
    raise NoModelError(settings.model, settings.stage)


def _fetch(client: "MlflowClient", tracking_uri: str, folder: Path, wanted: Version) -> None:
    """Download a version beside those in the store, verify it, and move it in."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        source = _download(client, tracking_uri, wanted, Path(temporary))
        Scorer.load(source, wanted.digest)
        store.adopt(folder, source, wanted)


def _download(client: "MlflowClient", tracking_uri: str, wanted: Version, target: Path) -> Path:
    import mlflow

    try:
        # `models:/name/version` would be looked up at the process's global URI instead.
        uri = client.get_model_version_download_uri(wanted.name, wanted.version)
        path = mlflow.artifacts.download_artifacts(
            artifact_uri=uri, dst_path=str(target), tracking_uri=tracking_uri
        )
    except Exception as error:  # each kind of artifact store has its own
        raise UnreachableError(f"does not give {wanted}: {_reason(error)}") from error
    return Path(path)


def _is_good(folder: Path, wanted: Version) -> bool:
    directory = store.version_dir(folder, wanted.digest)
    try:
        Scorer.load(directory, wanted.digest)
    except ModelError:
        return False
    return True


def _current(folder: Path) -> Version | None:
    try:
        return store.current(folder)
    except ModelError:  # a damaged pointer is replaced
        return None


def _may_exist(tracking_uri: str) -> bool:
    """Tell a sqlite file that is not there: asking MLflow for it would create it."""
    path = tracking_uri.removeprefix("sqlite:///").split("?")[0]
    return not tracking_uri.startswith("sqlite:///") or Path(path).is_file()


def _client(tracking_uri: str) -> "MlflowClient":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        try:
            return MlflowClient(tracking_uri, tracking_uri)
        except Exception as error:  # a bad URI, a driver that is not installed, a refused login
            raise UnreachableError(f"cannot be read: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Shorten a library's message to the system's own word for it, or to one line."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.strerror:
            return link.strerror
        link = link.__cause__ or link.__context__
    line = " ".join(str(error).split()) or type(error).__name__
    return _without_password(line)[:300].rstrip(".")


def _without_password(text: str) -> str:
    """Hide what a URI may hold between `://` and `@`."""
    return re.sub(r"://[^@/\s]*@", "://***@", text)


def main() -> int:
    """Sync once; 0 where the store now holds what the registry names, else 1."""
    warnings.simplefilter("ignore")
    logging.getLogger("alembic").setLevel(logging.ERROR)
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        settings = read_settings()
        uri = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_TRACKING_URI
        outcome = sync(settings, uri)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(outcome.detail, file=sys.stderr)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
