"""The least that Flask can do with a row of JSON."""

from flask import Flask, Response, jsonify, request

app = Flask(__name__)


@app.post("/predict")
def predict() -> Response:
    return jsonify(request.get_json())


@app.get("/ping")
def ping() -> Response:
    return jsonify({"status": "ok"})
