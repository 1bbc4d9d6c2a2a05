"""Dockerfile and compose.yaml: what they promise, and their commands, tried without containers.

No container runs here: deploy/try_image.sh does that. `make check` lints the one and holds the
other to the Compose schema.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import requests
from ruamel.yaml import YAML

from serving.config import Settings, read_settings
from tests.conftest import QUIET, ROOT, free_port, wait_until_healthy
from tests.running import service

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = YAML(typ="safe", pure=True).load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if "build" in each}
PINNED = re.compile(r"[\w-]+:\d+(\.\d+)+[\w.-]*")


def exec_form(instruction: str) -> list[str]:
    """Give the words of the image's CMD or of its HEALTHCHECK."""
    (found,) = re.findall(rf"^{instruction} (\[.*\])$", DOCKERFILE, re.MULTILINE)
    return list(YAML(typ="safe", pure=True).load(found))


def variables() -> dict[str, str]:
    (block,) = re.findall(r"^ENV ((?:.*\\\n)*.*)$", DOCKERFILE, re.MULTILINE)
    return dict(word.split("=", 1) for word in block.replace("\\\n", " ").split())


def python(words: list[str]) -> list[str]:
    assert words[0] == "python"
    return [sys.executable, *words[1:]]


def test_every_image_is_pinned_by_its_tag():
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images = [each["image"] for each in SERVICES.values()]
    assert [image for image in [*bases, *images] if not PINNED.fullmatch(image)] == []
    assert len(bases) == 2
    assert len(set(bases)) == 1
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert {each["image"] for each in OURS.values()} == {f"csv-to-production:{version}"}


def test_nothing_is_installed_but_what_the_lock_file_names_by_hash():
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert installs == ["--no-cache-dir --require-hashes --compile -r /requirements.lock"]


def test_nobody_is_root_and_nobody_can_become_it():
    (user,) = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert int(user) > 0
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nCMD ")
    for each in SERVICES.values():
        assert each.get("user", user) not in ("root", "0")
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
    assert all(each["read_only"] for each in OURS.values())


def test_every_secret_comes_from_the_env_file_which_goes_nowhere():
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert set(re.findall(r"\$\{(\w+):\?set it in \.env\}", text)) == asked
    example = (ROOT / "deploy/example.env").read_text()
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) == asked
    assert (
        re.findall(r"^(?:REGISTRY_SIGNING_KEY|POSTGRES_PASSWORD)=(.*)$", example, re.M) == [""] * 2
    )
    settings = [(k, v) for each in SERVICES.values() for k, v in each["environment"].items()]
    secret = [v for k, v in settings if re.search("PASSWORD|SIGNING_KEY|STORE_URI", k)]
    assert len(secret) == 4
    assert all("${" in value for value in secret)
    assert "/.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert not _is_sent(".env")


def _is_sent(path: str) -> bool:
    """Tell whether .dockerignore lets a path into the build."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#") and fnmatch(path, line.removeprefix("!")):
            sent = line.startswith("!")
    return sent


def test_what_the_image_copies_is_sent_and_nothing_else_is():
    copied = re.findall(r"^COPY ([^-]\S*) ", DOCKERFILE, re.MULTILINE)
    assert all((ROOT / path).exists() for path in copied)
    sent = [path.name for path in ROOT.iterdir() if _is_sent(path.name)]
    assert sorted(sent) == sorted(copied)


def test_all_that_is_waited_for_says_when_it_is_healthy():
    for name, each in SERVICES.items():
        for other, how in each.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}, name
            assert "healthcheck" in SERVICES[other] or other == "service"


def test_what_is_under_way_has_its_time_before_the_engine_kills():
    grace = SERVICES["service"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > Settings(model="-").grace


def test_every_folder_that_is_written_to_is_a_volume_that_the_user_owns():
    (made,) = re.findall(r"install -d -o serving -g serving (.*)$", DOCKERFILE, re.MULTILINE)
    mounted = [
        volume.split(":") for name in ("service", "mlflow") for volume in OURS[name]["volumes"]
    ]
    assert {folder for _, folder in mounted} == set(made.split())
    assert {name for name, _ in mounted} < set(COMPOSE["volumes"])
    settings = read_settings({k: v for k, v in variables().items() if k.startswith("SERVING_")})
    keys = SERVICES["service"]["environment"]["SERVING_API_KEYS_FILE"]
    assert str(settings.store) in made.split()
    assert str(Path(keys).parent) in made.split()


@pytest.fixture
def image(tmp_path) -> Path:
    """Give a folder with what the image has of this project."""
    folder = tmp_path / "image"
    folder.mkdir()
    for path in re.findall(r"^COPY ([^-]\S*) ", DOCKERFILE, re.MULTILINE):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copyfile
        copy(ROOT / path, folder / path)
    return folder


def run_image(folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": "/usr/bin:/bin", "SERVING_STORE": str(folder / "store")}
    return subprocess.run(
        python(exec_form("CMD")),
        cwd=folder,
        env={**variables(), **clean, **more},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def test_the_image_does_not_start_for_everyone(image):
    done = run_image(image)
    assert done.returncode == 1
    assert "SERVING_HOST is `0.0.0.0`, which others can reach, and there are no keys" in done.stderr


def test_what_the_image_has_of_this_project_is_enough_to_serve_and_to_ask_for_its_health(image):
    check = python(exec_form(r"HEALTHCHECK .*\\\n  CMD"))
    with service(image, PYTHONPATH=str(image)) as running:
        asked = [word.replace(":8000", f":{running.port}") for word in check]
        assert asked != check
        # There is no model, and still it is healthy.
        assert running.get("/readyz").status_code == 503
        assert subprocess.run(asked, check=False).returncode == 0
    gone = subprocess.run(asked, capture_output=True, check=False)
    assert gone.returncode == 1


def test_the_image_has_the_pipeline_too(image):
    command = [sys.executable, "-m", "pipeline", "--help"]
    done = subprocess.run(command, cwd=image, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "promote" in done.stdout


def test_mlflow_s_command_starts_on_postgresql_and_answers_to_its_name(database, tmp_path):
    said = SERVICES["mlflow"]
    port = free_port()
    settings = {k: str(v).replace(":5000", f":{port}") for k, v in said["environment"].items()}
    assert settings["MLFLOW_BACKEND_STORE_URI"].startswith("postgresql://")
    settings |= {
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_PORT": str(port),
        "MLFLOW_ARTIFACTS_DESTINATION": str(tmp_path / "artifacts"),
    }
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            python(said["command"]),
            cwd=tmp_path,
            env={**os.environ, **QUIET, **settings},
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_healthy(server, url, tmp_path / "log")
            check = python(said["healthcheck"]["test"][1:])
            asked = [word.replace(":5000", f":{port}") for word in check]
            assert subprocess.run(asked, check=False).returncode == 0

            def status(host: str) -> int:
                search = f"{url}/api/2.0/mlflow/registered-models/search"
                return requests.get(search, headers={"Host": host}, timeout=10).status_code

            uri = SERVICES["service"]["environment"]["MLFLOW_TRACKING_URI"]
            assert uri == "http://mlflow:5000"
            assert status(f"mlflow:{port}") == 200
            assert status("evil.example.org") == 403
        finally:
            server.terminate()
            server.wait(timeout=30)
