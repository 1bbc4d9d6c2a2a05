"""Check that the newest result's model is registered, where somebody deletes in MLflow's UI."""

from collections.abc import Iterator

from pipeline.health.finding import Finding
from pipeline.registry.ledger_store import LEDGER, LEDGER_TAG
from pipeline.registry.results import FINISHED_RESULTS
from pipeline.registry.stages import registered
from pipeline.tracking.experiment import KIND_TAG, Tracking
from serving.model.version_files import DIGEST_TAG

REGISTER = "dvc repro"


def newest_result(tracking: Tracking, name: str) -> Iterator[Finding]:
    """Find a newest result without a version, and say what became of the registered model."""
    results = tracking.search(FINISHED_RESULTS)
    digest = results[0].data.tags.get(DIGEST_TAG, "") if results else ""
    if not digest or digest in registered(tracking, name).numbers:
        return
    if tracking.client.search_registered_models(f"name = '{name}'"):
        sentence = "the newest result has no version: it was deleted, or never registered"
    elif other := _renamed_to(tracking):
        sentence = (
            f"the registered model {name} is called {other} now, and the service does not find it: "
            f"rename it back in MLflow, or `{REGISTER}` begins a new one"
        )
    else:
        sentence = f"there is no registered model {name} any more: it was deleted"
    yield Finding("versions", "fault", sentence, command=REGISTER)


def _renamed_to(tracking: Tracking) -> str:
    """Return the name of a registered model that has this project's ledger."""
    for ledger in tracking.search(f"tags.{KIND_TAG} = '{LEDGER}'"):
        query = f"tags.`{LEDGER_TAG}` = '{ledger.info.run_id}'"
        for model in tracking.client.search_registered_models(query):
            return str(model.name)
    return ""
