"""Fit the pickle of `bench.peers.tutorial`: an SVM of the pipeline's own C and gamma.

python -m bench.peers.train
"""

import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

table = pd.read_csv("data/diabetes.csv")
winner = json.loads(Path("artifacts/winner.json").read_text(encoding="utf-8"))
model = make_pipeline(
    SimpleImputer(strategy="median"),
    StandardScaler(),
    CalibratedClassifierCV(SVC(C=winner["C"], gamma=winner["gamma"]), ensemble=False),
)
model.fit(table.drop(columns="Outcome"), table["Outcome"])
joblib.dump(model, "tutorial.joblib")
