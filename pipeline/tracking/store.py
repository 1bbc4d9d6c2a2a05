"""The tracking store: where it is, how it is opened, and how runs are written there.

Runs are always named by their id. MLflow's fluent interface would resume whatever run the
environment names, which under `mlflow run` is one and the same for every stage.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipeline.errors import PipelineError, StoreUnreachableError
from pipeline.files import project_root
from pipeline.tracking import sqlite_store
from pipeline.tracking.address import sqlite_file, tracking_uri, without_password
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.locks import exclusive, holder_of
from pipeline.tracking.relocation import Move, find_move

SEARCHES_SUFFIX = "-search"  # of the experiment beside that of the results
ROLE_TAG = "pipeline.experiment"  # of an experiment: what it holds
RESULTS, SEARCHES = "results", "searches"


@contextmanager
def open_tracking(
    experiment: str, *, quiet: bool = False, create: bool = True
) -> Iterator[Tracking]:
    """Open the experiment, creating it at first use, and keep others of this project out meanwhile.

    With `quiet` nothing is said where others must be waited for. Without `create` nothing is made.

    Raises PipelineError where the store does not answer, or another process holds it too long, or
    there is no such experiment and none is to be made.
    """
    uri = tracking_uri()
    if not create and not exists(experiment, uri):
        raise PipelineError(
            f"the tracking store at {without_password(uri)} has nothing of {experiment}: "
            "run `dvc repro` first"
        )
    with exclusive(quiet=quiet), _translate_errors(uri):
        # For the whole process: MLflow resolves models:/ addresses by it, whatever the client.
        mlflow.set_tracking_uri(uri)
        sqlite_store.prepare(uri)
        client = MlflowClient(uri)
        yield Tracking(client, *_experiment_ids(client, experiment, uri, create=create), uri)


def project_move(experiment: str) -> Move | None:
    """Return the project's move, if it was moved and the store does not know of it."""
    uri = tracking_uri()
    if not exists(experiment, uri):
        return None
    with _translate_errors(uri):
        results = MlflowClient(uri).get_experiment_by_name(experiment)
        return find_move(results.artifact_location, sqlite_file(uri)) if results else None


def warm_up() -> None:
    """Connect to the store, which takes its time only once in a process."""
    uri = tracking_uri()
    with exclusive(quiet=True), _translate_errors(uri):
        sqlite_store.prepare(uri)
        MlflowClient(uri).search_experiments(max_results=1)


@contextmanager
def _translate_errors(uri: str) -> Iterator[None]:
    """Translate what a store's library raises into one sentence."""
    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        raise _translated(uri, error) from error


def _translated(uri: str, error: Exception) -> PipelineError:
    link: BaseException | None = error
    while link is not None:
        away = isinstance(link, OperationalError) and not uri.startswith("sqlite")
        if away or isinstance(link, ConnectionError | requests.ConnectionError):
            return StoreUnreachableError(
                f"the tracking server at {without_password(uri)} does not answer: start it, "
                "or unset MLFLOW_TRACKING_URI to track in this folder; then run `dvc repro` again"
            )
        link = link.__cause__ or link.__context__
    what = " ".join(str(error).split()).partition(" [SQL:")[0]
    file = sqlite_file(uri)
    if file is not None and "database is locked" in what:
        return PipelineError(
            f"{file} is locked by {holder_of(file)}: wait until it has done, or stop it, and run "
            "this again; a server (`mlflow server`, docs/team.md) takes several at once"
        )
    return PipelineError(f"the tracking store at {without_password(uri)} failed: {what}")


def exists(experiment: str, uri: str = "") -> bool:
    """True if there is a store that has this experiment; nothing is made."""
    uri = uri or tracking_uri()
    path = sqlite_file(uri)
    if path is not None and not path.exists():
        return False
    with _translate_errors(uri):
        return MlflowClient(uri).get_experiment_by_name(experiment) is not None


def _experiment_ids(client: MlflowClient, name: str, uri: str, *, create: bool) -> tuple[str, str]:
    """Return the ids of the experiments of results and of searches, created at first use.

    Without `create`, a store from before there were two has one in place of both.

    Raises PipelineError if one of them belongs to another project.
    """
    searches_name = name + SEARCHES_SUFFIX
    results = client.get_experiment_by_name(name)
    searches = client.get_experiment_by_name(searches_name)
    if results is not None and _role(results) == SEARCHES:
        raise PipelineError(
            f"the experiment {name} holds the searches of the project "
            f"{name.removesuffix(SEARCHES_SUFFIX)}: choose another `name` in params.yaml"
        )
    if searches is not None and _role(searches) != SEARCHES:
        raise PipelineError(
            f"the experiment {searches_name} holds the results of another project, and is where "
            f"the searches of {name} would go: choose another `name` in params.yaml"
        )
    results_id = _use(client, results, uri) or _create(client, name, uri, RESULTS)
    if searches is None and not create:
        return results_id, results_id
    return results_id, _use(client, searches, uri) or _create(client, searches_name, uri, SEARCHES)


def _role(experiment: Experiment) -> str:
    """Return what an experiment holds; one without a tag holds results."""
    return experiment.tags.get(ROLE_TAG, RESULTS)


def _use(client: MlflowClient, experiment: Experiment | None, uri: str) -> str:
    """Return an experiment's id, empty if there is none; restore it if it was deleted.

    Raises StoreUnreachableError if the project was moved since.
    """
    if experiment is None:
        return ""
    if move := find_move(experiment.artifact_location, sqlite_file(uri)):
        raise StoreUnreachableError(
            f"the project was moved or copied from {move.before}, and its tracking store still "
            "names files there: `python -m pipeline doctor --fix` corrects it"
        )
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


def _create(client: MlflowClient, name: str, uri: str, role: str) -> str:
    # A local store keeps artifacts in the project; a server knows its own place.
    location = (project_root() / "mlruns" / name).as_uri() if uri.startswith("sqlite") else None
    tags = {
        "mlflow.experimentKind": "custom_model_development",  # how the UI lays it out
        ROLE_TAG: role,
    }
    return str(client.create_experiment(name, artifact_location=location, tags=tags))
