"""Who is measured: how each server is started, and the rows it is asked for in its own form."""

import csv
import json
from pathlib import Path
from typing import Any

import msgspec

from bench.project import TABLE, copy_project, run
from bench.servers import Launch

SERVERS = ("echo", "predict", "mlflow", "tutorial")
BATCH = 1000
EXPLAINED = 10
# Complete, and inside the ranges seen in training.
ROW = {
    "Pregnancies": 1,
    "Glucose": 89,
    "BloodPressure": 66,
    "SkinThickness": 23,
    "Insulin": 94,
    "BMI": 28.1,
    "DiabetesPedigreeFunction": 0.167,
    "Age": 21,
}
JSON = {"Content-Type": "application/json"}
KEYS = {"SERVING_API_KEYS_FILE": "keys"}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
GUNICORN = "gunicorn --no-control-socket --worker-class gthread --workers 1"
MLFLOW = "mlflow models serve --env-manager local --workers 1"


def prepare(folder: Path) -> None:
    """Make a project with a version in production, the tutorial's pickle, and all bodies."""
    copy_project(folder, ["bench/__init__.py", "bench/peers"])
    run(folder, "dvc", "repro", "--quiet")
    run(folder, "python", "-m", "bench.peers.train")
    # Where writing bytecode is switched off, every start would compile anew.
    run(folder, "python", "-m", "compileall", "-q", "serving", "bench")
    for server in SERVERS:
        for rows in (1, EXPLAINED, BATCH):
            body(folder, server, rows).write_text(
                json.dumps(_question(folder, server, rows)), encoding="utf-8"
            )


def body(folder: Path, server: str, rows: int) -> Path:
    return folder / f"{server}-{rows}.json"


def launches(folder: Path) -> dict[str, Launch]:
    """Say how to start each server in a prepared folder."""
    alike = _threads_and_keepalive(folder)
    return {
        "echo": _peer("echo", alike),
        "predict": _ours(folder),
        "mlflow": _mlflow(folder),
        "tutorial": _peer("tutorial", alike),
    }


def _threads_and_keepalive(folder: Path) -> list[str]:
    """Return gunicorn's options for them, as the service has them."""
    show = "gunicorn -c serving/server/gunicorn.conf.py --print-config serving.web.wsgi:app"
    lines = [line.partition("=") for line in run(folder, *show.split()).splitlines()]
    settings = {name.strip(): value.strip() for name, _, value in lines}
    return ["--threads", settings["threads"], "--keep-alive", settings["keepalive"]]


def _ours(folder: Path) -> Launch:
    add = ("python", "-m", "serving", "keys", "add", "bench", "--role", "predict")
    key = run(folder, *add, variables=KEYS).strip()
    return Launch(
        name="predict",
        command=("python", "-m", "serving"),
        path="/predict",
        ready="/readyz",
        variables={**KEYS, **ONE_THREAD, "SERVING_WORKERS": "1", "SERVING_PORT": "{port}"},
        headers={**JSON, "Authorization": f"Bearer {key}"},
    )


def _mlflow(folder: Path) -> Launch:
    name = msgspec.yaml.decode((folder / "params.yaml").read_bytes())["name"]
    return Launch(
        name="mlflow",
        command=(*MLFLOW.split(), "--port", "{port}", "-m", f"models:/{name}@production"),
        path="/invocations",
        ready="/ping",
        variables={**ONE_THREAD, "MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"},
        headers=JSON,
    )


def _peer(name: str, alike: list[str]) -> Launch:
    address = ["--bind", "127.0.0.1:{port}"]
    return Launch(
        name=name,
        command=(*GUNICORN.split(), *alike, *address, f"bench.peers.{name}:app"),
        path="/predict",
        ready="/ping",
        variables=ONE_THREAD,
        headers=JSON,
    )


def _question(folder: Path, server: str, rows: int) -> dict[str, Any]:
    records = [ROW] if rows == 1 else _records(folder, rows)
    if server == "mlflow":
        return {"dataframe_records": records}
    return records[0] if rows == 1 else {"rows": records}


def _records(folder: Path, rows: int) -> list[dict[str, Any]]:
    """Return the table's rows without their target, from its start again where it ends."""
    with (folder / TABLE).open(newline="") as lines:
        table = [{name: json.loads(row[name]) for name in ROW} for row in csv.DictReader(lines)]
    return [table[number % len(table)] for number in range(rows)]
