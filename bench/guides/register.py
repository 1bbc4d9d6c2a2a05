"""Register the model and promote it."""

from pathlib import Path

import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
run_id = Path("run_id.txt").read_text(encoding="utf-8")
version = mlflow.register_model(f"runs:/{run_id}/calibrated", "guides")
mlflow.MlflowClient().set_registered_model_alias("guides", "production", version.version)
