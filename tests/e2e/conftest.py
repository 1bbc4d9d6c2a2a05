"""What a tracking store holds, as the end-to-end tests ask for it."""

from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Run

NAME = "pima-diabetes"


@dataclass(frozen=True)
class Store:
    """A tracking store and registry, seen through MLflow's own client."""

    client: MlflowClient

    def runs(self) -> list[Run]:
        experiment = self.client.get_experiment_by_name(NAME)
        assert experiment is not None
        return list(self.client.search_runs([experiment.experiment_id], max_results=5000))

    def results(self, status: str = "FINISHED") -> list[Run]:
        """Give the runs that are no candidates of a search, nor the ledger."""
        return [
            run
            for run in self.runs()
            if run.info.status == status
            and "mlflow.parentRunId" not in run.data.tags
            and run.data.tags.get("kind") != "ledger"
        ]

    def candidates(self, parent: Run) -> list[Run]:
        key = "mlflow.parentRunId"
        return [run for run in self.runs() if run.data.tags.get(key) == parent.info.run_id]

    def versions(self) -> dict[str, set[str]]:
        """Give each version's stages."""
        found = self.client.search_model_versions(f"name = '{NAME}'")
        return {
            str(version.version): set(
                self.client.get_model_version(NAME, str(version.version)).aliases
            )
            for version in found
        }


def open_store(uri: str) -> Store:
    return Store(MlflowClient(uri))
