"""The examples are run, against a server that keeps what it is sent."""

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pipeline.reports.client_examples import URL, calls
from serving.model.contract import Contract, Feature
from serving.model.rows import to_matrix

CONTRACT = Contract(
    target="y",
    classes=("no", "yes"),
    features=(
        Feature(name="BMI", training_range=(18.2, 67.1)),
        Feature(name="Crohn's \\ disease", type="boolean", training_range=(0, 1)),
        Feature(name="Größe", type="integer", training_range=(0, 9)),
    ),
)
COMMANDS = {
    "curl": ["bash", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "-e"],
    "PHP": ["php", "-r"],
}


@pytest.fixture
def server():
    """Answer every request, and keep its type and its body."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.headers["Content-Type"], json.loads(body)))
            answer = json.dumps({"predictions": [{"label": "yes"}]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/predict", asked
        running.shutdown()
        thread.join()


def test_the_row_is_one_that_the_contract_allows():
    assert to_matrix(CONTRACT, [CONTRACT.example()]).shape == (1, 3)


@pytest.mark.parametrize("title", COMMANDS)
def test_an_example_sends_the_row_whatever_the_features_are_called(title, server):
    command = COMMANDS[title]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    url, asked = server
    code = calls(CONTRACT)[title][1]
    assert URL in code
    code = code.replace(URL, url).removeprefix("<?php\n")
    done = subprocess.run([*command, code], capture_output=True, text=True, check=True)
    assert asked == [("application/json", CONTRACT.example())]
    assert "yes" in done.stdout


def test_php_quotes_what_ends_a_text_and_writes_true_as_its_own():
    code = calls(CONTRACT)["PHP"][1]
    assert "    'Crohn\\'s \\\\ disease' => true,\n" in code
