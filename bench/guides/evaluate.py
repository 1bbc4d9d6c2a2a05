"""Score the logged model on the test split."""

import json
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.metrics import brier_score_loss, roc_auc_score

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("guides")
table = pd.read_csv("test.csv")
X, y = table.drop(columns="Outcome"), table["Outcome"]
run_id = Path("run_id.txt").read_text(encoding="utf-8")
with mlflow.start_run(run_id=run_id):
    model = mlflow.sklearn.load_model(f"runs:/{run_id}/calibrated")
    probability = model.predict_proba(X)[:, 1]
    metrics = {
        "roc_auc": roc_auc_score(y, probability),
        "brier": brier_score_loss(y, probability),
    }
    mlflow.log_metrics(metrics)
Path("metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
