"""A stage has one name everywhere, and dvc.yaml lists the code that it runs."""

import re
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from pipeline.__main__ import STAGES
from pipeline.params import PLACE, GridSearch, Params
from tests.conftest import ROOT
from tests.contracts.test_imports import imported

PARAMS_OF_ALL = {"name", "seed", "data", "card"}


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((ROOT / name).read_text())


def code_behind(module: str) -> set[str]:
    """Return every file of ours that a module imports, directly or through another."""
    seen, open_ends = {module}, [module]
    while open_ends:
        for name in imported(open_ends.pop()):
            path = name.replace(".", "/")
            for file in (f"{path}.py", f"{path}/__init__.py"):
                if (ROOT / file).exists() and file not in seen:
                    seen.add(file)
                    open_ends.append(file)
    # A package itself is no dependency, where nothing stands in it.
    return {file for file in seen if (ROOT / file).read_text()}


CACHED_STAGES = [stage for stage in STAGES if stage != "register"]


@pytest.mark.parametrize("stage", CACHED_STAGES)
def test_a_cached_stage_lists_all_the_code_that_it_imports(stage: str) -> None:
    deps = read_yaml("dvc.yaml")["stages"][stage]["deps"]
    listed = {dep for dep in deps if dep.endswith(".py")}
    for folder in (ROOT / dep for dep in deps if (ROOT / dep / "__init__.py").is_file()):
        files = (path for path in folder.glob("*.py") if path.read_text())
        listed |= {path.relative_to(ROOT).as_posix() for path in files}
    assert listed == code_behind(f"pipeline/stages/{stage}.py")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_a_file_a_command_an_entry_point_and_a_test(stage: str) -> None:
    assert (ROOT / f"pipeline/stages/{stage}.py").exists()
    assert list((ROOT / "tests/pipeline").rglob(f"test_{stage}.py"))
    command = read_yaml("dvc.yaml")["stages"][stage]["cmd"]
    assert command.startswith(f"python -m pipeline {stage} ")
    command = read_yaml("MLproject")["entry_points"][stage]["command"]
    assert command == f"python -m pipeline.tracking.project_run $$ & dvc repro {stage}"


def test_there_are_no_other_stages_and_sections() -> None:
    assert tuple(read_yaml("dvc.yaml")["stages"]) == STAGES
    sections = {field.name for field in msgspec.structs.fields(Params)}
    assert sections == PARAMS_OF_ALL | set(STAGES)
    assert set(read_yaml("params.yaml")) == sections


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "grid_search"])
def test_a_stage_depends_on_its_own_section(stage: str) -> None:
    assert stage in read_yaml("dvc.yaml")["stages"][stage]["params"]


def test_the_search_depends_on_its_section_but_for_where_it_runs() -> None:
    params = read_yaml("dvc.yaml")["stages"]["grid_search"]["params"]
    fields = [field.name for field in msgspec.structs.fields(GridSearch)]
    science = [f"grid_search.{name}" for name in fields if name not in PLACE]
    assert params == ["seed", "data.group", "data.time", "data.test_from", *science]


def test_the_lock_files_hold_hashes_and_no_addresses() -> None:
    for name in (
        "requirements.lock",
        "requirements-dask.lock",
        "requirements-dev.lock",
        "requirements-shap.lock",
        "requirements-worker.lock",
        "requirements-uv.lock",
    ):
        text = (ROOT / name).read_text()
        assert "://" not in text
        pinned = re.findall(r"^[\w.\[\]-]+==", text, re.MULTILINE)
        assert pinned
        assert text.count("--hash=sha256:") >= len(pinned)


def test_a_dask_worker_gets_the_versions_that_are_here() -> None:
    pins = [
        set(re.findall(r"^[\w.-]+==\S+", (ROOT / f"requirements-{name}.lock").read_text(), re.M))
        for name in ("worker", "dask")
    ]
    assert pins[0] < pins[1]


def test_every_target_of_the_makefile_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    helped = set(re.findall(r"^([a-z-]+):.*(?:##|#-) ", makefile, re.MULTILINE))
    assert helped == set(phony.split())


def test_unit_tests_of_the_makefile_exist() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (paths,) = re.findall(r"^UNIT_TESTS = (.*)$", makefile, re.MULTILINE)
    assert [name for name in paths.split() if not (ROOT / "tests" / name).exists()] == []
