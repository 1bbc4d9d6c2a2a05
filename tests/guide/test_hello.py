"""The guide's first application, in this process and under the two servers that the guide names."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from docs.examples.hello import app
from tests.conftest import ROOT, free_port
from tests.running import eventually

WARNING = "WARNING: This is a development server."


def test_a_name_is_welcomed():
    response = app.test_client().get("/users/Ada")
    assert (response.status_code, response.text) == (200, "Welcome Ada to Ekimetrics!")
    assert response.content_type == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("<b>Ada", "&lt;b&gt;Ada"),
        ("%3Cimg src=x onerror=alert(1)%3E", "&lt;img src=x onerror=alert(1)&gt;"),
        ('"Ada" & \'co', "&#34;Ada&#34; &amp; &#39;co"),
        ("&lt;b&gt;", "&amp;lt;b&amp;gt;"),
    ],
)
def test_markup_in_a_name_is_shown_and_never_obeyed(path, shown):
    response = app.test_client().get(f"/users/{path}")
    assert response.text == f"Welcome {shown} to Ekimetrics!"


@pytest.mark.parametrize("name", ["Zoë", "Łukasz", "小明", "👩‍🔬", "Ada Lovelace"])
def test_a_name_may_have_any_letters(name):
    assert app.test_client().get(f"/users/{name}").text == f"Welcome {name} to Ekimetrics!"


@pytest.mark.parametrize("path", ["/", "/users", "/users/", "/users/a/b", "/static/index.js"])
def test_there_is_nothing_elsewhere(path):
    assert app.test_client().get(path).status_code == 404


@contextmanager
def started(folder: Path, *command: str, port: int) -> Iterator[Path]:
    """Run a server in a folder until the block ends; gives its log."""
    log = folder / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, "HOME": str(folder)},  # where gunicorn makes a folder of its own
            stdout=file,
            stderr=file,
        )
    try:
        eventually(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}/", timeout=5)
    except requests.ConnectionError:
        return False
    return True


def welcomed(port: int) -> str:
    response = requests.get(f"http://127.0.0.1:{port}/users/<i>Zoë", timeout=5)
    return f"{response.status_code} {response.content.decode()}"


def test_flask_s_own_server_runs_it_and_warns_that_it_is_none_for_production(tmp_path):
    port = free_port()
    command = ("flask", "--app", "docs.examples.hello", "run", "--port", str(port))
    with started(tmp_path, *command, port=port) as log:
        assert welcomed(port) == "200 Welcome &lt;i&gt;Zoë to Ekimetrics!"
        assert WARNING in log.read_text()


def test_gunicorn_runs_it_without_a_warning(tmp_path):
    port = free_port()
    command = ("gunicorn", "docs.examples.hello:app", "--bind", f"127.0.0.1:{port}")
    with started(tmp_path, *command, port=port) as log:
        assert welcomed(port) == "200 Welcome &lt;i&gt;Zoë to Ekimetrics!"
        assert WARNING not in log.read_text()
