"""deploy/kubernetes.yaml, as far as it can be tried without a cluster.

`make check` holds it to the API's schema.
"""

from typing import Any

import pytest
from ruamel.yaml import YAML

from serving.config import Settings, read_settings
from tests.conftest import ROOT

DOCUMENTS = {
    each["kind"]: each
    for each in YAML(typ="safe", pure=True).load_all(
        (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    )
}
COMPOSE = YAML(typ="safe", pure=True).load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
POD: dict[str, Any] = DOCUMENTS["Deployment"]["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]


def test_image_is_that_of_compose() -> None:
    assert CONTAINER["image"] == COMPOSE["services"]["service"]["image"]


def test_settings_are_those_of_the_service() -> None:
    given = {each["name"]: each.get("value", "…") for each in CONTAINER["env"]}
    settings = read_settings({k: v for k, v in given.items() if k.startswith("SERVING_")})
    folders = {each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert settings.api_keys_file is not None
    assert str(settings.api_keys_file.parent) in folders
    assert {"/tmp", "/var/lib/serving"} < folders
    assert {*COMPOSE["services"]["service"]["environment"]} == {*given}


def test_pod_has_time_to_drain() -> None:
    (_, seconds) = CONTAINER["lifecycle"]["preStop"]["exec"]["command"]
    grace = POD["spec"]["terminationGracePeriodSeconds"]
    assert grace > Settings(model="-").grace + int(seconds)


def test_pod_without_a_model_lives_and_is_not_ready() -> None:
    paths = {name: CONTAINER[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "startup")}
    assert paths == {"liveness": "/livez", "startup": "/livez"}
    assert CONTAINER["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_no_service_of_kubernetes_gives_settings_of_ours() -> None:
    assert POD["spec"]["enableServiceLinks"] is False
    assert DOCUMENTS["Service"]["metadata"]["name"] != "serving"


def test_nobody_is_root_and_nothing_else_is_written() -> None:
    assert POD["spec"]["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("kind", ["Service", "PodDisruptionBudget"])
def test_every_part_selects_the_pods(kind: str) -> None:
    selector = DOCUMENTS[kind]["spec"]["selector"]
    assert selector.get("matchLabels", selector) == POD["metadata"]["labels"]
