"""`python -m pipeline status` on a real store, and of a real service."""

import msgspec
import pytest

from pipeline.health.overview import ask_service
from serving.web.keys import Role, new_key, write_keys
from tests.pipeline.registered import NAME
from tests.running import eventually, service


@pytest.fixture
def advised(as_json):
    """Give what is out of step, but for DVC: this project has no dvc.yaml."""

    def one(*arguments):
        wanting = as_json("status", *arguments)["advice"]
        return {each["what"]: each["type"] for each in wanting if "dvc" not in each["what"]}

    return one


def test_before_any_version_is_in_production_it_says_how_to_put_one_there(advised, done):
    assert advised() == {
        "no version is in production": "python -m pipeline promote 3 --to production"
    }
    assert "production  no version" in done("status")


def test_versions_and_stages_are_shown_with_their_figures(done, as_json, stages):
    for version in "13":
        done("promote", version, "--to", "production")
    said = done("status")
    assert "model       pima-diabetes" in said
    assert "gates passed, in production" in said
    assert "version 2   " in said
    assert "gates no receipt" in said
    assert "all is in step" not in said
    found = as_json("status")
    assert [version["version"] for version in found["versions"]] == ["1", "2", "3"]
    assert found["versions"][2]["stages"] == ["production"]
    low, high = found["versions"][0]["roc_auc"][1:]
    assert low < found["versions"][0]["roc_auc"][0] < high
    (staging, production) = found["stages"]
    assert (production["version"], production["by_ledger"]) == ("3", "3")
    assert staging["version"] is None


def test_what_is_out_of_step_is_said_with_what_to_type(project, done, advised, client, stages):
    done("promote", "3", "--to", "production")
    assert advised() == {}
    client.set_registered_model_alias(NAME, "production", "1")
    assert advised() == {
        "production was changed outside: the registry has version 1, the ledger version 3": (
            "python -m pipeline doctor --fix"
        ),
        "version 1 is in production, and its gates say: no receipt": "python -m pipeline rollback",
        "the last result is version 3, production is version 1": (
            "python -m pipeline compare 3 production"
        ),
    }


@pytest.fixture
def secret(project):
    """The secret of a service's key, which a file in the project's folder has."""
    secret, key = new_key("operator", [Role.METRICS])
    write_keys(project.folder / "keys", [key])
    return secret


def test_a_running_service_is_asked_what_it_answers_with(
    project, done, client, advised, as_json, secret, monkeypatch
):
    done("promote", "3", "--to", "production")
    variables = {
        "SERVING_API_KEYS_FILE": str(project.folder / "keys"),
        "SERVING_MODEL": NAME,
        "MLFLOW_TRACKING_URI": project.uri,
    }
    with service(project.folder, **variables) as running:
        wanted = "it wants a key: set SERVING_API_KEY to one"
        assert ask_service(running.url, "").problem == wanted
        eventually(lambda: ask_service(running.url, secret).version == "3")
        monkeypatch.setenv("SERVING_API_KEY", secret)
        assert advised("--service", running.url) == {}
        assert f"{running.url} answers with version 3" in done("status", "--service", running.url)
        client.delete_model_version_tag(NAME, "1", "receipt")
        client.set_registered_model_alias(NAME, "production", "1")
        eventually(lambda: ask_service(running.url, secret).refused)
        refused = as_json("status", "--service", running.url)["service"]["refused"]
        assert refused.startswith("it has no receipt")
    gone = f"the service at {running.url}: it does not answer"
    assert advised("--service", running.url)[gone] == "python -m serving"


@pytest.mark.parametrize("service_url", ["http://127.0.0.1:1", "nonsense"])
def test_what_is_no_service_is_said_to_be_none(service_url):
    found = ask_service(service_url, "")
    assert msgspec.to_builtins(found)["problem"] == "it does not answer"
