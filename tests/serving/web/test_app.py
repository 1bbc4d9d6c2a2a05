"""The processes that answer stay small: no mlflow, no scikit-learn, no pandas in them."""

import subprocess
import sys

import pytest
from flask import jsonify

from tests.conftest import ROOT

SERVING = ROOT / "serving"

ANSWER = """
import sys
from serving.web.wsgi import app

client = app.test_client()
response = client.post("/predict", json={"Glucose": 148, "Age": 50, "Smoker": 1})
assert response.status_code == 200, response.get_data()
for path in ("/version", "/metrics", "/openapi.json", "/"):
    assert client.get(path).status_code == 200, path
heavy = {"mlflow", "sklearn", "pandas", "scipy", "dvc", "pipeline"}
print(sorted(heavy & {name.split(".")[0] for name in sys.modules}))
"""


def test_answering_imports_none_of_the_heavy_libraries(settings, stored):
    done = subprocess.run(
        [sys.executable, "-c", ANSWER],
        cwd=SERVING.parent,
        env=settings.to_variables(),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr


def test_onnxruntime_keeps_no_device_id_and_tells_nobody(tmp_path):
    """What it sends, it sends from files that it makes in the home folder first."""
    subprocess.run(
        [sys.executable, "-c", "import serving.model.scorer"],
        cwd=SERVING.parent,
        env={"HOME": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_answer_holds_what_a_browser_cannot_parse(app, value):
    with app.test_request_context():
        assert jsonify([value]).get_data() == b"[null]"
