"""A service as tutorials write it: pandas, and the pickle that `bench.peers.train` wrote."""

import joblib
import pandas as pd
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
model = joblib.load("tutorial.joblib")


@app.post("/predict")
def predict() -> Response:
    row = pd.DataFrame([request.get_json()])
    probability = model.predict_proba(row)[0, 1]
    return jsonify({"label": int(probability >= 0.5), "probability": float(probability)})


@app.get("/ping")
def ping() -> Response:
    return jsonify({"status": "ok"})
