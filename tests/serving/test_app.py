"""The processes that answer stay small: no mlflow, no scikit-learn, no pandas in them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from flask import jsonify

SERVING = Path(__file__).parents[2] / "serving"

ANSWER = """
import sys
from serving.wsgi import app

response = app.test_client().post("/predict", json={"Glucose": 148, "Age": 50, "Smoker": 1})
assert response.status_code == 200, response.get_data()
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
        [sys.executable, "-c", "import serving.scorer"],
        cwd=SERVING.parent,
        env={"HOME": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []


def modules_imported_by(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    imports = [a.name for n in nodes if isinstance(n, ast.Import) for a in n.names]
    return {*imports, *(str(n.module) for n in nodes if isinstance(n, ast.ImportFrom))}


def test_only_registry_imports_mlflow_and_nothing_imports_the_pipeline():
    found = {
        path.relative_to(SERVING).as_posix(): modules_imported_by(path)
        for path in SERVING.rglob("*.py")
    }
    assert len(found) > 10
    roots = {path: {name.split(".")[0] for name in names} for path, names in found.items()}
    assert [path for path, names in roots.items() if "mlflow" in names] == ["following/registry.py"]
    assert [path for path, names in roots.items() if "pipeline" in names] == []
    users = {
        name: [path for path, names in found.items() if f"serving.following.{name}" in names]
        for name in ("registry", "sync")
    }
    assert users == {"registry": ["following/sync.py"], "sync": ["following/follow.py"]}


def test_the_contract_is_the_ground_floor():
    ours = {name for name in modules_imported_by(SERVING / "contract.py") if "serving" in name}
    assert ours == set()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_answer_holds_what_a_browser_cannot_parse(app, value):
    with app.test_request_context():
        assert jsonify([value]).get_data() == b"[null]"
