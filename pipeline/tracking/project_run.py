"""The run that `mlflow run` opens for an entry point, to which nothing is logged: delete it.

An entry point starts this beside its command. `mlflow run` writes the run's status when the command
has ended, and fails if the run is gone by then.
"""

import os
import sys
import time

from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PROJECT_ENTRY_POINT

from pipeline.tracking.address import tracking_uri

INTERVAL, PATIENCE = 0.1, 30  # seconds


def delete_project_run(run_id: str, shell: int) -> None:
    """Delete the run of `mlflow run` after the shell of its entry point; another's run is left."""
    client = MlflowClient(tracking_uri())
    if MLFLOW_PROJECT_ENTRY_POINT not in client.get_run(run_id).data.tags:
        return
    print(f"the run {run_id} of `mlflow run` is deleted at its end: results have runs of their own")
    sys.stdout.flush()
    while os.getppid() == shell:
        time.sleep(INTERVAL)
    deadline = time.monotonic() + PATIENCE  # `mlflow run` may have been killed
    while client.get_run(run_id).info.status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(INTERVAL)
    client.delete_run(run_id)


if __name__ == "__main__":
    if "MLFLOW_RUN_ID" in os.environ:
        delete_project_run(os.environ["MLFLOW_RUN_ID"], int(sys.argv[1]))
